// What the tests stand on: who reads what arrives at the workspace.
#include "support.hpp"

namespace e2e {

// Otherwise the second opinion on the proxy's HTTP/1 could get lost, and no test would notice.
TEST_CASE("fixtures: ordinary requests of HTTP/1 are read by cpp-httplib, the others by hand") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  Client client = proxy.connect();
  const auto carrier = [&](const char* method, const char* path, std::string_view fields = {}, std::string_view body = {}) {
    return text_in(client.ask(request_text(method, fmt::format("http://localhost:3000{}", path), context, fields, body)).json(),
                   "carrier");
  };
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  for (const char* const method : {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
    CHECK(carrier(method, "/echo") == "cpp-httplib");
  for (const char* const method : {"POST", "PUT", "PATCH", "DELETE"})
    CHECK(carrier(method, "/echo", {}, "body") == "cpp-httplib");
  client.send(request_text("POST", "http://localhost:3000/echo", context, chunked) + "4\r\nbody\r\n0\r\n\r\n");
  CHECK(text_in(client.read_response().json(), "carrier") == "cpp-httplib");
  CHECK(carrier("PROPFIND", "/echo") == "hand");
  CHECK(carrier("GET", "/echo?by=hand") == "hand");
  CHECK(carrier("GET", "/echo", "Range: bytes=0-1\r\n") == "hand");
  CHECK(carrier("GET", "/echo", fmt::format("X-Long: {}\r\n", std::string(9000, 'x'))) == "hand");
  CHECK(workspace.malformed() == 0);
}

// The library would let most of this pass, and answer 200.
TEST_CASE("fixtures: a workspace refuses and counts what is malformed") {
  const Workspace workspace({"--sniff-port-header"});
  const auto ask = [&](std::string_view request) {
    Client client(workspace.http_port());
    return client.ask(request).status;
  };
  CHECK(ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n") == 200);
  CHECK(workspace.malformed() == 0);
  CHECK(ask("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n") == 400);
  CHECK(ask("GET / HTTP/1.1\r\nHost: a\r\nX-A : b\r\n\r\n") == 400);
  CHECK(ask("GET / HTTP/1.0\r\nHost: a\r\n\r\n") == 400);
  CHECK(workspace.malformed() == 3);
}

}  // namespace e2e
