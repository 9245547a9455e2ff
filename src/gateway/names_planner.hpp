// The planner of `gateway names`: on the public side, the first label of the host's name says which machine, and the fields that
// the machine's own gateway is told are made from it. What the client says in X-Cmux-* fields of its own is not believed, but for
// the Host that the dev server is to see.
//
// Who has access shows a token (token.hpp): as a bearer, as the password of a CONNECT, as a cookie, or once in the URL. It is
// checked when a connection shows one that it has not shown before, and goes no further than here. When a token is revoked, or
// over, or its key is, what is under way by it ends.
//
// Where access is asked for, GET /_cmux/ports is the machine's own (machine_planner.hpp) and no dev server's, whatever the port
// in the name; but not with a cookie, as pages have it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/list.hpp"
#include "base/wheel.hpp"
#include "gateway/labels.hpp"
#include "gateway/machines.hpp"
#include "gateway/network.hpp"
#include "gateway/revoked.hpp"
#include "gateway/token.hpp"
#include "proxy/planner.hpp"

namespace cmux::gateway {

// A snapshot of all that the requests are planned by.
struct NamesRules {
  std::vector<std::string> domains;  // in lower case
  std::shared_ptr<const Machines> machines;
  std::shared_ptr<const std::string> machine_token;  // for the machines' own gateways; null: none
  std::vector<Network> trusted;                      // proxies in front
  KeysPtr keys;                                      // null: everybody has access
  RevokedPtr revoked;                                // null: no token is
  bool blind = false;  // there is a store that nobody has been able to read yet: who is revoked is not known
  bool tls = false;    // it speaks TLS itself: plain requests are sent there
};
using NamesRulesPtr = std::shared_ptr<const NamesRules>;

class NamesPlanner final : public proxy::Planner {
 public:
  // `wake`: has a machine woken, where it should be, and woken() told how that went. Null: nobody can.
  using Wake = std::function<void(const std::string& machine, const upstream::Origin& origin)>;
  explicit NamesPlanner(NamesRulesPtr rules, Wake wake = {});

  // For the requests to come, of open connections too.
  void replace(NamesRulesPtr rules);
  // Ends the waits for a machine. `failed`: why it cannot be reached; empty: it can.
  void woken(const std::string& machine, const std::string& failed);

  static constexpr std::size_t kMostWaiting = 1'000;  // requests for a machine, a worker

  void meet(proxy::Entrance& entrance, const net::Transport& transport) const override;
  bool answers(const proxy::Entrance& entrance, const http::Head& request) override;
  Result<proxy::Answer> answer(const proxy::Entrance& entrance, const http::Head& request) override;
  Result<proxy::SessionPtr> admit(proxy::Entrance& entrance, http::Head& request) override;
  Result<proxy::PlanPtr> plan(proxy::Entrance& entrance, const proxy::Session& session, const http::Head& request) override;
  bool mends(const proxy::Plan& plan, const Error& error) const override;
  Task<Result<void>> mend(proxy::PlanPtr plan, proxy::Patience& patience) override;
  proxy::SessionPtr admit(const std::string&, std::string_view) const override { return nullptr; }

 private:
  struct NamesPlan;
  struct Admitted;
  struct Host;
  struct Waiter;
  struct Waiters {
    Link list;
    std::size_t count = 0;
  };
  Result<Host> host_of(const proxy::Entrance& entrance, const http::Head& request) const;
  Result<void> find_plan(proxy::Entrance& entrance, const http::Head& request);
  std::shared_ptr<const NamesPlan> make(const Host& host, const Label& label, const http::Head& request) const;
  Result<Claims> check(std::string_view token, const Label& label) const;
  void end_some();
  void end_some_at(WallTime time);
  Result<proxy::Answer> answer_token(const Host& host, const http::Head& request) const;

  NamesRulesPtr rules_;
  const Wake wake_;
  std::map<std::string, Waiters> asleep_;  // by machine
  proxy::SessionPtr everybody_;            // where no token is asked for
  Deadline next_end_{[](void* self) { static_cast<NamesPlanner*>(self)->end_some(); }, this};
  WallTime next_end_at_ = kNever;  // of what some token has let in
  // Of rules_, and of what tokens are checked by: plans of another one are made anew, tokens checked again.
  unsigned generation_ = 0, access_generation_ = 0;

  // Of the request that is being planned.
  std::string key_;  // what its plan depends on
  bool proxied_ = false, https_ = false, ports_ = false;
  std::optional<std::string_view> override_, forwarded_host_;
  std::shared_ptr<const NamesPlan> planned_;
};

}  // namespace cmux::gateway
