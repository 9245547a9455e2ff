// The planner of `gateway machine`: inside a workspace's machine, the request's own fields say which port of it is meant, at
// which of its addresses, and what the dev server is to see as Host. None of them reaches the dev server.
//
//   X-Cmux-Port-Internal       the port; without it Host must be <workspace>-<port>.localhost
//   X-Cmux-Workspace-Internal  whose processes listen at an address of their own (labels.hpp); without it 127.0.0.1 or ::1
//   X-Cmux-Host-Override       Host
//   X-Cmux-Target-Internal     in the place of the first two: a host of the machine's network, where it is allowed
//   X-Cmux-Token               the machine's secret, where it has one
//
// A CONNECT goes where the fields say, whatever its own target is.
//
// Who shows the secret, and is no page, is told which ports of the machine listen: GET /_cmux/ports, at once or as server-sent
// events whenever that changes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "proxy/planner.hpp"

namespace cmux::gateway {

struct MachineRules {
  std::shared_ptr<const std::string> token;  // null: none is asked for
  std::vector<std::string> allow_hosts;      // globs, in lower case
};

constexpr std::string_view kPortsPath = "/_cmux/ports";

class MachinePlanner final : public proxy::Planner {
 public:
  explicit MachinePlanner(MachineRules rules);

  static constexpr std::size_t kMostTold = 100;  // streams of ports, a worker

  // For the requests to come.
  void set_token(std::shared_ptr<const std::string> token) { rules_.token = std::move(token); }

  void meet(proxy::Entrance& entrance, const net::Transport& transport) const override;
  bool answers(const proxy::Entrance& entrance, const http::Head& request) override;
  Result<proxy::Answer> answer(const proxy::Entrance& entrance, const http::Head& request) override;
  Result<proxy::SessionPtr> admit(proxy::Entrance& entrance, http::Head& request) override;
  Result<proxy::PlanPtr> plan(proxy::Entrance& entrance, const proxy::Session& session, const http::Head& request) override;
  proxy::SessionPtr admit(const std::string&, std::string_view) const override { return nullptr; }
  void drain() override;

 private:
  struct Wish;
  struct Told;
  enum class Shown : std::uint8_t { none, wrong, right };
  Shown token_of(const http::Head& request) const;
  Task<void> tell_ports(http::Stream& out, std::string address, std::uint16_t own_port);
  Result<proxy::PlanPtr> made(const Wish& wish, const http::Head& request) const;

  MachineRules rules_;
  proxy::SessionPtr everybody_;  // one for all requests: the machine is one workspace's
  std::string key_;              // of the request that is planned; keeps its memory
  std::size_t told_ = 0;         // streams of ports that are open
  Link tellers_;                 // they
  bool draining_ = false;
};

}  // namespace cmux::gateway
