#include "socks/server.hpp"

#include <utility>

#include "net/linger.hpp"
#include "socks/receive.hpp"

namespace cmux::socks {
namespace {

Error refused(std::uint16_t status, std::string detail) {
  return Error{Errc::malformed, Side::downstream, false, status, std::move(detail)};
}

}  // namespace

ServerStream::ServerStream(std::unique_ptr<net::Transport> transport, milliseconds send_timeout, Check check)
    : transport_(*transport), send_timeout_(send_timeout), raw_(std::move(transport), send_timeout), check_(std::move(check)) {}

template <class Message>
Task<Result<Message>> ServerStream::receive(Result<std::size_t> (*parse)(std::string_view, Message&)) {
  Message message;
  auto received = co_await socks::receive(transport_, in_, parse, message);
  if constexpr (std::is_same_v<Message, Request>) refusal_ = message.refusal;
  if (received) co_return message;
  gone_ = received.error().side != Side::downstream;
  co_return received.error();
}

Task<Result<void>> ServerStream::say(std::string text) { co_return co_await net::write_all(transport_, send_timeout_, text); }

Task<void> ServerStream::negotiate() {
  auto done = co_await agree();
  if (done) done = co_await take_request();
  if (!done) error_ = done.error();
  // Clients need not wait for the reply to go on.
  if (!in_.empty()) transport_.unread(in_.view());
  in_.release();
}

Task<Result<void>> ServerStream::agree() {
  const auto greeting = co_await receive(&parse_greeting);
  if (!greeting && !gone_) {
    answered_ = true;
    co_await say(other_version_text(in_.view().front()));
  }
  if (!greeting) co_return greeting.error();
  const bool asks = check_ != nullptr;
  const std::uint8_t method = !asks && greeting->none ? kMethodNone : greeting->password ? kMethodPassword : kNoMethod;
  auto said = co_await say(method_text(method));
  if (!said) co_return make_error(Errc::closed);
  if (method == kMethodPassword) co_return co_await ask_who();
  if (method == kMethodNone) co_return Result<void>{};
  answered_ = true;
  if (asks) co_return refused(407, "SOCKS: the client shows no user name and password");
  co_return refused(400, "SOCKS: the client knows none of the methods 0 (none) and 2 (user name and password)");
}

Task<Result<void>> ServerStream::ask_who() {
  const auto login = co_await receive(&parse_login);
  const bool good = login && (!check_ || check_(*login));
  if (gone_) co_return login.error();
  auto said = co_await say(login_text(good));
  if (!said) co_return make_error(Errc::closed);
  answered_ = !good;
  if (!login) co_return login.error();
  if (!good) co_return refused(407, "SOCKS: wrong user name or password");
  co_return Result<void>{};
}

Task<Result<void>> ServerStream::take_request() {
  const auto request = co_await receive(&parse_request);
  if (!request) co_return request.error();
  request_.method = "CONNECT";
  request_.authority = request->target.text();
  request_.end = true;
  co_return Result<void>{};
}

Task<Result<http::Head*>> ServerStream::read_head() {
  if (error_) co_return *error_;
  co_return &request_;
}

Task<Result<void>> ServerStream::write_head(const http::Head& head, http::Next) {
  if (std::exchange(answered_, true)) co_return Result<void>{};
  tunnel_ = head.tunnel;
  co_return co_await say(reply_text(refusal_ != Reply::succeeded ? refusal_ : reply_of(head)));
}

Task<Result<void>> ServerStream::write_body(std::string_view bytes, http::Next next, const http::Fields* trailers) {
  if (!tunnel_) co_return Result<void>{};
  co_return co_await raw_.write_body(bytes, next, trailers);
}

std::unique_ptr<net::Transport> ServerStream::into_transport() {
  gone_ = true;
  return raw_.into_transport();
}

Task<void> ServerStream::finish() {
  if (!gone_ && !tunnel_ && answered_) co_await net::linger(transport_, in_);
}

}  // namespace cmux::socks
