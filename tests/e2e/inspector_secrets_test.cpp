// What the inspector shows to whoever looks over a shoulder, and what it sends elsewhere: nothing that is secret, unless asked.
#include "inspector.hpp"

namespace e2e {
namespace {

bool contains(const std::string& text, std::string_view piece) { return text.find(piece) != std::string::npos; }

}  // namespace

TEST_CASE("inspector secrets: who is named in a URL is not shown, in list, details, HAR and log") {
  Workspace workspace;
  Proxy proxy({"--capture", "bodies", "--access-log"}, &workspace);
  const Context context = proxy.routed();
  for (const char* const line : {"GET http://me:s3cret@localhost:3000/ui", "CONNECT me:s3cret@localhost:3000",
                                 "GET http://localhost:3000/p/http://me:s3cret@elsewhere/x?s3cret"})
    proxy.connect().ask(fmt::format("{} HTTP/1.1\r\nHost: localhost:3000\r\n{}\r\n", line, context.auth_line()));
  const Upstream upstream;
  Client client = proxy.connect();
  client.send(request_text("GET", upstream.url(), proxy.context(), "Referer: //me:s3cret@a.test/\r\nX-Api_Key: s3cret\r\n"));
  Peer peer = upstream.accept();
  peer.read_until("\r\n\r\n");
  peer.send(
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nLocation: /\\me:s3cret@a.test/\r\nLink: </a?s3cret>\r\nX-JWT: s3cret\r\n\r\n");
  CHECK(client.read_response().status == 200);
  exchange_to(proxy, upstream.url());
  const auto all = exchanges(proxy);
  REQUIRE(all.size() == 4);
  std::string seen = boost::json::serialize(all);
  for (const auto& one : all) {
    auto shown = details(proxy, one.as_object());
    shown.at("response").as_object().erase("body");  // as it is: the workspace tells what it got
    seen += boost::json::serialize(shown);
  }
  CHECK_FALSE(contains(seen, "s3cret"));
  CHECK(contains(seen, "/p/http://elsewhere/x?•••"));
  CHECK(contains(seen, "GET /p/http://•••@elsewhere/x?•••"));
  CHECK(contains(seen, "CONNECT •••@localhost:3000"));
  CHECK(contains(seen, R"(["Host","•••@localhost:3000")"));
  CHECK(contains(seen, R"(["Referer","//•••@a.test/")"));
  CHECK_FALSE(contains(proxy.api("GET", fmt::format("/v1/har?ids={}", text_in(all.at(0).as_object(), "id"))).body, "s3cret"));
  const std::string log = proxy.cli({"logs"}).out;
  CHECK(contains(log, "/p/http://elsewhere/x"));
  CHECK_FALSE(contains(log, "s3cret"));
}

TEST_CASE("inspector secrets: a replay takes to another server nothing of what is hidden, and no dots to anybody") {
  Workspace workspace;
  Proxy proxy({"--capture", "bodies"}, &workspace);
  const Context context = proxy.context();
  CHECK(proxy
            .get(context, fmt::format("http://127.0.0.1:{}/connections?code=s3cret", workspace.http_port()),
                 "Authorization: Bearer s3cret\r\nCookie: a=s3cret\r\nX-Kept: yes\r\n")
            .status == 200);
  const std::string path = "/v1/exchanges/" + text_in(exchange_to(proxy, "/connections"), "id") + "/replay";
  const Upstream other;
  const auto to_other = [&](std::string_view query, std::string_view fields) {
    return fmt::format(R"({{"url":"{}"{}}})", other.url("/x" + std::string(query)), fields);
  };
  const Response fields = proxy.api("POST", path, to_other("", R"(,"fields":[["Authorization","Bearer •••"]])"));
  CHECK(fields.status == 409);
  CHECK(contains(fields.body, "reveal it first"));
  CHECK(proxy.api("POST", path, to_other("?code=•••", "")).status == 409);
  const Response dots = proxy.api("POST", path, R"({"fields":[["Cookie","•••"]]})");
  CHECK(dots.status == 400);
  CHECK(contains(dots.body, "fields: Cookie"));
  CHECK(proxy.api("POST", path, to_other("", "")).status == 202);
  Peer peer = other.accept();
  const std::string sent = peer.read_until("\r\n\r\n");
  CHECK_FALSE(contains(sent, "s3cret"));
  CHECK(contains(sent, "X-Kept: yes"));
  peer.send("HTTP/1.1 204 No Content\r\n\r\n");
}

TEST_CASE("inspector secrets: what a reader has missed is its own, whoever else reads") {
  Workspace workspace;
  Proxy proxy({"--capture", "bodies", "--capture-memory", "1m", "--threads", "1"}, &workspace);
  const Context context = proxy.routed();
  const auto ask = [&](std::size_t count) {
    Client client = proxy.connect();
    for (std::size_t i = 0; i < count; ++i)
      CHECK(client.ask(request_text("GET", "http://localhost:3000/" + std::string(3'000, 'y'), context)).status > 0);
  };
  const auto read = [&](std::string_view query) { return proxy.api("GET", fmt::format("/v1/exchanges{}", query)).json(); };
  const auto lost = [&](std::int64_t after) { return number_in(read(fmt::format("?after={}&limit=1000", after)), "lost"); };
  ask(5);
  const std::int64_t before = number_in(read(""), "next");
  ask(600);
  for (const char* const other : {"?after=18446744073709551615", "?context=zz&after=1", "?after=1&limit=1"}) read(other);
  const std::int64_t missed = lost(before);
  CHECK(missed > 100);
  CHECK(missed < 600);
  CHECK(lost(before) == missed);
  CHECK(lost(0) == 0);
  // Page by page it is the same.
  std::int64_t sum = 0, after = before;
  for (bool more = true; more;) {
    const auto page = read(fmt::format("?after={}&limit=7", after));
    sum += number_in(page, "lost");
    after = number_in(page, "next");
    more = !page.at("exchanges").as_array().empty();
  }
  CHECK(sum == missed);
  CHECK(lost(after) == 0);
}

}  // namespace e2e
