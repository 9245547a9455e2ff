#include "proxy/reply.hpp"

#include <boost/json.hpp>
#include <catch2/catch.hpp>

#include "base/run.hpp"
#include "http/fake_stream.hpp"

using namespace cmux;
using namespace cmux::proxy;

namespace {

Task<void> write(http::Stream& stream, const http::Head* request, const Refusal& refusal) {
  const OwnAnswer own = answer_to(request, refusal);
  co_await send(stream, request, own);
}

struct Answer {
  std::uint16_t status;
  std::string type, proxy_status, body;
};

Answer answer(const Refusal& refusal, const http::Head* request, http::FakeStream& stream) {
  Loop loop;
  run(loop, write(stream, request, refusal));
  const auto& fields = stream.written_head.fields;
  CHECK(fields.get("cache-control") == "no-store");
  Answer out{stream.written_head.status, std::string(fields.get(http::Name::content_type).value_or("")),
             std::string(fields.get(http::Name::proxy_status).value_or("")), stream.written};
  if (out.body.starts_with('+')) out.body.erase(0, 1);
  if (out.body.ends_with('.')) out.body.pop_back();
  return out;
}

Answer answer(const Refusal& refusal, const http::Head* request = nullptr) {
  http::FakeStream stream;
  const Answer out = answer(refusal, request, stream);
  CHECK(stream.written_head.content_length == out.body.size());
  return out;
}

}  // namespace

TEST_CASE("errors become refusals") {
  struct Row {
    Side side;
    Errc code;
    std::uint16_t own, status;
    std::string_view error;
  };
  const Row rows[] = {
      {Side::downstream, Errc::malformed, 0, 400, "http_request_error"},
      {Side::downstream, Errc::malformed, 505, 505, "http_request_error"},
      {Side::downstream, Errc::malformed, 421, 421, "http_request_error"},
      {Side::downstream, Errc::too_large, 431, 431, "http_request_error"},
      {Side::downstream, Errc::too_large, 413, 413, "http_request_error"},
      {Side::downstream, Errc::timeout, 0, 408, "http_request_error"},
      {Side::downstream, Errc::unsupported, 0, 501, "http_request_error"},
      {Side::local, Errc::limit, 0, 503, "connection_limit_reached"},
      {Side::local, Errc::system, 0, 503, "proxy_internal_error"},
      {Side::local, Errc::loop, 0, 508, "proxy_loop_detected"},
      {Side::upstream, Errc::loop, 0, 508, "proxy_loop_detected"},
      {Side::upstream, Errc::refused, 0, 502, "connection_refused"},
      {Side::upstream, Errc::unreachable, 0, 502, "destination_ip_unroutable"},
      {Side::upstream, Errc::dns, 0, 502, "dns_error"},
      {Side::upstream, Errc::dns_timeout, 0, 504, "dns_timeout"},
      {Side::upstream, Errc::connect_timeout, 0, 504, "connection_timeout"},
      {Side::upstream, Errc::timeout, 504, 504, "http_response_timeout"},
      {Side::upstream, Errc::tls, 0, 502, "tls_protocol_error"},
      {Side::upstream, Errc::certificate, 0, 502, "tls_certificate_error"},
      {Side::upstream, Errc::closed, 0, 502, "connection_terminated"},
      {Side::upstream, Errc::reset, 0, 502, "connection_terminated"},
      {Side::upstream, Errc::malformed, 400, 502, "http_protocol_error"},  // the peer's fault is no fault of the client
      {Side::upstream, Errc::too_large, 431, 502, "http_response_header_section_size"},
      {Side::upstream, Errc::limit, 0, 503, "connection_limit_reached"},
      {Side::upstream, Errc::cancelled, 0, 503, "connection_terminated"},
      {Side::upstream, Errc::system, 0, 502, "proxy_internal_error"},
  };
  for (const Row& row : rows) {
    const Refusal refusal = refusal_of(Error{row.code, row.side, false, row.own, "why"});
    CAPTURE(name_of(row.code), static_cast<int>(row.side));
    CHECK(refusal.status == row.status);
    CHECK(refusal.error == row.error);
    CHECK(refusal.detail == "why");
  }
  for (int code = 0; code <= static_cast<int>(Errc::system); ++code)
    for (const Side side : {Side::local, Side::downstream, Side::upstream})
      CHECK(refusal_of(Error{static_cast<Errc>(code), side, false, 0, {}}).status >= 400);
}

TEST_CASE("answers are text, or problem+json for who asks for JSON") {
  const Refusal refusal{502, "connection_refused", "http://a:1: \"no\""};
  const Answer text = answer(refusal);
  CHECK(text.status == 502);
  CHECK(text.type == "text/plain; charset=utf-8");
  CHECK(text.body == "Bad Gateway: http://a:1: \"no\"\n");
  CHECK(text.proxy_status == "cmuxproxy; error=connection_refused; details=\"http://a:1: \\\"no\\\"\"");

  http::Head request;
  request.method = "GET";
  request.fields.add("Accept", "image/avif, */*");
  CHECK(answer(refusal, &request).type == "text/plain; charset=utf-8");
  request.fields.set("Accept", "application/json, text/html;q=0.9");
  const Answer json = answer(refusal, &request);
  CHECK(json.type == "application/problem+json");
  CHECK(json.proxy_status == text.proxy_status);
  const auto problem = boost::json::parse(json.body).as_object();
  CHECK(problem.at("status").as_int64() == 502);
  CHECK(problem.at("title").as_string() == "Bad Gateway");
  CHECK(problem.at("detail").as_string() == "http://a:1: \"no\"");
  CHECK(problem.at("error").as_string() == "connection_refused");
}

TEST_CASE("a 407 asks for credentials") {
  http::FakeStream stream;
  const Answer out = answer({407, "http_request_denied", ""}, nullptr, stream);
  CHECK(stream.written_head.fields.get(http::Name::proxy_authenticate) == "Basic realm=\"Cmux Preview Proxy\"");
  CHECK(out.body == "Proxy Authentication Required");
  CHECK(out.proxy_status == "cmuxproxy; error=http_request_denied");
}

TEST_CASE("Proxy-Status is visible ASCII, quoted") {
  CHECK(answer({400, "e", "a\\b\"c\r\nd\x7f\xc3\xa4"}).proxy_status == "cmuxproxy; error=e; details=\"a\\\\b\\\"c??d???\"");
}

TEST_CASE("an answer to HEAD has no body, but its length") {
  http::Head request;
  request.method = "HEAD";
  http::FakeStream stream;
  const Answer out = answer({504, "connection_timeout", "x"}, &request, stream);
  CHECK(out.body.empty());
  CHECK(stream.written_head.content_length == std::string_view("Gateway Timeout: x\n").size());
}
