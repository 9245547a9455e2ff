// The client side of an HTTP/1 connection: one exchange at a time, and again as long as the peer keeps it open.
#pragma once

#include "http1/half.hpp"
#include "http1/parser.hpp"

namespace cmux::http1 {

struct ClientOptions {
  Limits limits;
  milliseconds response_timeout{120'000};  // for a response head, once the request is out; 0: none
  milliseconds body_timeout{300'000};      // for more of a body of known length; 0: none
  milliseconds send_timeout{120'000};      // for the peer to take some of what waits for it; 0: none
};

class ClientConnection final : public http::Stream, private Half {
 public:
  // `proxy`: the peer is another proxy, whose requests have that form; it outlives the connection.
  ClientConnection(std::unique_ptr<net::Transport> transport, const ClientOptions& options, const ProxyForm* proxy = nullptr);
  ~ClientConnection() override;

  // The last exchange is complete, and the peer has neither closed nor said anything since.
  bool reusable();
  // While idle: the peer has closed it, or has said something that nobody asked for and that the next response must not be
  // mistaken for. With `ask`, the system is asked for news that the loop may not have yet.
  bool has_ended(bool ask);
  // It has carried an exchange before the present one.
  bool reused() const { return exchanges_ > 1; }
  bool is_to_proxy() const { return proxy_ != nullptr; }
  net::Transport& transport() { return *transport_; }
  // How long it may be kept for the next request: `usual`, or, where the peer has said how long it keeps it, that, less what a
  // request may take on its way there; `most` at the most.
  milliseconds kept_for(milliseconds usual, milliseconds most);
  // While idle: `callback` once when the peer hangs up, or after `timeout`. Null ends it.
  void watch_idle(void (*callback)(void*), void* argument, milliseconds timeout);

  // --- http::Stream. Errors of a connection that was reused and had not said a byte are `retryable` where the request is
  // idempotent. ---
  Task<Result<http::Head*>> read_head() override;
  Task<Result<http::Body>> read_body() override;
  bool body_ready() const override { return pull_ready(); }
  void interrupt_body(bool on) override { stop_pulling(on); }
  Task<Result<void>> write_head(const http::Head& head, http::Next next) override;
  Task<Result<void>> write_body(std::string_view bytes, http::Next next, const http::Fields* trailers) override;
  void reset(Errc why) noexcept override;
  void cancel_on_abort(http::Abortable*) override {}
  std::unique_ptr<net::Transport> into_transport() override { return take_transport(); }

 private:
  Error failure(Error error) const;
  void expire();
  void reset_deaf();

  const ClientOptions& options_;
  const ProxyForm* const proxy_;
  HeadParser parser_;
  http::Head response_;
  std::string method_, protocol_, websocket_key_;
  unsigned exchanges_ = 0;
  std::optional<std::uint32_t> peer_keeps_;  // seconds
  std::optional<milliseconds> margin_;
  bool keep_alive_ = false, broken_ = false, heard_ = false, idempotent_ = false;
  bool waiting_ = false;  // for a response head
  bool writing_ = false;  // the peer is to take a piece of the request's body
  bool expects_ = false;  // the request's body waits for 100 Continue
  void (*idle_callback_)(void*) = nullptr;
  void* idle_argument_ = nullptr;
  Deadline deadline_{[](void* self) { static_cast<ClientConnection*>(self)->expire(); }, this};
};

}  // namespace cmux::http1
