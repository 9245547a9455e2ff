#include "http1/semantics.hpp"

#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "http1/heads.hpp"

using namespace cmux;
using namespace cmux::http1;

namespace {

std::string name(Framing framing) {
  switch (framing) {
    case Framing::none: return "none";
    case Framing::length: return "length";
    case Framing::chunked: return "chunked";
    case Framing::until_close: return "close";
  }
  return "?";
}

// "framing keep|end" of a request with these lines, or the status and the reason.
std::string request(std::string_view fields, std::string_view start = "GET / HTTP/1.1", http::Head* out = nullptr) {
  http::Head head = head_of(Role::request, std::string(start) + "\r\n" + std::string(fields) + "\r\n");
  const auto info = normalise_request(head);
  if (!info) return std::to_string(info.error().status) + " " + info.error().detail;
  std::string text = name(info->framing) + (info->keep_alive ? " keep" : " close") + (head.end ? "" : " body");
  if (head.content_length) text += " " + std::to_string(*head.content_length);
  if (out) *out = std::move(head);
  return text;
}

std::string response(std::string_view text, std::string_view method = "GET", std::string_view protocol = "",
                     http::Head* out = nullptr) {
  http::Head head = head_of(Role::response, std::string(text) + "\r\n");
  const auto info = normalise_response(head, method, protocol);
  if (!info) return "error " + info.error().detail;
  std::string said =
      name(info->framing) + (info->keep_alive ? " keep" : " close") + (head.end ? " end" : "") + (head.tunnel ? " tunnel" : "");
  if (head.content_length) said += " " + std::to_string(*head.content_length);
  if (out) *out = std::move(head);
  return said;
}

}  // namespace

TEST_CASE("the framing of requests") {
  struct Row {
    std::string_view fields, outcome;
  };
  const Row rows[] = {
      {"Host: a\r\n", "none keep"},
      {"Host: a\r\nContent-Length: 0\r\n", "none keep 0"},
      {"Host: a\r\nContent-Length: 5\r\n", "length keep body 5"},
      {"Host: a\r\nContent-Length: 5\r\ncontent-length: 5\r\n", "length keep body 5"},
      {"Host: a\r\nContent-Length: 005\r\n", "400 zeros in front of the Content-Length"},
      {"Host: a\r\nContent-Length: 00\r\n", "400 zeros in front of the Content-Length"},
      {"Host: a\r\nTransfer-Encoding: chunked\r\n", "chunked keep body"},
      {"Host: a\r\nTransfer-Encoding: , Chunked ,\r\n", "chunked keep body"},
      {"Host: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n", "400 Content-Length is given twice and differs"},
      {"Host: a\r\nContent-Length: 5, 5\r\n", "400 Content-Length is no number"},
      {"Host: a\r\nContent-Length: \r\n", "400 Content-Length is no number"},
      {"Host: a\r\nContent-Length: -1\r\n", "400 Content-Length is no number"},
      {"Host: a\r\nContent-Length: +1\r\n", "400 Content-Length is no number"},
      {"Host: a\r\nContent-Length: 0x5\r\n", "400 Content-Length is no number"},
      {"Host: a\r\nContent-Length: 5 \t6\r\n", "400 Content-Length is no number"},
      {"Host: a\r\nContent-Length: 9999999999999999999\r\n", "400 Content-Length is no number"},
      {"Host: a\r\nContent-Length: 99999999999999999999999\r\n", "400 Content-Length is no number"},
      {"Host: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n", "400 Content-Length together with Transfer-Encoding"},
      {"Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n", "400 Content-Length together with Transfer-Encoding"},
      {"Host: a\r\nTransfer-Encoding: gzip\r\n", "400 Transfer-Encoding does not end in chunked"},
      {"Host: a\r\nTransfer-Encoding: identity\r\n", "400 Transfer-Encoding does not end in chunked"},
      {"Host: a\r\nTransfer-Encoding: xchunked\r\n", "400 Transfer-Encoding does not end in chunked"},
      {"Host: a\r\nTransfer-Encoding: chunked;a=b\r\n", "400 Transfer-Encoding does not end in chunked"},
      {"Host: a\r\nTransfer-Encoding: chunked, gzip\r\n", "400 Transfer-Encoding does not end in chunked"},
      {"Host: a\r\nTransfer-Encoding: gzip, chunked\r\n", "501 a transfer coding besides chunked"},
      {"Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "400 Transfer-Encoding is chunked twice"},
      {"Host: a\r\nTransfer-Encoding: \r\n", "400 empty Transfer-Encoding"},
      {"Host: a\r\nTransfer-Encoding: \r\nTransfer-Encoding: chunked\r\n", "400 empty Transfer-Encoding"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.fields);
    CHECK(request(row.fields) == row.outcome);
    CHECK(request(row.fields, "POST http://a/ HTTP/1.1") == row.outcome);
  }
  CHECK(request("Transfer-Encoding: chunked\r\n", "POST http://a/ HTTP/1.0") == "400 Transfer-Encoding in HTTP/1.0");
  CHECK(request("Host: a\r\nContent-Length: 1\r\n", "CONNECT a:1 HTTP/1.1") == "400 CONNECT with a body");
  CHECK(request("Host: a\r\nTransfer-Encoding: chunked\r\n", "CONNECT a:1 HTTP/1.1") == "400 CONNECT with a body");
  CHECK(request("Host: a\r\nContent-Length: 0\r\n", "CONNECT a:1 HTTP/1.1") == "none keep");
}

TEST_CASE("the host of requests") {
  http::Head head;
  CHECK(request("Host: b:80\r\n", "GET / HTTP/1.1", &head) == "none keep");
  CHECK(head.authority == "b:80");
  CHECK(head.fields.empty());
  CHECK(request("Host: b\r\n", "GET http://a/ HTTP/1.1", &head) == "none keep");
  CHECK(head.authority == "a");  // RFC 9112 section 3.2.2
  // The grammar lets Host be empty for a target without an authority; there is none of those here.
  CHECK(request("Host: \r\n", "GET http://a/ HTTP/1.1") == "400 bad Host: authority: the host is missing");
  CHECK(request("Host: \r\n", "CONNECT a:443 HTTP/1.1") == "400 bad Host: authority: the host is missing");
  CHECK(request("Host: \r\n", "GET http://a/ HTTP/1.0") == "400 bad Host: authority: the host is missing");
  for (const char* const same : {"a:443", "A:443", "a", "a."})
    CHECK(request("Host: " + std::string(same) + "\r\n", "CONNECT a:443 HTTP/1.1") == "none keep");
  for (const char* const other : {"b:443", "a:444", "b", "a.b"})
    CHECK(request("Host: " + std::string(other) + "\r\n", "CONNECT a:443 HTTP/1.1") == "400 Host is not what CONNECT asks for");
  CHECK(request("", "GET http://a/ HTTP/1.0") == "none close");
  CHECK(request("", "GET http://a/ HTTP/1.1") == "400 no Host");
  CHECK(request("Host: a\r\nHost: a\r\n") == "400 more than one Host");
  CHECK(request("", "GET / HTTP/1.0").starts_with("400 no host"));
  CHECK(request("Host: \r\n") == "400 bad Host: authority: the host is missing");
  for (const std::string_view host : {"a b", "u@a", "a:0", "a:99999", "a/b", "a,b", "[::1", "a%62"}) {
    CAPTURE(host);
    CHECK(request("Host: " + std::string(host) + "\r\n").starts_with("400 bad Host"));
  }
}

TEST_CASE("connection fields are read and taken out, with what they name") {
  http::Head head;
  CHECK(request("Host: a\r\nConnection: close, X-Drop ,keep-alive\r\nX-Drop: 1\r\nX-Keep: 2\r\nx-drop: 3\r\nKeep-Alive: 5\r\n"
                "Proxy-Connection: other\r\nOther: 4\r\nTE: gzip, trailers\r\nHTTP2-Settings: x\r\nUpgrade: h2c\r\nX-Keep: 5\r\n",
                "GET / HTTP/1.1", &head) == "none close");
  CHECK(lines(head.fields) == "X-Keep: 2\nX-Keep: 5\n");
  CHECK(head.trailers_accepted);
  CHECK(request("Host: a\r\nTE: gzip\r\n", "GET / HTTP/1.1", &head) == "none keep");
  CHECK_FALSE(head.trailers_accepted);
  // Who asks is still to be found out.
  request("Host: a\r\nConnection: Proxy-Authorization\r\nProxy-Authorization: Basic eDp5\r\n", "GET / HTTP/1.1", &head);
  CHECK(lines(head.fields) == "Proxy-Authorization: Basic eDp5\n");
}

TEST_CASE("Connection may name many fields, in any order and case") {
  http::Head head;
  std::string text = "Host: a\r\nConnection: x-9, X-3,x-3, b,A, zz\r\nConnection: X-1\r\nA: 1\r\nAA: 2\r\n";
  for (int i = 0; i < 10; ++i) text += "X-" + std::to_string(i) + ": 3\r\n";
  request(text + "B: 4\r\nZ: 5\r\nZZ: 6\r\n", "GET / HTTP/1.1", &head);
  CHECK(lines(head.fields) == "AA: 2\nX-0: 3\nX-2: 3\nX-4: 3\nX-5: 3\nX-6: 3\nX-7: 3\nX-8: 3\nZ: 5\n");
}

TEST_CASE("keep-alive") {
  struct Row {
    std::string_view version, fields;
    bool keep;
  };
  const Row rows[] = {
      {"1.1", "", true},
      {"1.1", "Connection: close\r\n", false},
      {"1.1", "Connection: a\r\nConnection: b, CLOSE\r\n", false},
      {"1.1", "Proxy-Connection: close\r\n", false},
      {"1.1", "Connection: closed\r\n", true},
      {"1.0", "", false},
      {"1.0", "Connection: Keep-Alive\r\n", true},
      {"1.0", "Proxy-Connection: keep-alive\r\n", true},
      {"1.0", "Connection: keep-alive, close\r\n", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.version, row.fields);
    const std::string start = "GET http://a/ HTTP/" + std::string(row.version);
    CHECK(request("Host: a\r\n" + std::string(row.fields), start) == (row.keep ? "none keep" : "none close"));
    const std::string status = "HTTP/" + std::string(row.version) + " 200 OK\r\nContent-Length: 0\r\n" + std::string(row.fields);
    CHECK(response(status) == (row.keep ? "none keep end 0" : "none close end 0"));
  }
}

TEST_CASE("an upgrade is a CONNECT that names a protocol") {
  struct Row {
    std::string_view start, fields, protocol;
  };
  const std::string_view get = "GET / HTTP/1.1";
  const Row rows[] = {
      {get, "Connection: Upgrade\r\nUpgrade: websocket\r\n", "websocket"},
      {get, "Connection: keep-alive, upgrade\r\nUpgrade: WebSocket\r\n", "WebSocket"},
      {get, "Connection: Upgrade\r\nUpgrade: tcp/1\r\n", "tcp/1"},
      {get, "Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n", "websocket"},
      {"GET ws://b/ HTTP/1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n", "websocket"},
      {get, "Connection: Upgrade\r\nUpgrade: h2c\r\n", ""},
      {get, "Connection: Upgrade\r\nUpgrade: HTTP/2.0\r\n", ""},
      {get, "Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n", ""},
      {get, "Connection: Upgrade\r\nUpgrade: \r\n", ""},
      {get, "Connection: Upgrade\r\n", ""},
      {get, "Upgrade: websocket\r\n", ""},
      {get, "Connection: close\r\nUpgrade: websocket\r\n", ""},
      {"POST / HTTP/1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n", ""},
      {"GET http://a/ HTTP/1.0", "Connection: Upgrade\r\nUpgrade: websocket\r\n", ""},
      {get, "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n", ""},
      {get, "Connection: Upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.start, row.fields);
    http::Head head;
    request("Host: a\r\n" + std::string(row.fields), row.start, &head);
    CHECK(head.protocol == row.protocol);
    CHECK(head.method == (row.protocol.empty() ? row.start.substr(0, row.start.find(' ')) : "CONNECT"));
    CHECK(head.fields.empty());
  }
}

TEST_CASE("the framing of responses") {
  struct Row {
    std::string_view text, method, protocol, outcome;
  };
  const std::string_view chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", none = "HTTP/1.1 200 OK\r\n";
  const Row rows[] = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", "GET", "", "length keep 5"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", "GET", "", "none keep end 0"},
      {chunked, "GET", "", "chunked keep"},
      {none, "GET", "", "close close"},
      {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n", "GET", "", "close close"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", "HEAD", "", "none keep end 5"},
      {chunked, "HEAD", "", "none keep end"},
      {none, "HEAD", "", "none keep end"},
      {"HTTP/1.1 204 No Content\r\n", "GET", "", "none keep end"},
      {"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\n", "GET", "", "none keep end"},
      {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n", "GET", "", "none keep end 5"},
      {"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n", "POST", "", "none keep end"},
      {"HTTP/1.1 103 Early Hints\r\nLink: x\r\n", "GET", "", "none keep end"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", "CONNECT", "", "close close tunnel 5"},
      {"HTTP/1.1 299 OK\r\nTransfer-Encoding: chunked\r\n", "CONNECT", "", "close close tunnel"},
      {"HTTP/1.1 407 No\r\nContent-Length: 5\r\n", "CONNECT", "", "length keep 5"},
      {"HTTP/1.1 101 S\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n", "CONNECT", "websocket", "close close tunnel"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", "CONNECT", "websocket", "length keep 5"},
      {"HTTP/1.1 101 S\r\nUpgrade: websocket\r\n", "GET", "", "error 101 Switching Protocols without having been asked"},
      {"HTTP/1.1 101 S\r\nUpgrade: other\r\n", "CONNECT", "websocket",
       "error upgrade to 'other' where 'websocket' was asked for"},
      {"HTTP/1.1 101 S\r\n", "CONNECT", "websocket", "error upgrade to '' where 'websocket' was asked for"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n", "GET", "",
       "error Content-Length is given twice and differs"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n", "GET", "",
       "error Content-Length together with Transfer-Encoding"},
      {"HTTP/1.1 200 OK\r\nContent-Length: x\r\n", "HEAD", "", "error Content-Length is no number"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 05\r\n", "GET", "", "error zeros in front of the Content-Length"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n", "GET", "", "error Transfer-Encoding does not end in chunked"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text, row.method, row.protocol);
    CHECK(response(row.text, row.method, row.protocol) == row.outcome);
  }
}

TEST_CASE("a response's own fields stay, in order; connection fields and the upstream's challenge do not") {
  http::Head head;
  response(
      "HTTP/1.1 401 No\r\nSet-Cookie: a\r\nConnection: X\r\nX: 1\r\nWWW-Authenticate: b\r\nProxy-Authenticate: c\r\nSet-Cookie: "
      "d\r\n"
      "Content-Length: 0\r\n",
      "GET", "", &head);
  CHECK(lines(head.fields) == "Set-Cookie: a\nWWW-Authenticate: b\nSet-Cookie: d\n");
}

TEST_CASE("WebSocket keys") {
  CHECK(websocket_accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");  // RFC 6455 section 1.3
  const std::string key = make_websocket_key();
  CHECK(key.size() == 24);
  CHECK(key.ends_with("=="));
  CHECK(key != make_websocket_key());
}

TEST_CASE("Connection may name as many fields as there are: a name costs no look at each field") {
  // Each with each would be 10^11 comparisons, longer than the tests have.
  constexpr int kMany = 300'000;
  http::Head head;
  head.method = "GET", head.version = 11, head.authority = "a", head.path = "/";
  std::string names;
  for (int i = 0; i < kMany; ++i) names += fmt::format("x-named-field-{:06},", i);
  head.fields.add("Host", "a");
  head.fields.add("Connection", names);
  for (int i = 0; i < kMany; ++i) head.fields.add(fmt::format("x-named-field-{:06}", kMany - 1 - i), "");
  head.fields.add("x-stays", "");
  REQUIRE(normalise_request(head).has_value());
  CHECK(head.fields.size() == 1);
  CHECK(head.fields.contains(http::Name::other));
}
