// What a hostile reading of the HTTP/2 code has found once: each of these crashed, spun, piled up, hung or leaked.
#include "frames.hpp"
#include "rows.hpp"

using namespace e2e;
using namespace e2e::h2;
using namespace std::string_literals;

namespace {

const Lines kOk{{":status", "200"}};

std::string upgrade(const Upstream& upstream, const Context& context) {
  return request_text("GET", upstream.url("/ws"), context,
                      "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
}

}  // namespace

TEST_CASE("h2 review: a client that leaves, and a context that is released, end the wait for a connection") {
  Upstream silent;  // takes the connection, and says nothing to the TLS handshake
  Proxy proxy({"--resolve", fmt::format("*.cmux.test=127.0.0.1:{}", silent.port()), "--tls-timeout", "1h", "--threads", "1"});
  const Context context =
      proxy.context({"--dedicated-port", "--morph-id", "abc", "--scope", "base", "--domain-suffix", "cmux.test"});
  const auto open_requests = [&] { return number_in(proxy.api("GET", "/v1/status").json().at("requests").as_object(), "open"); };
  const auto port = static_cast<std::uint16_t>(number_in(context.json, "dedicatedPort"));
  const Lines lines = without(request(context, "/"), "proxy-authorization");
  // One opens the connection, the others wait for it; over both protocols.
  ClientSide first(port, settings() + headers(1, lines) + headers(3, lines));
  Peer peer = silent.accept();
  Client http1(port);
  http1.send("GET http://localhost:3000/ HTTP/1.1\r\nHost: localhost:3000\r\n\r\n");
  ClientSide last(port, settings() + headers(1, lines));
  REQUIRE(eventually([&] { return open_requests() == 4; }));
  first.send(reset(1));
  CHECK(eventually([&] { return open_requests() == 3; }));
  first.client.close();
  CHECK(eventually([&] { return open_requests() == 2; }));
  http1.abort();
  CHECK(eventually([&] { return open_requests() == 1; }));
  CHECK_FALSE(silent.is_asked(0ms));  // the one connection is for all of them
  CHECK(proxy.cli({"ctx", "release", context.id}).exit == 0);
  CHECK(eventually([&] { return open_requests() == 0; }));
  CHECK(proxy.process().running());
}

TEST_CASE("h2 review: an upgrade to a peer that takes no streams is refused after a few tries") {
  Proxy proxy({"--upstream-h2c", "127.0.0.1", "--threads", "1"});
  const Context context = proxy.context();
  Upstream upstream;
  Client client = proxy.connect();
  client.send(upgrade(upstream, context));
  int connections = 0;
  std::vector<std::unique_ptr<ServerSide>> servers;
  while (client.silent(milliseconds(0))) {
    if (!upstream.is_asked(milliseconds(50))) continue;
    servers.push_back(std::make_unique<ServerSide>(upstream, settings({{0x8, 1}}) + goaway(0)));
    ++connections;
  }
  CHECK(client.read_response().status == 503);
  CHECK(connections <= 3);
  CHECK_FALSE(upstream.is_asked(milliseconds(50)));
}

TEST_CASE("h2 review: interim responses that a client does not read stay where they are") {
  Proxy proxy({"--threads", "1"});
  const Context context = proxy.context();
  Upstream upstream;
  Client below;
  below.receive_buffer(4096);
  below.connect(proxy.port());
  ClientSide client(std::move(below),
                    settings() + headers(1, request(context, "/", "GET", fmt::format("127.0.0.1:{}", upstream.port()))));
  Peer peer = upstream.accept();
  peer.read_until("\r\n\r\n");
  const std::size_t before = proxy.process().anonymous_kb();
  // No two lines are alike, so that none is short for being known.
  std::size_t sent = 0, line = 0;
  const std::size_t enough = 200'000'000;
  while (sent < enough) {
    std::string interim = "HTTP/1.1 103 Early Hints\r\n";
    for (int i = 0; i < 10; ++i) interim += fmt::format("Link: <{}{}>\r\n", ++line, std::string(1'000, 'x'));
    interim += "\r\n";
    std::string_view rest = interim;
    pollfd writable{peer.fd(), POLLOUT, 0};
    while (!rest.empty() && poll(&writable, 1, 500) > 0) {
      const ssize_t count = ::send(peer.fd(), rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count > 0) rest.remove_prefix(static_cast<std::size_t>(count)), sent += static_cast<std::size_t>(count);
    }
    if (!rest.empty()) break;  // nobody takes them any more
  }
  CHECK(sent < enough);
  if (!slow()) CHECK(proxy.process().anonymous_kb() < before + 8'000);
}

TEST_CASE("h2 review: a reset behind the head reaches a client whose window is empty") {
  Proxy proxy({"--upstream-h2c", "127.0.0.1", "--threads", "1"});
  const Context context = proxy.context();
  Upstream upstream;
  ClientSide client(proxy.connect(), settings({{kInitialWindow, 0}}) +
                                         headers(1, request(context, "/", "GET", fmt::format("127.0.0.1:{}", upstream.port()))));
  ServerSide server(upstream);
  REQUIRE(server.request() == 1);
  server.send(headers(1, kOk, kEndHeaders) + h2::reset(1, kInternalError));
  CHECK(client.message(1).status() == 200);
  CHECK(client.message(1).reset == kInternalError);
}

TEST_CASE("h2 review: cookies arrive whole, with whatever blanks") {
  Proxy proxy({"--upstream-h2c", "127.0.0.1", "--threads", "1"});
  const Context context = proxy.context();
  Upstream upstream;
  Client client = proxy.connect();
  std::unique_ptr<ServerSide> server;
  std::uint32_t id = 0;
  for (const char* const cookies : {"a=1; b=2", "a=1;  b=2", "a=1 ; b=2", "a=\"x;  y\"", "a=1;"}) {
    INFO(cookies);
    client.send(request_text("GET", upstream.url(), context, fmt::format("Cookie: {}\r\n", cookies)));
    if (!server) server = std::make_unique<ServerSide>(upstream);
    id = server->request();
    std::string seen;
    for (const auto& [name, value] : server->streams[id].heads.front())
      if (name == "cookie") seen += (seen.empty() ? "" : "; ") + value;
    CHECK(seen == cookies);
    server->send(headers(id, kOk));
    CHECK(client.read_response().status == 200);
  }
}

TEST_CASE("h2 review: extended CONNECT is to protocols that HTTP/1 would upgrade to, too") {
  Workspace workspace;
  Proxy proxy;
  const Context context = context_to(proxy, "http", workspace.http_port());
  const Lines connect = with(request(context, "/upgrade/echo"), ":method", "CONNECT");
  const auto seen = workspace.requests();
  ClientSide client(proxy.port());
  std::uint32_t id = 1;
  for (const char* const protocol : {"h2c", "H2C", "TLS/1.3", "HTTP/2.0", "web socket", "websocket, h2c", "a/b/c", "/", "a,b"}) {
    INFO(protocol);
    client.send(headers(id, Lines{{":protocol", protocol}} + connect, kEndHeaders));
    CHECK(client.head(id).status() == 501);
    id += 2;
  }
  CHECK(workspace.requests() == seen);
  client.send(headers(id, Lines{{":protocol", "echo"}} + connect, kEndHeaders));
  CHECK(client.head(id).status() == 200);
}

TEST_CASE("h2 review: a status below 100 is none") {
  Proxy proxy({"--upstream-h2c", "127.0.0.1", "--threads", "1"});
  const Context context = proxy.context();
  Upstream upstream;
  std::unique_ptr<ServerSide> server;
  for (const char* const status : {"000", "099"}) {
    Client client = proxy.connect();
    client.send(request_text("GET", upstream.url(), context));
    if (!server) server = std::make_unique<ServerSide>(upstream);
    server->send(headers(server->request(), {{":status", status}}));
    CHECK(client.read_response().status == 502);
  }
}

TEST_CASE("h2 review: a route's fields, and what a client never indexes, are never indexed upstream") {
  Proxy proxy({"--threads", "1"});
  Upstream upstream;
  const Context context =
      proxy.context({"--cmux-proxy-origin", fmt::format("h2c://127.0.0.1:{}", upstream.port()), "--morph-id", "abc", "--scope",
                     "base", "--domain-suffix", "cmux.test", "--header", "X-Token: secret", "--header", "X-Cmux-Token: secret"});
  Client client = proxy.connect();
  client.send(request_text("GET", "http://localhost:3000/", context, "X-Plain: 1\r\nAuthorization: Basic eDp5\r\n"));
  ServerSide server(upstream);
  REQUIRE(server.request() == 1);
  const std::string names = " " + server.streams[1].never_indexed;
  INFO(names);
  CHECK(names.find(" x-token ") != std::string::npos);
  CHECK(names.find(" x-cmux-token ") != std::string::npos);
  CHECK(names.find(" authorization ") != std::string::npos);
  CHECK(names.find(" x-plain ") == std::string::npos);
  CHECK(names.find(" x-cmux-port-internal ") == std::string::npos);
  // A literal that is never indexed (RFC 7541 section 6.2.3), next to plain ones.
  const Lines lines = request(context, "/");
  ClientSide h2(proxy.port(), settings() + frame(kHeaders, kWhole, 1, block(lines) + "\x10\x03x-s\x01y"));
  REQUIRE(server.request() == 3);
  CHECK((" " + server.streams[3].never_indexed).find(" x-s ") != std::string::npos);
}

TEST_CASE("h2 review: who requires HTTP/1.1 gets it") {
  Proxy proxy({"--upstream-h2c", "127.0.0.1", "--threads", "1"});
  const Context context = proxy.context();
  Upstream upstream;
  Client client = proxy.connect();
  client.send(request_text("GET", upstream.url(), context));
  ServerSide server(upstream);
  REQUIRE(server.request() == 1);
  server.send(h2::reset(1, kHttp11Required));
  Peer peer = upstream.accept();
  for (int i = 0; i < 2; ++i) {
    CHECK(peer.read_until("\r\n\r\n").starts_with("GET / HTTP/1.1\r\n"));
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    CHECK(client.read_response().status == 200);
    if (i == 0) client.send(request_text("GET", upstream.url(), context));
  }
}
