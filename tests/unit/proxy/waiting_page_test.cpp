#include "proxy/waiting_page.hpp"

#include <catch2/catch.hpp>

#include "base/run.hpp"
#include "http/fake_stream.hpp"
#include "tls/digest.hpp"

using namespace cmux;
using namespace cmux::proxy;

namespace {

http::Head request(std::initializer_list<std::pair<std::string_view, std::string_view>> fields, std::string method = "GET") {
  http::Head head;
  head.method = std::move(method);
  for (const auto& [name, value] : fields) head.fields.add(name, value);
  return head;
}

Task<void> write(http::Stream& stream, const http::Head* to, const Refusal& refusal) {
  const OwnAnswer own = answer_to(to, refusal);
  co_await send(stream, to, own);
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

std::string between(std::string_view text, std::string_view begin, std::string_view end) {
  const std::size_t from = text.find(begin) + begin.size();
  return std::string(text.substr(from, text.find(end, from) - from));
}

}  // namespace

TEST_CASE("what a browser would show as a page is a navigation") {
  constexpr std::string_view kChromium = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
  CHECK(is_navigation(request({{"Sec-Fetch-Mode", "navigate"}})));
  CHECK(is_navigation(request({{"Accept", kChromium}})));
  CHECK(is_navigation(request({{"Accept", "text/html, application/json"}})));
  CHECK_FALSE(is_navigation(request({})));
  CHECK_FALSE(is_navigation(request({{"Accept", "*/*"}})));
  CHECK_FALSE(is_navigation(request({{"Accept", "application/json, text/html"}})));
  CHECK_FALSE(is_navigation(request({{"Sec-Fetch-Mode", "cors"}, {"Accept", kChromium}})));
  CHECK_FALSE(is_navigation(request({{"Sec-Fetch-Mode", "no-cors"}, {"Accept", kChromium}})));
}

TEST_CASE("the page that waits: for failures that may pass, and navigations alone") {
  const http::Head page = request({{"Sec-Fetch-Mode", "navigate"}}), call = request({{"Accept", "*/*"}});
  for (const std::uint16_t status : {400, 407, 421, 431, 501, 502, 503, 504, 508}) {
    CAPTURE(status);
    const Refusal refusal{status, "connection_refused", "nobody there", "localhost:3000"};
    const bool waits = status >= 502 && status <= 504;
    Loop loop;
    http::FakeStream shown, called;
    run(loop, write(shown, &page, refusal));
    CHECK(shown.written_head.status == status);
    CHECK(contains(*shown.written_head.fields.get(http::Name::content_type), "text/html") == waits);
    CHECK(shown.written_head.fields.get("retry-after").has_value() == waits);
    CHECK(shown.written_head.fields.get("content-security-policy").has_value() == waits);
    CHECK(shown.written_head.fields.contains(http::Name::proxy_status));
    run(loop, write(called, &call, refusal));
    CHECK(contains(*called.written_head.fields.get(http::Name::content_type), "text/plain"));
  }
}

TEST_CASE("the page that waits says what, where and what to do, and marks nothing up") {
  const Refusal refusal{502, "connection_refused", "connect to <script>alert(1)</script> & \"{{script}}\"", "localhost:3000"};
  const std::string page = waiting_page(refusal, "GET");
  CHECK(contains(page, "<title>Waiting for localhost:3000</title>"));
  CHECK(contains(page, "localhost:3000 does not answer</h1>"));
  CHECK(contains(page, "connect to &lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;{{script}}&quot;"));
  CHECK(contains(page, "is the workspace running"));
  CHECK(contains(page, "502 Bad Gateway"));
  CHECK(contains(page, "cmuxproxy probe http://localhost:3000/"));
  CHECK(
      contains(waiting_page({502, "connection_refused", "", "localhost:3443", "https"}, "GET"), "probe https://localhost:3443/"));
  CHECK(contains(page, "http-equiv=\"refresh\""));
  CHECK(contains(page, "data-method=\"GET\""));
  CHECK_FALSE(contains(page, "<script>alert"));
  CHECK(contains(waiting_page({504, "http_response_timeout", "", "app.localhost:80"}, "GET"),
                 "app.localhost:80 cannot be shown</h1>"));
}

TEST_CASE("the page that waits: what was no GET is not sent again by itself") {
  const std::string page = waiting_page({502, "connection_refused", "", "localhost:3000"}, "POST");
  CHECK_FALSE(contains(page, "http-equiv"));
  CHECK(contains(page, "data-method=\"POST\""));
  CHECK(contains(page, "may not have reached the workspace"));
}

TEST_CASE("the page that waits may run its own script and nothing else") {
  const std::string page = waiting_page({502, "connection_refused", "", "localhost:3000"}, "GET");
  const std::string& policy = waiting_page_policy();
  CHECK(policy.starts_with("default-src 'none'; "));
  CHECK(contains(policy, "script-src 'sha256-" + tls::base64(tls::sha256(between(page, "<script>", "</script>"))) + "'"));
  CHECK(contains(policy, "style-src 'sha256-" + tls::base64(tls::sha256(between(page, "<style>", "</style>"))) + "'"));
  CHECK_FALSE(contains(policy, "unsafe"));
  for (const std::string_view outside : {"src=", "http://fonts", "https://", "@import", "url("})
    CHECK_FALSE(contains(page, outside));
}
