// Illusion: what is changed in the heads of requests and responses of a route, so that both sides go on believing what they see:
// the client that it speaks to localhost, the dev server that it is spoken to by its own name. Made once for a target, then
// asked for every head. Pure; never looks at bodies. Relative URLs stay as they are.
#pragma once

#include "http/stream.hpp"
#include "policy/context.hpp"
#include "policy/hosts.hpp"
#include "policy/inverse.hpp"

namespace cmux::policy {

// Which rules are on.
struct Rewrites {
  bool location = true;   // Location, Content-Location, Refresh and Link name the loopback URL
  bool callbacks = true;  // so do URLs of the route that are values in the query of a Location to another host
  bool cookies = true;    // Set-Cookie loses a Domain that is the destination's
  bool hsts = true;       // Strict-Transport-Security goes
  bool cors = true;       // Access-Control-Allow-Origin names the loopback origin
  bool origin = true;     // Origin and Referer of the target name the destination's origin
};

// What the client takes the target for.
struct View {
  Scheme scheme = Scheme::http;
  net::Authority authority;
  // Set for clients of a forwarded port, which use no proxy: that they call the target by another port, and which ports they
  // reach.
  std::optional<std::vector<Forward>> forwards;
  bool forward_auto = false;  // ... and others under their own numbers, as far as they listen
  // More cmux domains, whose names are no loopback; they outlive whoever looks through this.
  std::span<const std::string> domains;
};

class Illusion {
 public:
  Illusion() = default;  // changes nothing
  // For a server that takes itself for localhost behind a name of its own for every port: `before` + port + `after`. URLs of
  // loopback hosts with a port, in Location and its like, get that name; nothing else is changed.
  Illusion(Scheme scheme, std::string before, std::string after)
      : in_responses_(kUrls), map_urls_(true), names_(Names{scheme, std::move(before), std::move(after)}) {}
  // `destination` is where the route takes `target`; `view` differs from that only behind a forwarded port.
  Illusion(const Route& route, const net::Authority& target, const Destination& destination, View view, const Rewrites& rewrites);

  // Returns the Origin that the client sent, where the response may depend on it; else nothing.
  std::string request(http::Head& head) const;
  // Interim ones and those of upgrades, too. `origin`: what request() returned. False: nothing was changed, as mostly.
  bool response(http::Head& head, std::string_view origin = {}) const;

 private:
  using Changed = std::optional<std::string>;  // nothing: as it was
  Changed request_value(http::Name name, std::string_view value) const;
  Changed response_value(http::Name name, std::string_view value, std::string_view client_origin) const;
  Changed location(std::string_view text) const;
  Changed callbacks(std::string_view text) const;
  Changed callback(std::string_view value) const;
  Changed url(std::string_view text) const;
  Changed origin(std::string_view text, std::string_view client_origin) const;
  Changed refresh(std::string_view text) const;
  Changed link(std::string_view text) const;
  Changed cookie(std::string_view text) const;
  bool is_own_domain(std::string_view attribute) const;
  std::optional<std::string> seen_as(std::uint16_t port) const;

  struct Names {
    Scheme scheme;
    std::string before, after;
  };
  static const std::uint64_t kUrls;

  std::uint64_t in_requests_ = 0, in_responses_ = 0;  // a bit a field's name
  bool map_urls_ = false, map_callbacks_ = false;     // of a Location, which has its bit for either
  bool spare_internal_ = false;                       // requests for a framework's own paths keep their Origin
  View view_;
  std::uint16_t view_port_ = 0, target_port_ = 0;
  std::string destination_host_;
  std::string upstream_url_;         // what the upstream takes itself for: origin and path prefix
  std::size_t upstream_origin_ = 0;  // how much of that is the origin
  Inverse inverse_;
  std::optional<Names> names_;
};

}  // namespace cmux::policy
