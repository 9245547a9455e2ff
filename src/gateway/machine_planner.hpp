// The planner of `gateway machine`: inside a workspace's machine, the request's own fields say which port of it is meant, at
// which of its addresses, and what the dev server is to see as Host. None of them reaches the dev server.
//
//   X-Cmux-Port-Internal       the port; without it Host must be <workspace>-<port>.localhost
//   X-Cmux-Workspace-Internal  whose processes listen at an address of their own (labels.hpp); without it 127.0.0.1
//   X-Cmux-Host-Override       Host
//   X-Cmux-Target-Internal     in the place of the first two: a host of the machine's network, where it is allowed
//   X-Cmux-Token               the machine's secret, where it has one
//
// A CONNECT goes where the fields say, whatever its own target is.
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

class MachinePlanner final : public proxy::Planner {
 public:
  explicit MachinePlanner(MachineRules rules);

  // For the requests to come.
  void set_token(std::shared_ptr<const std::string> token) { rules_.token = std::move(token); }

  bool answers(const proxy::Entrance&, const http::Head&) override { return false; }
  Result<proxy::Answer> answer(const proxy::Entrance&, const http::Head&) override { return proxy::Answer{}; }
  Result<proxy::SessionPtr> admit(proxy::Entrance& entrance, http::Head& request) override;
  Result<proxy::PlanPtr> plan(proxy::Entrance& entrance, const proxy::Session& session, const http::Head& request) override;
  proxy::SessionPtr admit(const std::string&, std::string_view) const override { return nullptr; }

 private:
  struct Wish;
  Result<proxy::PlanPtr> made(const Wish& wish, const http::Head& request) const;

  MachineRules rules_;
  proxy::SessionPtr everybody_;  // one for all requests: the machine is one workspace's
  std::string key_;              // of the request that is planned; keeps its memory
};

}  // namespace cmux::gateway
