#include "proxy/transparent.hpp"

#include "http/raw_stream.hpp"
#include "proxy/downstream.hpp"

namespace cmux::proxy {
namespace {

// A connection as the CONNECT that would have led to it. Its client knows of none: a refusal is a reset.
class Addressed final : public http::Stream {
 public:
  Addressed(std::unique_ptr<net::Transport> transport, milliseconds send_timeout, const net::Authority& target)
      : raw_(std::move(transport), send_timeout) {
    request_.method = "CONNECT";
    request_.authority = target.text();
    request_.end = true;
  }

  Task<Result<http::Head*>> read_head() override { co_return &request_; }
  Task<Result<http::Body>> read_body() override { return raw_.read_body(); }
  bool body_ready() const override { return raw_.body_ready(); }
  void interrupt_body(bool on) override { raw_.interrupt_body(on); }
  Task<Result<void>> write_head(const http::Head& head, http::Next) override {
    tunnel_ = head.tunnel;
    if (!tunnel_) reset(Errc::reset);
    co_return Result<void>{};
  }
  Task<Result<void>> write_body(std::string_view bytes, http::Next next, const http::Fields* trailers) override {
    if (!tunnel_) co_return Result<void>{};
    co_return co_await raw_.write_body(bytes, next, trailers);
  }
  void reset(Errc why) noexcept override { raw_.reset(why); }
  void cancel_on_abort(http::Abortable*) override {}
  std::unique_ptr<net::Transport> into_transport() override { return raw_.into_transport(); }

 private:
  http::RawStream raw_;
  http::Head request_;
  bool tunnel_ = false;
};

}  // namespace

bool is_elsewhere(const net::Endpoint& addressed, std::uint16_t own_port) {
  return !addressed.is_loopback() || addressed.port() != own_port;
}

Task<void> serve_transparent(Worker& worker, std::unique_ptr<net::Transport> transport, SessionPtr session) {
  const net::Endpoint addressed = transport->local();
  net::Authority target;
  target.host = addressed.ip();
  target.ipv6 = addressed.storage.ss_family == AF_INET6;
  target.port = addressed.port();
  const bool own = reaches_itself(target, *target.port, worker.options().is_own_target);
  if (!own && is_routed(*session->context, target, worker.options().hosts)) {
    co_await serve_forwarded(worker, std::move(transport), session, target, Openness::transparent);
    co_return;
  }
  Entrance entrance;
  entrance.session = session;
  entrance.unrouted = true;
  entrance.protocol = "tcp";
  Addressed stream(std::move(transport), worker.options().http1.send_timeout, target);
  Exchange exchange(worker, entrance, stream);
  co_await exchange.run();
}

}  // namespace cmux::proxy
