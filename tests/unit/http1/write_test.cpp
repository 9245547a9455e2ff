// Heads to bytes: the second half of http1/semantics.hpp.
#include <catch2/catch.hpp>

#include "http1/heads.hpp"

using namespace cmux;
using namespace cmux::http1;

namespace {

std::string request_text(const http::Head& head, Framing expected) {
  Buffer out;
  CHECK(write_request(head, out) == expected);
  return std::string(out.view());
}

std::string proxy_text(const http::Head& head, const ProxyForm& proxy) {
  Buffer out;
  write_request(head, out, &proxy);
  return std::string(out.view());
}

std::string response_text(const http::Head& head, ResponseForm form, Framing expected, bool keep_alive = true) {
  Buffer out;
  CHECK(write_response(head, form, out) == expected);
  CHECK(form.keep_alive == keep_alive);
  return std::string(out.view());
}

http::Head request(std::string_view method) {
  http::Head head;
  head.method = method, head.scheme = "http", head.authority = "a:3000", head.path = "/p?q";
  head.end = true;
  head.fields.add("X", "1");
  return head;
}

http::Head response(std::uint16_t status) {
  http::Head head;
  head.status = status;
  head.fields.add("X", "1");
  return head;
}

}  // namespace

TEST_CASE("requests are written in origin form") {
  CHECK(request_text(request("GET"), Framing::none) == "GET /p?q HTTP/1.1\r\nHost: a:3000\r\nX: 1\r\n\r\n");
  CHECK(request_text(request("POST"), Framing::none) ==
        "POST /p?q HTTP/1.1\r\nHost: a:3000\r\nX: 1\r\nContent-Length: 0\r\n\r\n");
  http::Head sized = request("GET");
  sized.content_length = 5, sized.end = false;
  CHECK(request_text(sized, Framing::length) == "GET /p?q HTTP/1.1\r\nHost: a:3000\r\nX: 1\r\nContent-Length: 5\r\n\r\n");
  http::Head chunked = request("PUT");
  chunked.end = false, chunked.trailers_accepted = true;
  CHECK(request_text(chunked, Framing::chunked) ==
        "PUT /p?q HTTP/1.1\r\nHost: a:3000\r\nX: 1\r\nTransfer-Encoding: chunked\r\nConnection: TE\r\nTE: trailers\r\n\r\n");
}

TEST_CASE("requests to another proxy are written in absolute form, with its credentials") {
  CHECK(proxy_text(request("GET"), {}) == "GET http://a:3000/p?q HTTP/1.1\r\nHost: a:3000\r\nX: 1\r\n\r\n");
  CHECK(proxy_text(request("GET"), {"Basic eDp5"}) ==
        "GET http://a:3000/p?q HTTP/1.1\r\nHost: a:3000\r\nProxy-Authorization: Basic eDp5\r\nX: 1\r\n\r\n");
  http::Head options = request("OPTIONS");
  options.path = "*";
  CHECK(proxy_text(options, {}) == "OPTIONS http://a:3000 HTTP/1.1\r\nHost: a:3000\r\nX: 1\r\n\r\n");
  http::Head connect = request("CONNECT");
  CHECK(proxy_text(connect, {"Basic eDp5"}) ==
        "CONNECT a:3000 HTTP/1.1\r\nHost: a:3000\r\nProxy-Authorization: Basic eDp5\r\nX: 1\r\n\r\n");
}

TEST_CASE("tunnels and upgrades are written as HTTP/1 asks for them") {
  CHECK(request_text(request("CONNECT"), Framing::none) == "CONNECT a:3000 HTTP/1.1\r\nHost: a:3000\r\nX: 1\r\n\r\n");
  http::Head upgrade = request("CONNECT");
  upgrade.protocol = "websocket";
  CHECK(request_text(upgrade, Framing::none) ==
        "GET /p?q HTTP/1.1\r\nHost: a:3000\r\nX: 1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
}

TEST_CASE("responses are framed for their client") {
  http::Head sized = response(200);
  sized.content_length = 5;
  ResponseForm form;
  CHECK(response_text(sized, form, Framing::length) == "HTTP/1.1 200 OK\r\nX: 1\r\nContent-Length: 5\r\n\r\n");
  http::Head open = response(200);
  open.reason = "Fine";
  CHECK(response_text(open, form, Framing::chunked) == "HTTP/1.1 200 Fine\r\nX: 1\r\nTransfer-Encoding: chunked\r\n\r\n");
  http::Head empty = response(404);
  empty.end = true;
  CHECK(response_text(empty, form, Framing::none) == "HTTP/1.1 404 Not Found\r\nX: 1\r\nContent-Length: 0\r\n\r\n");
  CHECK(response_text(response(299), form, Framing::chunked).starts_with("HTTP/1.1 299 \r\n"));
  form.keep_alive = false;
  CHECK(response_text(sized, form, Framing::length, false) ==
        "HTTP/1.1 200 OK\r\nX: 1\r\nContent-Length: 5\r\nConnection: close\r\n\r\n");
}

TEST_CASE("responses to HTTP/1.0") {
  ResponseForm form;
  form.client_version = 10;
  http::Head sized = response(200);
  sized.content_length = 5;
  CHECK(response_text(sized, form, Framing::length) ==
        "HTTP/1.0 200 OK\r\nX: 1\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n");
  // Without a length the connection's end is the body's.
  CHECK(response_text(response(200), form, Framing::until_close, false) ==
        "HTTP/1.0 200 OK\r\nX: 1\r\nConnection: close\r\n\r\n");
}

TEST_CASE("responses without a body") {
  ResponseForm form;
  http::Head none = response(204);
  none.end = true;
  CHECK(response_text(none, form, Framing::none) == "HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n");
  http::Head unmodified = response(304);
  unmodified.end = true;
  CHECK(response_text(unmodified, form, Framing::none) == "HTTP/1.1 304 Not Modified\r\nX: 1\r\n\r\n");
  unmodified.content_length = 7;
  CHECK(response_text(unmodified, form, Framing::none) == "HTTP/1.1 304 Not Modified\r\nX: 1\r\nContent-Length: 7\r\n\r\n");
  form.head_request = true;
  http::Head sized = response(200);
  sized.content_length = 5;
  CHECK(response_text(sized, form, Framing::none) == "HTTP/1.1 200 OK\r\nX: 1\r\nContent-Length: 5\r\n\r\n");
  CHECK(response_text(response(200), form, Framing::none) == "HTTP/1.1 200 OK\r\nX: 1\r\n\r\n");
  // Interim ones say nothing of the connection.
  form = {};
  form.keep_alive = false;
  CHECK(response_text(response(103), form, Framing::none, false) == "HTTP/1.1 103 Early Hints\r\nX: 1\r\n\r\n");
}

TEST_CASE("tunnels open with 2xx or 101") {
  http::Head tunnel = response(200);
  tunnel.tunnel = true;
  ResponseForm form;
  CHECK(response_text(tunnel, form, Framing::until_close) == "HTTP/1.1 200 OK\r\nX: 1\r\n\r\n");
  form.upgrade = true, form.protocol = "websocket";
  CHECK(response_text(tunnel, form, Framing::until_close) ==
        "HTTP/1.1 101 Switching Protocols\r\nX: 1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  form.websocket_key = "dGhlIHNhbXBsZSBub25jZQ==";
  CHECK(response_text(tunnel, form, Framing::until_close) ==
        "HTTP/1.1 101 Switching Protocols\r\nX: 1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
  tunnel.fields.add("sec-websocket-accept", "given");
  CHECK(response_text(tunnel, form, Framing::until_close) ==
        "HTTP/1.1 101 Switching Protocols\r\nX: 1\r\nsec-websocket-accept: given\r\nConnection: Upgrade\r\nUpgrade: "
        "websocket\r\n\r\n");
}
