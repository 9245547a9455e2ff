#include "probe_http2.hpp"

#include "app/setting_values.hpp"
#include "http1/semantics.hpp"
#include "net/dial.hpp"
#include "policy/credentials.hpp"

namespace cmux::cli {
namespace {

constexpr milliseconds kConnectTime{10'000}, kResponseTime{120'000};

std::chrono::microseconds since(Clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start);
}

http::Head head_of(const ProbeRequest& request) {
  http::Head head;
  head.method = request.method;
  head.scheme = request.url.scheme;
  head.authority = request.url.authority;
  head.path = request.url.path;
  head.end = true;
  head.fields.set(http::Name::proxy_authorization, policy::basic_value(request.username, request.password), true);
  head.fields.set("user-agent", "cmuxproxy/" CMUXPROXY_VERSION);
  head.fields.set("accept", "*/*");
  for (const auto& [name, value] : request.headers) head.fields.set(net::to_lower(name), value);
  return head;
}

}  // namespace

Task<Result<void>> ProbeHttp2::connect(ProbeResult& result) {
  const auto at = app::parse_tcp_endpoint(request_.proxy);
  if (!at) co_return at.error();
  const auto start = Clock::now();
  auto socket = co_await net::dial(*at, kConnectTime);
  if (!socket) co_return socket.error();
  result.connect = since(start);
  options_.response_timeout = kResponseTime;
  options_.idle_timeout = milliseconds(0);
  connection_ = std::make_unique<http2::ClientConnection>(
      std::move(*socket), options_, [](void*) {}, nullptr);
  scope_.spawn(connection_->run());
  co_return Result<void>{};
}

Task<Result<void>> ProbeHttp2::send(ProbeResult& result) {
  if (connection_ && connection_->spent()) co_await end();
  result.reused = connection_ != nullptr;
  Result<void> done;
  if (!connection_) done = co_await connect(result);
  if (!done) co_return done;
  const std::unique_ptr<http2::Stream> stream = connection_->open();
  co_return co_await fetch(*stream, result);
}

Task<Result<void>> ProbeHttp2::fetch(http::Stream& stream, ProbeResult& result) {
  const auto start = Clock::now();
  const http::Head request = head_of(request_);
  auto sent = co_await stream.write_head(request, http::Next::end);
  if (!sent) co_return sent;
  auto head = co_await stream.read_head();
  while (head && (*head)->is_interim()) head = co_await stream.read_head();
  if (!head) co_return head.error();
  result.first_byte = since(start);
  result.status = (*head)->status;
  result.reason = http1::reason_of((*head)->status);
  result.proxy_error = proxy_error_of((*head)->fields.get(http::Name::proxy_status).value_or(""));
  bool ended = (*head)->end;
  while (!ended) {
    auto piece = co_await stream.read_body();
    if (!piece) co_return piece.error();
    result.bytes += piece->bytes.size();
    ended = piece->end;
  }
  co_return Result<void>{};
}

void ProbeHttp2::cancel() {
  if (connection_) connection_->close(make_error(Errc::cancelled, "interrupted"));
}

Task<void> ProbeHttp2::end() {
  if (connection_) connection_->close(make_error(Errc::cancelled, "done"));
  co_await scope_.join();
  connection_.reset();
}

}  // namespace cmux::cli
