// Exchange: one request from its head to the end of its response: who asks, where it goes, there and back.
#pragma once

#include <optional>

#include "proxy/plan.hpp"
#include "proxy/reply.hpp"
#include "proxy/worker.hpp"

namespace cmux::proxy {

// What is known of a connection's requests before they come, and what is remembered from one to the next.
struct Entrance {
  SessionPtr session;  // bound to it; null: every request shows its credentials
  std::string_view scheme = "http";
  std::optional<net::Authority> tunnel;  // inside a CONNECT to this target: requests for another are misdirected
  bool forwarded = false;                // whatever loopback name the client uses for the tunnel's target, it means that
  net::Authority seen;                   // ... and this is the one that it used last, which `plan` was made for
  std::string_view protocol = "http/1.1";
  std::uint16_t own_port = 0;  // the context's own, which the client is connected to and which answers for itself; 0: none

  // The last request's credentials and plan: mostly the next one's too.
  std::string credentials;
  SessionPtr authenticated;
  policy::ContextPtr planned_for;
  std::string planned_scheme, planned_authority;
  std::shared_ptr<const Plan> plan;
};

class Exchange final : public Active {
 public:
  Exchange(Worker& worker, Entrance& entrance, http::Stream& downstream)
      : worker_(worker), entrance_(entrance), downstream_(downstream) {}
  ~Exchange() = default;

  // Reads the request and sees it through. Leaves the stream complete or reset.
  Task<void> run();

  void cancel(Errc why) noexcept override;
  bool is_tunnel() const override { return tunnel_; }

 private:
  Result<void> identify();  // session_, or 407
  Result<void> take_forwarded();
  Result<void> find_plan();  // plan_ and target_
  Result<void> plan_target();
  bool is_stale() const { return session_->context != planned_for_; }
  Result<void> check_loop() const;
  bool is_for_port() const;  // the port itself is asked, and not the proxy that it is
  Task<void> answer_for_port();
  Task<void> connect();  // CONNECT: a tunnel, or what is inside one
  Task<void> connect_direct();
  Task<bool> find_descriptor();
  Task<void> relay_tunnel(http::Stream& upstream);
  Task<void> forward();
  Task<Result<void>> attempt(upstream::Lease& lease);
  Task<void> upload(http::Stream& upstream);
  Task<Result<void>> send_body(http::Stream& upstream);
  Task<Result<void>> respond(http::Stream& upstream);
  Task<void> refuse(Refusal refusal);
  Task<void> fail(Error error);  // tells the client, as far as it can still be told
  void prepare_request();
  bool may_retry(const Error& error) const;
  void finish();

  Worker& worker_;
  Entrance& entrance_;
  http::Stream& downstream_;
  http::Head* request_ = nullptr;
  SessionPtr session_;
  net::Authority target_;
  std::shared_ptr<const Plan> plan_;
  policy::ContextPtr planned_for_;       // plan_, or the choice of a tunnel, is this one's: the route may change while we wait
  http::Abortable* upstream_ = nullptr;  // the stream there, or the wait for a connection
  std::optional<Error> upload_error_;
  std::optional<Errc> cancelled_;
  std::string origin_;  // the client's, for the illusion of the response
  bool tunnel_ = false, responded_ = false;

  // What was read of the request's body, as long as it is little enough to be sent again.
  std::string body_;
  std::optional<http::Fields> body_trailers_;
  bool replayable_ = true, body_ended_ = false;

  // Filled only while somebody observes.
  std::unique_ptr<Record> record_;
  Clock::time_point started_;
};

}  // namespace cmux::proxy
