// The server side of a SOCKS5 connection: its one request as a Stream. The head is a CONNECT, a response's head becomes a reply
// code, and what follows is a tunnel's bytes, so that the exchange does not notice.
//
// Who asks is settled before the request may come (RFC 1928 section 3), so it is not the exchange that looks at credentials.
#pragma once

#include <functional>

#include "http/raw_stream.hpp"
#include "socks/messages.hpp"

namespace cmux::socks {

class ServerStream final : public http::Stream {
 public:
  // Are they good? Must not wait.
  using Check = std::function<bool(const Login&)>;

  // An empty `check`: nobody has to say who he is. A client that insists on a password may show any.
  ServerStream(std::unique_ptr<net::Transport> transport, milliseconds send_timeout, Check check);

  // Sees the connection to its request, or to what is wrong with it: read_head() says which. Has no limit in time; who has one
  // aborts the transport.
  Task<void> negotiate();
  // After the exchange: what was said last reaches the client before the connection goes.
  Task<void> finish();
  net::Transport& transport() { return transport_; }

  // --- http::Stream ---
  Task<Result<http::Head*>> read_head() override;
  Task<Result<http::Body>> read_body() override { return raw_.read_body(); }
  bool body_ready() const override { return raw_.body_ready(); }
  void interrupt_body(bool on) override { raw_.interrupt_body(on); }
  // Only the first counts. A refusal has no body: what HTTP would say in one is dropped.
  Task<Result<void>> write_head(const http::Head& head, http::Next next) override;
  Task<Result<void>> write_body(std::string_view bytes, http::Next next, const http::Fields* trailers) override;
  void reset(Errc why) noexcept override { raw_.reset(why); }
  // A tunnel notices by itself, and nothing else is asked for here.
  void cancel_on_abort(http::Abortable*) override {}
  std::unique_ptr<net::Transport> into_transport() override;

 private:
  template <class Message>
  Task<Result<Message>> receive(Result<std::size_t> (*parse)(std::string_view, Message&));
  Task<Result<void>> say(std::string text);
  Task<Result<void>> agree();
  Task<Result<void>> ask_who();
  Task<Result<void>> take_request();

  net::Transport& transport_;  // raw_'s
  const milliseconds send_timeout_;
  http::RawStream raw_;
  Check check_;
  Buffer in_;
  http::Head request_;
  Reply refusal_ = Reply::succeeded;  // of a request that is none
  std::optional<Error> error_;        // in place of the request
  bool answered_ = false, tunnel_ = false, gone_ = false;
};

}  // namespace cmux::socks
