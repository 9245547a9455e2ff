#include "socks/client.hpp"

#include <fmt/format.h>

#include "socks/receive.hpp"

namespace cmux::socks {
namespace {

Error refusal_of(Reply reply) {
  const auto refused = [](Errc code, std::string_view what) {
    return Error{code, Side::upstream, false, 0, fmt::format("it answered: {}", what)};
  };
  switch (reply) {
    case Reply::not_allowed: return refused(Errc::refused, "not allowed by its rules (2)");
    case Reply::network_unreachable: return refused(Errc::unreachable, "network unreachable (3)");
    case Reply::host_unreachable: return refused(Errc::unreachable, "host unreachable (4)");
    case Reply::refused: return refused(Errc::refused, "connection refused (5)");
    case Reply::ttl_expired: return refused(Errc::connect_timeout, "no answer in time (6)");
    default: return refused(Errc::refused, fmt::format("it cannot be connected to ({})", static_cast<unsigned>(reply)));
  }
}

Task<Result<void>> agree(net::Transport& transport, Buffer& in, const Login* login, milliseconds send_timeout) {
  const std::string greeting = greeting_text(login != nullptr);
  auto sent = co_await net::write_all(transport, send_timeout, greeting);
  if (!sent) co_return sent;
  std::uint8_t method = kNoMethod;
  auto received = co_await receive(transport, in, &parse_method, method);
  if (!received) co_return received;
  if (method == kMethodNone) co_return Result<void>{};
  if (method != kMethodPassword || !login)
    co_return Error{Errc::config, Side::upstream, false, 0,
                    login ? "it takes no user and password" : "it wants to know who asks: give a user and password"};
  const std::string shown = login_request_text(*login);
  sent = co_await net::write_all(transport, send_timeout, shown);
  if (!sent) co_return sent;
  bool good = false;
  received = co_await receive(transport, in, &parse_login_reply, good);
  if (!received) co_return received;
  if (!good) co_return Error{Errc::config, Side::upstream, false, 0, "it refuses the user and password"};
  co_return Result<void>{};
}

}  // namespace

Task<Result<void>> connect(net::Transport& transport, net::Authority target, const Login* login, milliseconds send_timeout) {
  Buffer in;
  auto done = co_await agree(transport, in, login, send_timeout);
  if (!done) co_return done;
  const std::string request = request_text(target);
  done = co_await net::write_all(transport, send_timeout, request);
  if (!done) co_return done;
  Reply reply = Reply::general_failure;
  done = co_await receive(transport, in, &parse_reply, reply);
  if (!done) co_return done;
  if (reply != Reply::succeeded) co_return refusal_of(reply);
  if (!in.empty()) transport.unread(in.view());
  co_return Result<void>{};
}

}  // namespace cmux::socks
