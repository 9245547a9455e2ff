#include "proxy/reply.hpp"

#include <boost/json.hpp>

#include <fmt/format.h>

#include "http1/semantics.hpp"
#include "proxy/waiting_page.hpp"

namespace cmux::proxy {
namespace {

// A quoted string of RFC 8941 section 3.3.3: visible ASCII.
std::string structured_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c >= 0x20 && c < 0x7f ? c : '?';
  }
  return out + '"';
}

bool wants_json(const http::Head* request) {
  if (!request) return false;
  const auto accept = request->fields.get(http::Name::accept);
  return accept && accept->find("json") != std::string_view::npos;
}

bool is_denial(std::uint16_t status) { return status == 401 || status == 403 || status == 407; }

}  // namespace

Refusal refusal_of(const Error& error) {
  const auto status = [&](std::uint16_t usual) { return error.status != 0 ? error.status : usual; };
  if (error.side == Side::downstream || error.side == Side::local) {
    switch (error.code) {
      case Errc::loop: return {508, "proxy_loop_detected", error.detail};
      case Errc::limit: return {503, "connection_limit_reached", error.detail};
      case Errc::timeout: return {status(408), "http_request_error", error.detail};
      case Errc::unsupported: return {status(501), "http_request_error", error.detail};
      case Errc::system: return {503, "proxy_internal_error", error.detail};
      default: return {status(400), is_denial(error.status) ? "http_request_denied" : "http_request_error", error.detail};
    }
  }
  switch (error.code) {
    case Errc::refused: return {502, "connection_refused", error.detail};
    case Errc::unreachable: return {502, "destination_ip_unroutable", error.detail};
    case Errc::dns: return {502, "dns_error", error.detail};
    case Errc::dns_timeout: return {504, "dns_timeout", error.detail};
    case Errc::connect_timeout: return {504, "connection_timeout", error.detail};
    case Errc::timeout: return {504, "http_response_timeout", error.detail};
    case Errc::tls: return {502, "tls_protocol_error", error.detail};
    case Errc::certificate: return {502, "tls_certificate_error", error.detail};
    case Errc::closed:
    case Errc::reset: return {502, "connection_terminated", error.detail};
    case Errc::malformed: return {502, "http_protocol_error", error.detail};
    case Errc::too_large: return {502, "http_response_header_section_size", error.detail};
    case Errc::loop: return {508, "proxy_loop_detected", error.detail};
    case Errc::limit: return {503, "connection_limit_reached", error.detail};
    case Errc::busy: return {503, "destination_unavailable", error.detail};
    case Errc::cancelled: return {503, "connection_terminated", error.detail};
    case Errc::unsupported: return {501, "http_request_error", error.detail};
    case Errc::config: return {502, "proxy_configuration_error", error.detail};
    case Errc::system: return {status(502), "proxy_internal_error", error.detail};
  }
  return {502, "proxy_internal_error", error.detail};
}

OwnAnswer answer_to(const http::Head* request, const Refusal& refusal) {
  const std::string_view title = http1::reason_of(refusal.status);
  OwnAnswer out;
  auto& [head, body] = out;
  head.status = refusal.status;
  // Not for what waiting does not mend.
  const bool waits = request && refusal.status >= 502 && refusal.status <= 504 && is_navigation(*request);
  if (refusal.status == 407) { head.fields.add(http::Name::proxy_authenticate, "Basic realm=\"Cmux Preview Proxy\""); }
  if (refusal.status == 401) head.fields.add("WWW-Authenticate", "Bearer realm=\"cmuxproxy\"");
  if (waits) {
    body = waiting_page(refusal, request->method);
    head.fields.add(http::Name::content_type, "text/html; charset=utf-8");
    head.fields.add("Content-Security-Policy", waiting_page_policy());
    head.fields.add("X-Content-Type-Options", "nosniff");
    head.fields.add("Cross-Origin-Resource-Policy", "same-origin");
    head.fields.add("Referrer-Policy", "no-referrer");
  } else if (wants_json(request)) {
    boost::json::object problem;
    problem["type"] = "about:blank";
    problem["title"] = std::string(title);
    problem["status"] = refusal.status;
    problem["detail"] = refusal.detail;
    problem["error"] = std::string(refusal.error);
    body = boost::json::serialize(problem);
    head.fields.add(http::Name::content_type, "application/problem+json");
  } else {
    body = refusal.status == 407 ? std::string(title) : fmt::format("{}: {}\n", title, refusal.detail);
    head.fields.add(http::Name::content_type, "text/plain; charset=utf-8");
  }
  std::string status = fmt::format("cmuxproxy; error={}", refusal.error);
  if (!refusal.detail.empty()) status += "; details=" + structured_string(refusal.detail);
  head.fields.add(http::Name::proxy_status, status);
  head.fields.add("Cache-Control", "no-store");
  if (refusal.status == 503 || waits) head.fields.add("Retry-After", "1");
  head.content_length = body.size();
  return out;
}

Task<Result<void>> send(http::Stream& stream, const http::Head* request, const OwnAnswer& own) {
  if (request && request->method == "HEAD") co_return co_await stream.write_head(own.head, http::Next::end);
  auto written = co_await stream.write_head(own.head, http::Next::soon);
  if (!written) co_return written;
  co_return co_await stream.write_body(own.body, http::Next::end);
}

}  // namespace cmux::proxy
