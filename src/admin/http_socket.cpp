#include "admin/http_socket.hpp"

#include <fmt/format.h>

#include <boost/asio/ip/tcp.hpp>

#include "net/address.hpp"
#include "net/socket.hpp"

namespace cmux::admin {
namespace {

namespace http = boost::beast::http;
using boost::system::error_code;

Result<net::Endpoint> parse_address(std::string_view where) {
  if (where.starts_with("http://")) where.remove_prefix(7);
  if (where.starts_with("unix:")) return net::Endpoint::from_unix(where.substr(5));
  const auto parsed = net::parse_authority(where);
  const auto endpoint = parsed && parsed->port ? net::Endpoint::from_ip(parsed->host, *parsed->port) : std::nullopt;
  if (!endpoint) return make_error(Errc::config, fmt::format("'{}' is no address", where));
  return *endpoint;
}

}  // namespace

Task<Result<void>> connect_to(HttpSocket& socket, std::string address, milliseconds timeout) {
  const auto endpoint = parse_address(address);
  if (!endpoint) co_return endpoint.error();
  // Our own sockets are closed on exec, Asio's are not.
  auto opened = net::Socket::open(endpoint->storage.ss_family);
  if (!opened) co_return opened.error();
  const boost::asio::generic::stream_protocol::endpoint to(&endpoint->storage, endpoint->size);
  error_code failed;
  socket.socket().assign(to.protocol(), opened->get(), failed);
  if (failed) co_return to_error(failed, "socket");
  opened->release();
  socket.socket().non_blocking(true, failed);  // for is_quiet()
  if (!endpoint->is_unix()) socket.socket().set_option(boost::asio::ip::tcp::no_delay(true), failed);
  socket.expires_after(timeout);
  failed = co_await socket.async_connect(to, awaited);
  const std::string doing = "connect to " + endpoint->text();
  if (failed == boost::beast::error::timeout)
    co_return make_error(Errc::connect_timeout, fmt::format("{}: no answer in {} s", doing, timeout.count() / 1000.0));
  if (failed) co_return to_error(failed, doing);
  co_return Result<void>{};
}

bool is_quiet(HttpSocket& socket) {
  char byte = 0;
  error_code failed;
  socket.socket().receive(boost::asio::buffer(&byte, 1), boost::asio::socket_base::message_peek, failed);
  return failed == boost::asio::error::would_block;
}

Error to_error(error_code failed, std::string_view doing) {
  if (failed == boost::beast::error::timeout) return make_error(Errc::timeout, "no answer in time");
  if (failed == http::error::end_of_stream) return make_error(Errc::closed, "connection closed without a response");
  if (failed == http::error::partial_message) return make_error(Errc::closed, "the connection ended within a response");
  if (failed == boost::asio::error::eof) return make_error(Errc::closed, "connection closed");
  if (failed == boost::asio::error::operation_aborted) return make_error(Errc::cancelled, "given up");
  if (failed == http::error::header_limit || failed == http::error::buffer_overflow)
    return make_error(Errc::too_large, "the response header is too large");
  if (failed.category() == boost::system::system_category()) return from_errno(failed.value(), doing);
  return make_error(Errc::malformed, fmt::format("{}: {}", doing, failed.message()));
}

}  // namespace cmux::admin
