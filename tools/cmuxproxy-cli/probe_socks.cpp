#include "probe_socks.hpp"

#include <fmt/format.h>

#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "socks/messages.hpp"

namespace cmux::cli {
namespace {

namespace asio = boost::asio;
using socks::Reply;

std::string counted(std::string_view text) { return static_cast<char>(text.size()) + std::string(text); }

std::string request_text(const net::Authority& target) {
  const std::uint16_t port = *target.port;
  return std::string{socks::kVersion, 1, 0, 3} + counted(target.host) + static_cast<char>(port >> 8) +
         static_cast<char>(port & 0xff);
}

std::string_view meaning(Reply reply) {
  switch (reply) {
    case Reply::succeeded: break;
    case Reply::general_failure: return "general failure";
    case Reply::not_allowed: return "not allowed";
    case Reply::network_unreachable: return "network unreachable";
    case Reply::host_unreachable: return "host unreachable";
    case Reply::refused: return "connection refused";
    case Reply::ttl_expired: return "no answer in time";
    case Reply::command_unsupported: return "command not supported";
    case Reply::address_unsupported: return "address type not supported";
  }
  return "of no known meaning";
}

// Says something, and hears an answer of that many bytes.
Task<Result<std::string>> ask(admin::HttpSocket& socket, std::string text, std::size_t size) {
  const auto [unsent, sent] = co_await asio::async_write(socket, asio::buffer(text), awaited);
  if (unsent) co_return admin::to_error(unsent, "write");
  std::string answer(size, '\0');
  const auto [failed, count] = co_await asio::async_read(socket, asio::buffer(answer), awaited);
  if (failed) co_return admin::to_error(failed, "read");
  co_return answer;
}

}  // namespace

Task<Result<void>> open_socks(admin::HttpSocket& socket, const net::Authority& target, const std::string& username,
                              const std::string& password) {
  std::string greeting{socks::kVersion, 2, 0, 2};  // no credentials, or these
  auto answer = co_await ask(socket, std::move(greeting), 2);
  if (answer && *answer == socks::method_text(2)) {
    std::string login = '\x01' + counted(username) + counted(password);
    answer = co_await ask(socket, std::move(login), 2);
    if (answer && *answer != socks::login_text(true)) co_return make_error(Errc::refused, "SOCKS: the credentials are refused");
  } else if (answer && *answer != socks::method_text(0)) {
    co_return make_error(Errc::malformed, "SOCKS: the proxy takes neither method 0 nor 2");
  }
  std::string request = request_text(target);
  if (answer) answer = co_await ask(socket, std::move(request), socks::reply_text(Reply::succeeded).size());
  if (!answer) co_return answer.error();
  const auto reply = static_cast<Reply>((*answer)[1]);
  if (reply == Reply::succeeded) co_return Result<void>{};
  co_return make_error(Errc::refused, fmt::format("SOCKS reply {}: {}", static_cast<int>(reply), meaning(reply)));
}

}  // namespace cmux::cli
