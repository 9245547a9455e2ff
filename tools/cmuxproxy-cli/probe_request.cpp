#include "probe_request.hpp"

#include <fmt/format.h>

#include <boost/url.hpp>

#include "admin/client.hpp"
#include "cli.hpp"
#include "net/tls_transport.hpp"
#include "policy/credentials.hpp"
#include "websocket.hpp"

namespace cmux::cli {
namespace {

constexpr milliseconds kConnectTime{10'000}, kEchoTime{5'000};
constexpr std::string_view kEchoText = "cmuxproxy probe";

std::chrono::microseconds since(Clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start);
}

// "cmuxproxy; error=dns_error; details=…": the error's name, where the proxy made the response (RFC 9209).
std::string proxy_error_of(const http::Head& head) {
  const std::string_view value = head.fields.get(http::Name::proxy_status).value_or("");
  if (!value.starts_with("cmuxproxy")) return {};
  constexpr std::string_view kError = "error=";
  const std::size_t at = value.find(kError);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = value.substr(at + kError.size());
  return std::string(rest.substr(0, rest.find_first_of("; ")));
}

void note_head(const http::Head& head, ProbeResult& result) {
  result.status = head.status;
  result.reason = head.reason.empty() ? std::string(http1::reason_of(head.status)) : head.reason;
  result.proxy_error = proxy_error_of(head);
}

Task<Result<http::Head*>> read_final_head(http::Stream& stream) {
  while (true) {
    auto head = co_await stream.read_head();
    if (!head || !(*head)->is_interim()) co_return head;
  }
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

void ProbeClient::cancel() {
  cancelled_ = true;
  if (connection_) connection_->reset(Errc::cancelled);
}

Task<ProbeResult> ProbeClient::send() {
  ProbeResult result;
  const auto start = Clock::now();
  result.reused = connection_ && connection_->reusable();
  Result<void> done;
  if (!result.reused) done = co_await open(result);
  if (done && result.status == 0) done = co_await exchange(result, start);
  result.total = since(start);
  if (!done) result.failure = done.error().detail.empty() ? std::string(name_of(done.error().code)) : done.error().detail;
  // A tunnel is for one request here: its own event comes when it ends.
  if (request_.connect || request_.websocket || !done) connection_.reset();
  co_return result;
}

Task<Result<void>> ProbeClient::open(ProbeResult& result) {
  connection_.reset();
  const auto start = Clock::now();
  auto transport = co_await admin::connect_to(request_.proxy, kConnectTime);
  if (!transport) co_return transport.error();
  result.connect = since(start);
  if (cancelled_) co_return make_error(Errc::cancelled, "interrupted");
  connection_ = std::make_unique<http1::ClientConnection>(std::move(*transport), options_);
  if (request_.connect || request_.websocket) co_return co_await open_tunnel(result);
  co_return Result<void>{};
}

Task<Result<void>> ProbeClient::open_tunnel(ProbeResult& result) {
  auto authority = net::parse_authority(request_.url.authority);
  if (!authority) co_return authority.error();
  if (!authority->port) authority->port = request_.url.scheme == "https" ? std::uint16_t{443} : std::uint16_t{80};
  http::Head head;
  head.method = "CONNECT";
  head.authority = authority->text();
  head.end = true;
  head.fields.add(http::Name::proxy_authorization, policy::basic_value(request_.username, request_.password));
  auto written = co_await connection_->write_head(head, http::Next::end);
  if (!written) co_return written;
  auto answer = co_await read_final_head(*connection_);
  if (!answer) co_return answer.error();
  if (!(*answer)->tunnel) {
    note_head(**answer, result);
    result.tunnel_failed = true;
    co_return Result<void>{};
  }
  auto inner = connection_->into_transport();
  connection_.reset();
  if (request_.url.scheme == "https") {
    auto secured = co_await secure(std::move(inner), *authority);
    if (!secured) co_return secured.error();
    inner = std::move(*secured);
  }
  connection_ = std::make_unique<http1::ClientConnection>(std::move(inner), options_);
  co_return Result<void>{};
}

// As a browser that trusts the local CA besides the system's.
Task<Result<std::unique_ptr<net::Transport>>> ProbeClient::secure(std::unique_ptr<net::Transport> tunnel,
                                                                  const net::Authority& authority) {
  auto made = tls::ClientContext::create({request_.ca_file, false});
  if (!made) co_return made.error();
  tls_ = std::move(*made);
  auto secured =
      std::make_unique<net::TlsTransport>(std::move(tunnel), tls_->make(authority.host, authority.text(), "\x08http/1.1"));
  Deadline late(
      [](void* open) { static_cast<net::Transport*>(open)->abort(make_error(Errc::timeout, "no TLS handshake in 10 s")); },
      secured.get());
  late.after(kConnectTime);
  auto done = co_await secured->handshake();
  if (!done) co_return done.error();
  co_return std::unique_ptr<net::Transport>(std::move(secured));
}

http::Head ProbeClient::make_head() const {
  http::Head head;
  const bool tunnelled = request_.connect || request_.websocket;
  head.method = request_.websocket ? "CONNECT" : request_.method;
  if (request_.websocket) head.protocol = "websocket";
  head.scheme = request_.url.scheme;
  head.authority = request_.url.authority;
  head.path = tunnelled ? request_.url.path : request_.url.text();
  if (!tunnelled) head.fields.add(http::Name::proxy_authorization, policy::basic_value(request_.username, request_.password));
  head.fields.add("User-Agent", "cmuxproxy/" CMUXPROXY_VERSION);
  head.fields.add(http::Name::accept, "*/*");
  if (request_.websocket) head.fields.add(http::Name::sec_websocket_version, "13");
  for (const auto& [name, value] : request_.headers) {
    if (http::name_of(name) == http::Name::host) head.authority = value;
    else head.fields.set(name, value);
  }
  head.end = true;
  return head;
}

Task<Result<void>> ProbeClient::exchange(ProbeResult& result, Clock::time_point start) {
  const http::Head request = make_head();
  auto written = co_await connection_->write_head(request, http::Next::end);
  if (!written) co_return written;
  auto head = co_await read_final_head(*connection_);
  if (!head) co_return head.error();
  result.first_byte = since(start);
  note_head(**head, result);
  if ((*head)->tunnel) co_return co_await try_echo(result);
  bool end = (*head)->end;
  while (!end) {
    auto piece = co_await connection_->read_body();
    if (!piece) co_return piece.error();
    result.bytes += piece->bytes.size();
    end = piece->end;
  }
  co_return Result<void>{};
}

// Sends a text and looks for it among what comes back: some servers greet first, some never echo, and both are fine.
Task<Result<void>> ProbeClient::try_echo(ProbeResult& result) {
  result.echoed = false;
  const std::string text = client_frame(Opcode::text, kEchoText);
  auto written = co_await connection_->write_body(text, http::Next::later, nullptr);
  if (!written) co_return written;
  Deadline late([](void* self) { static_cast<http1::ClientConnection*>(self)->reset(Errc::timeout); }, connection_.get());
  late.after(kEchoTime);
  std::string bytes;
  bool bad = false;
  while (!*result.echoed && !bad) {
    auto piece = co_await connection_->read_body();
    if (!piece && !cancelled_) co_return Result<void>{};
    if (!piece) co_return piece.error();
    bytes += piece->bytes;
    result.bytes += piece->bytes.size();
    while (const auto frame = take_frame(bytes, bad))
      if (frame->opcode == static_cast<std::uint8_t>(Opcode::text) && frame->payload.find(kEchoText) != std::string::npos)
        result.echoed = true;
    if (piece->end) break;
  }
  const std::string goodbye = client_frame(Opcode::close, "\x03\xe8");  // 1000: normal closure
  co_await connection_->write_body(goodbye, http::Next::later, nullptr);
  co_return Result<void>{};
}

}  // namespace cmux::cli
