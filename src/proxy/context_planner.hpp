// serve's planner: the credentials, or the port that the client has come to, name a context; its route says where to.
#pragma once

#include "proxy/planner.hpp"
#include "proxy/worker.hpp"

namespace cmux::proxy {

class ContextPlanner final : public Planner {
 public:
  explicit ContextPlanner(const Worker& worker) : worker_(worker) {}

  // The PAC file of a context's own port.
  bool answers(const Entrance& entrance, const http::Head& request) override;
  Result<Answer> answer(const Entrance& entrance, const http::Head& request) override;
  Result<SessionPtr> admit(Entrance& entrance, http::Head& request) override;
  Result<PlanPtr> plan(Entrance& entrance, const Session& session, const http::Head& request) override;
  SessionPtr admit(const std::string& username, std::string_view password) const override;

 private:
  Result<void> take_forwarded(Entrance& entrance, http::Head& request) const;
  Result<void> check_loop(const Session& session, const net::Authority& target, std::string_view scheme) const;
  Result<PlanPtr> plan_connect(const Entrance& entrance, const Session& session, net::Authority target) const;

  const Worker& worker_;
};

}  // namespace cmux::proxy
