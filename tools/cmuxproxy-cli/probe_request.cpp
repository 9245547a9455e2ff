#include "probe_request.hpp"

#include <fmt/format.h>

#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <boost/url.hpp>

#include "admin/http_socket.hpp"
#include "cli.hpp"
#include "http1/semantics.hpp"
#include "policy/credentials.hpp"
#include "probe_http2.hpp"
#include "probe_socks.hpp"
#include "tls/client.hpp"

namespace cmux::cli {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
namespace ssl = boost::asio::ssl;

constexpr milliseconds kConnectTime{10'000}, kResponseTime{120'000}, kEchoTime{5'000}, kGoodbyeTime{1'000};
constexpr std::size_t kMostMessage = 64 * 1024;
constexpr std::string_view kEchoText = "cmuxproxy probe";

using Request = http::request<http::empty_body>;

std::chrono::microseconds since(Clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start);
}

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

std::string proxy_error_of(std::string_view status) {
  if (!status.starts_with("cmuxproxy")) return {};
  constexpr std::string_view kError = "error=";
  const std::size_t at = status.find(kError);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = status.substr(at + kError.size());
  return std::string(rest.substr(0, rest.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_")));
}

std::string printable_ascii(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c < 0x20 || c >= 0x7f) c = '?';
  return out;
}

namespace {

void note_head(const http::response_header<>& head, ProbeResult& result) {
  result.status = head.result_int();
  result.reason = printable_ascii(view(head.reason()));
  if (result.reason.empty()) result.reason = http1::reason_of(static_cast<std::uint16_t>(result.status));
  result.proxy_error = proxy_error_of(view(head["Proxy-Status"]));
}

// A -H replaces what is sent by itself.
template <class Fields>
void add_fields(Fields& fields, const ProbeRequest& request) {
  fields.set(http::field::user_agent, "cmuxproxy/" CMUXPROXY_VERSION);
  fields.set(http::field::accept, "*/*");
  for (const auto& [name, value] : request.headers) fields.set(name, value);
}

Error late(std::string_view what, milliseconds limit) {
  return make_error(Errc::timeout, fmt::format("{} in {} s", what, limit.count() / 1000));
}

template <class Stream>
Task<Result<void>> read_head(admin::HttpResponse<Stream>& response, bool bodiless) {
  auto head = co_await response.read_head(bodiless);
  if (!head && head.error().code == Errc::timeout) co_return late("no response", kResponseTime);
  co_return head;
}

}  // namespace

ProbeUrl parse_probe_url(const std::string& text, bool& websocket) {
  const std::string whole = text.find("://") == std::string::npos ? "http://" + text : text;
  const auto parsed = boost::urls::parse_uri(whole);
  if (!parsed) throw Exit{kUsage, fmt::format("'{}' is no URL", text)};
  ProbeUrl url;
  url.scheme = net::to_lower({parsed->scheme().data(), parsed->scheme().size()});
  if (url.scheme == "ws" || url.scheme == "wss") {
    websocket = true;
    url.scheme.replace(0, 2, "http");
  }
  if (url.scheme != "http" && url.scheme != "https") throw Exit{kUsage, fmt::format("'{}': only http, https, ws and wss", text)};
  if (parsed->has_userinfo()) throw Exit{kUsage, "the URL must not hold a password; use -H 'Authorization: …'"};
  const auto host_port = parsed->encoded_host_and_port();
  url.authority.assign(host_port.data(), host_port.size());
  const auto checked = net::parse_authority(url.authority);
  if (!checked) throw Exit{kUsage, fmt::format("'{}': {}", text, checked.error().detail)};
  const auto target = parsed->encoded_target();
  url.path.assign(target.data(), target.size());
  if (!url.path.starts_with('/')) url.path.insert(0, "/");
  return url;
}

struct ProbeClient::Connection {
  admin::HttpSocket socket{Loop::current().context()};
  std::unique_ptr<tls::ClientContext> context;  // outlives `tls`
  std::optional<ssl::stream<admin::HttpSocket&>> tls;
  beast::flat_buffer buffer;
  bool keeps_alive = false;
};

ProbeClient::ProbeClient(ProbeRequest request) : request_(std::move(request)) {}
ProbeClient::~ProbeClient() = default;

void ProbeClient::cancel() {
  cancelled_ = true;
  if (http2_) http2_->cancel();
  if (connection_) connection_->socket.close();
}

Task<void> ProbeClient::end() {
  if (http2_) co_await http2_->end();
}

Task<ProbeResult> ProbeClient::send() {
  ProbeResult result;
  const auto start = Clock::now();
  if (request_.http2) {
    if (!http2_) http2_ = std::make_unique<ProbeHttp2>(request_);
    auto done = co_await http2_->send(result);
    result.total = since(start);
    if (!done) result.failure = done.error().detail.empty() ? std::string(name_of(done.error().code)) : done.error().detail;
    co_return result;
  }
  result.reused = connection_ && connection_->keeps_alive && admin::is_quiet(connection_->socket);
  Result<void> done;
  if (!result.reused) done = co_await open(result);
  if (done && !result.tunnel_failed) done = co_await exchange(result, start);
  result.total = since(start);
  if (!done) result.failure = done.error().detail.empty() ? std::string(name_of(done.error().code)) : done.error().detail;
  // A tunnel is for one request here: its own event comes when it ends.
  if (request_.connect || request_.websocket || !done) connection_.reset();
  co_return result;
}

Task<Result<void>> ProbeClient::open(ProbeResult& result) {
  connection_ = std::make_unique<Connection>();
  const auto start = Clock::now();
  auto connected = co_await admin::connect_to(connection_->socket, request_.proxy, kConnectTime);
  if (!connected) co_return connected;
  result.connect = since(start);
  if (cancelled_) co_return make_error(Errc::cancelled, "interrupted");
  if (request_.connect || request_.websocket) co_return co_await open_tunnel(result);
  co_return connected;
}

Task<Result<void>> ProbeClient::open_tunnel(ProbeResult& result) {
  auto authority = net::parse_authority(request_.url.authority);
  if (!authority) co_return authority.error();
  if (!authority->port) authority->port = request_.url.scheme == "https" ? std::uint16_t{443} : std::uint16_t{80};
  const std::string target = authority->text();
  if (request_.socks) {
    connection_->socket.expires_after(kResponseTime);
    auto opened = co_await open_socks(connection_->socket, *authority, request_.username, request_.password);
    result.tunnel_failed = !opened;
    if (opened && request_.url.scheme == "https") co_return co_await secure(authority->host, target);
    co_return opened;
  }
  Request request(http::verb::connect, target, 11);
  request.set(http::field::host, target);
  request.set(http::field::proxy_authorization, policy::basic_value(request_.username, request_.password));
  connection_->socket.expires_after(kResponseTime);
  const auto [failed, count] = co_await http::async_write(connection_->socket, request, awaited);
  if (failed) co_return admin::to_error(failed, "write");
  admin::HttpResponse<admin::HttpSocket> response(connection_->socket, connection_->buffer);
  auto head = co_await read_head(response, true);
  if (!head) co_return head;
  if (http::to_status_class(response.head().result()) != http::status_class::successful) {
    note_head(response.head(), result);
    result.tunnel_failed = true;
    co_return head;
  }
  if (connection_->buffer.size() > 0) co_return make_error(Errc::malformed, "the far end spoke before it was asked");
  if (request_.url.scheme == "https") co_return co_await secure(authority->host, target);
  co_return head;
}

// As a browser that trusts the local CA besides the system's.
Task<Result<void>> ProbeClient::secure(const std::string& host, const std::string& authority) {
  auto made = tls::ClientContext::create({request_.ca_file, false});
  if (!made) co_return made.error();
  connection_->context = std::move(*made);
  auto& tls = connection_->tls.emplace(connection_->socket, connection_->context->make(host, authority, "\x08http/1.1"));
  connection_->socket.expires_after(kConnectTime);
  const auto failed = co_await tls.async_handshake(ssl::stream_base::client, awaited);
  if (!failed) co_return Result<void>{};
  if (failed == beast::error::timeout) co_return late("no TLS handshake", kConnectTime);
  if (failed == boost::asio::error::eof || failed == ssl::error::stream_truncated)
    co_return make_error(Errc::tls, "connection closed during the TLS handshake");
  if (const long verdict = SSL_get_verify_result(tls.native_handle()); verdict != X509_V_OK)
    co_return make_error(Errc::certificate, X509_verify_cert_error_string(verdict));
  co_return make_error(Errc::tls, failed.message());
}

Task<Result<void>> ProbeClient::exchange(ProbeResult& result, Clock::time_point start) {
  if (request_.websocket && connection_->tls) return open_websocket(*connection_->tls, result, start);
  if (request_.websocket) return open_websocket(connection_->socket, result, start);
  if (connection_->tls) return fetch(*connection_->tls, result, start);
  return fetch(connection_->socket, result, start);
}

template <class Stream>
Task<Result<void>> ProbeClient::fetch(Stream& stream, ProbeResult& result, Clock::time_point start) {
  Request request;
  request.method_string(request_.method);
  request.target(request_.connect ? request_.url.path : request_.url.text());
  request.set(http::field::host, request_.url.authority);
  if (!request_.connect) request.set(http::field::proxy_authorization, policy::basic_value(request_.username, request_.password));
  add_fields(request, request_);
  if (request.method() == http::verb::post || request.method() == http::verb::put || request.method() == http::verb::patch)
    request.content_length(0);  // RFC 9110 section 8.6
  admin::HttpSocket& socket = connection_->socket;
  connection_->keeps_alive = false;
  socket.expires_after(kResponseTime);
  const auto [failed, count] = co_await http::async_write(stream, request, awaited);
  if (failed) co_return admin::to_error(failed, "write");
  admin::HttpResponse<Stream> response(stream, connection_->buffer);
  auto head = co_await read_head(response, request.method() == http::verb::head);
  if (!head) co_return head;
  result.first_byte = since(start);
  note_head(response.head(), result);
  while (true) {
    socket.expires_after(kResponseTime);
    auto piece = co_await response.read_body();
    if (!piece) co_return piece.error();
    if (piece->empty()) break;
    result.bytes += piece->size();
  }
  connection_->keeps_alive = response.keeps_alive();
  co_return head;
}

// Sends a text and looks for it among what comes back: some servers greet first, some never echo, and both are fine.
template <class Stream>
Task<Result<void>> ProbeClient::open_websocket(Stream& stream, ProbeResult& result, Clock::time_point start) {
  websocket::stream<Stream&, false> far(stream);
  far.read_message_max(kMostMessage);
  far.set_option(websocket::stream_base::decorator([this](websocket::request_type& request) { add_fields(request, request_); }));
  admin::HttpSocket& socket = connection_->socket;
  socket.expires_after(kResponseTime);
  websocket::response_type response;
  const auto refused = co_await far.async_handshake(response, request_.url.authority, request_.url.path, awaited);
  if (refused == beast::error::timeout) co_return late("no response", kResponseTime);
  if (refused && refused != websocket::error::upgrade_declined) co_return admin::to_error(refused, "WebSocket handshake");
  result.first_byte = since(start);
  note_head(response, result);
  result.bytes = response.body().size();
  if (refused) co_return Result<void>{};
  result.echoed = false;
  socket.expires_after(kEchoTime);
  const auto [unsent, sent] = co_await far.async_write(boost::asio::buffer(kEchoText), awaited);
  if (unsent) co_return admin::to_error(unsent, "write");
  while (!*result.echoed) {
    beast::flat_buffer message;
    const auto [failed, count] = co_await far.async_read(message, awaited);
    if (failed) co_return Result<void>{};
    result.bytes += count;
    const std::string_view text(static_cast<const char*>(message.cdata().data()), count);
    result.echoed = far.got_text() && text.find(kEchoText) != std::string_view::npos;
  }
  // Nobody waits long for a far end that does not close.
  Deadline goodbye([](void* open) { static_cast<admin::HttpSocket*>(open)->close(); }, &socket);
  goodbye.after(kGoodbyeTime);
  co_await far.async_close(websocket::close_code::normal, awaited);
  co_return Result<void>{};
}

}  // namespace cmux::cli
