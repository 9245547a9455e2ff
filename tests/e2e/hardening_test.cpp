// What a hostile peer or user tried, and must not achieve.
#include <catch2/catch.hpp>

#include <fmt/format.h>

#include "harness.hpp"
#include "websocket.hpp"

using namespace e2e;
using namespace std::chrono_literals;

TEST_CASE("hardening: an admin client that dawdles over its request does not keep the process") {
  Proxy proxy({"--drain-timeout", "100ms"});
  Client with_token(proxy.admin_port()), without(proxy.admin_port()), in_header(proxy.admin_port());
  with_token.send(
      fmt::format("POST /v1/contexts HTTP/1.1\r\nHost: localhost:{}\r\nAuthorization: Bearer {}\r\n"
                  "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{",
                  proxy.admin_port(), proxy.token));
  without.send(
      fmt::format("POST /v1/contexts HTTP/1.1\r\nHost: localhost:{}\r\nContent-Length: 1000\r\n\r\nx", proxy.admin_port()));
  CHECK(without.read_response().status == 401);
  in_header.send("GET /he");
  CHECK(proxy.api("GET", "/healthz").status == 200);  // the others have arrived before it
  CHECK(proxy.process().stop() == 0);
}

TEST_CASE("hardening: user info in a target is in no log and in no event") {
  Proxy proxy({"--access-log", "--log-level", "trace"});
  const Context context = proxy.context();
  Client client = proxy.connect();
  CHECK(client.ask(fmt::format("GET http://user:s3cret@localhost:3000/p HTTP/1.1\r\nHost: l\r\n{}\r\n", context.auth_line()))
            .status == 400);
  CHECK(proxy.process().stop() == 0);
  CHECK(proxy.process().stderr_text().find("localhost:3000/p") != std::string::npos);
  CHECK(proxy.process().stderr_text().find("s3cret") == std::string::npos);
}

TEST_CASE("hardening: fields that route or authenticate do not go through as trailers") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  Client client = proxy.connect();
  const Response answer = client.ask(
      fmt::format("POST http://localhost:3000/echo?by=hand HTTP/1.1\r\nHost: localhost:3000\r\n{}Transfer-Encoding: "
                  "chunked\r\n\r\n1\r\nx\r\n0\r\n"
                  "X-Cmux-Port-Internal: 22\r\nX-Cmux-Proxied: true\r\nAuthorization: evil\r\nHost: evil\r\nX-Sum: 1\r\n\r\n",
                  context.auth_line()));
  CHECK(answer.status == 200);
  const auto trailers = answer.json().at("trailers").as_array();
  REQUIRE(trailers.size() == 1);
  CHECK(trailers[0].at(0) == "X-Sum");
}

TEST_CASE("hardening: an upgrade that meets a closing pooled connection is sent again") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  CHECK(proxy.get(context, "http://localhost:3000/drop-next").status == 200);
  WebSocket socket(proxy.connect(), "localhost:3000", "ws://localhost:3000/ws", {context.auth_line()});
  socket.send("one");
  CHECK(socket.read() == "one");
}

TEST_CASE("hardening: a silent tunnel is not kept for ever") {
  Workspace workspace;
  Proxy proxy({"--idle-timeout", "1s"}, &workspace);
  const Context context = proxy.routed();
  Client client = proxy.connect();
  CHECK(
      client.ask(fmt::format("CONNECT localhost:3000 HTTP/1.1\r\nHost: localhost:3000\r\n{}\r\n", context.auth_line()), "CONNECT")
          .status == 200);
  CHECK(client.closed_by_peer());
}

TEST_CASE("hardening: a request for the proxy itself is told what this is") {
  Proxy proxy;
  Client client = proxy.connect();
  const Response answer = client.ask("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  CHECK(answer.status == 421);
  CHECK(answer.body.find("this is a proxy") != std::string::npos);
}
