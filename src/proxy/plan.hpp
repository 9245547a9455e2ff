// Plan: what the proxy will do for a target, worked out once for a run of requests to the same authority.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "policy/rewrite.hpp"
#include "proxy/session.hpp"
#include "upstream/origin.hpp"

namespace cmux::proxy {

// What becomes of a CONNECT.
enum class Connect : std::uint8_t {
  dial,     // a connection to the origin, whose bytes go both ways
  inside,   // answered here: what is inside are requests, or bytes for the route's own tunnel
  forward,  // the origin is asked for it, as for any request
};

// A field that goes with every request of a plan.
struct PlannedField {
  std::string name, value;
  http::Name known;
  bool secret;  // the route's owner set it, a token more often than not; the proxy's own say no more than the destination
};

struct Plan {
  net::Authority target;             // that the client asked for
  std::string_view scheme = "http";  // ... and how
  Connect connect = Connect::dial;
  upstream::Origin origin;
  std::string authority;  // for Host and :authority
  std::string path_prefix;
  std::vector<PlannedField> headers;
  bool routed = false;        // by the context's route, not where the request said
  bool own_host = true;       // `authority` is the origin's: whoever is sent to by that gets there
  bool tunnels = false;       // takes CONNECT: a cmuxProxyOrigin
  bool opaque = false;        // what a tunnel carries is the target's own: a name of the workspace's network
  policy::Illusion illusion;  // changes nothing unless routed

  // As records tell of it; made when the first one does.
  struct Told {
    std::string target, destination;  // scheme://host:port
  };
  const Told& told() const;

 private:
  mutable std::optional<Told> told_;
};

using PlanPtr = std::shared_ptr<const Plan>;

// What the client calls the target, where that is another name (a forwarded port), and what is kept from it.
struct Appearance {
  policy::Rewrites rewrites;
  const net::Authority* forwarded = nullptr;
};

// Without an appearance no field is rewritten. `rules` outlive the plan. Errors are for the client (400).
Result<Plan> make_plan(const policy::Context* context, std::string_view scheme, const net::Authority& target,
                       std::string_view authority_text, const policy::HostRules& rules, const Appearance* appearance = nullptr);

// Would a connection to the loopback target, made on this machine, reach one of the proxy's own listeners?
bool reaches_itself(const net::Authority& target, std::uint16_t port, const std::function<bool(const net::Endpoint&)>& is_own);

// Where a target lies in a context.
policy::Way way_of(const policy::Context& context, const net::Authority& target, const policy::HostRules& rules);

// Does it go to the context's workspace?
inline bool is_routed(const policy::Context& context, const net::Authority& target, const policy::HostRules& rules) {
  return way_of(context, target, rules) != policy::Way::direct;
}

}  // namespace cmux::proxy
