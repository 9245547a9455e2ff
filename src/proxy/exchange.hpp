// Exchange: one request from its head to the end of its response: who asks, where it goes, there and back.
#pragma once

#include <optional>

#include "inspect/tap.hpp"
#include "proxy/planner.hpp"
#include "proxy/reply.hpp"
#include "proxy/worker.hpp"

namespace cmux::proxy {

// Counts and tells what a connection upstream is, and what it took where it is new.
void note_opening(Counters& count, Record* record, const upstream::Lease& lease);

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
  Result<void> admit();  // session_
  Result<void> plan();   // plan_
  // Two instances may be each other's parent proxy. Each puts its name into X-Cmux-Proxied of what it sends to one; that goes no
  // further (http1/write.cpp). Through SOCKS5 nothing can be said.
  Result<void> check_round() const;
  std::string hops() const;  // the instances that the request comes from, as parent proxies of each other
  // No proxy on the way may read it: its Host is not where it goes, or it is a CONNECT.
  bool is_end_to_end() const { return !plan_->own_host || proxy::is_tunnel(*request_); }
  bool is_stale() const { return session_->context != planned_for_; }
  Task<void> answer();   // what the planner answers itself
  Task<void> connect();  // CONNECT: a tunnel, or what is inside one
  Task<void> serve_inside();
  Task<void> dial();
  Task<bool> find_descriptor();
  Task<void> relay_tunnel(http::Stream& upstream);
  Task<void> forward();
  Task<Result<void>> mend();
  Task<Result<void>> attempt(upstream::Lease& lease);
  Task<void> upload(http::Stream& upstream);
  Task<Result<void>> send_body(http::Stream& upstream);
  Task<Result<void>> respond(http::Stream& upstream);
  Task<void> refuse(Refusal refusal);
  Task<void> fail(Error error);  // tells the client, as far as it can still be told
  void prepare_request(const upstream::Lease& lease);
  bool may_retry(const Error& error) const;
  void begin_record(const http::Head* request);
  void note_plan();
  void note_sent();                                              // the request, to its end
  void note_response(const http::Head& head, bool as_it_came);   // the workspace's
  void note_own(const http::Head& head, std::string_view body);  // an answer of the proxy's
  void note_error(std::string_view name, const std::string& detail);
  void finish();

  Worker& worker_;
  Entrance& entrance_;
  http::Stream& downstream_;
  http::Head* request_ = nullptr;
  SessionPtr session_;
  PlanPtr plan_;
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

  http::Meter client_said_{worker_.count().client_said}, upstream_said_{worker_.count().upstream_said};
  Clock::time_point began_;          // by the loop's time, which costs nothing
  RecordPtr record_;                 // null: nobody wants to know
  std::optional<inspect::Tap> tap_;  // null: nobody wants heads
};

}  // namespace cmux::proxy
