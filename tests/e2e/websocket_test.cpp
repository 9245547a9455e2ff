// WebSockets and other upgrades, as browsers open them (CONNECT) and as simple clients do (absolute URL).
#include "support.hpp"
#include "websocket.hpp"

namespace e2e {
namespace {

const std::string kHandshake =
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const std::string kAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";  // RFC 6455 section 1.3

struct Setup {
  Workspace workspace;
  Proxy proxy{{}, &workspace};
  Context context = proxy.routed();

  // A client that has sent a handshake for the path, in one of the two ways.
  Client ask(bool through_connect, std::string_view path, std::string_view fields = {}) {
    if (through_connect) {
      Client client = tunnel(proxy, context, "localhost:3000");
      client.send(fmt::format("GET {} HTTP/1.1\r\nHost: localhost:3000\r\n{}{}\r\n", path, kHandshake, fields));
      return client;
    }
    Client client = proxy.connect();
    client.send(request_text("GET", fmt::format("ws://localhost:3000{}", path), context, kHandshake + std::string(fields)));
    return client;
  }
  Run node(const Strings& arguments) const {
    Strings argv{"node", source("tests/e2e/node/ws-client.mjs"), context.proxy_url};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return run(argv);
  }
};

}  // namespace

TEST_CASE("websocket: raw, through CONNECT and by absolute URL") {
  Setup setup;
  const bool through_connect = GENERATE(true, false);
  INFO((through_connect ? "CONNECT" : "absolute URL"));
  Client client = setup.ask(through_connect, "/ws?first=hello", "Sec-WebSocket-Protocol: vite-hmr, other\r\n");
  const Response opened = client.read_response();
  CHECK(opened.status == 101);
  CHECK(opened.header("upgrade") == "websocket");
  CHECK(opened.header("connection") == "Upgrade");
  CHECK(opened.header("sec-websocket-accept") == kAccept);
  CHECK(opened.header("sec-websocket-protocol") == "vite-hmr");
  CHECK_FALSE(opened.has("content-length"));
  CHECK_FALSE(opened.has("transfer-encoding"));
  const std::string first = plain_frame(1, "hello");  // came in one segment with the 101
  CHECK(client.read_exactly(first.size()) == first);
  client.send(frame(1, "one") + frame(9, "ping"));
  const std::string echo = plain_frame(1, "one") + plain_frame(10, "ping");
  CHECK(client.read_exactly(echo.size()) == echo);
  client.send(frame(8, "\x03\xe8"));
  CHECK(client.read_exactly(4) == plain_frame(8, "\x03\xe8"));
  CHECK(client.closed_by_peer());
  CHECK_FALSE(client.was_reset());
  CHECK(eventually([&] { return counter(setup.workspace, "tunnels") == 0; }));
}

TEST_CASE("websocket: frames sent together with the handshake wait for the 101") {
  Setup setup;
  const bool through_connect = GENERATE(true, false);
  Client client = setup.ask(through_connect, "/ws");
  client.send(frame(2, "eager"));
  CHECK(client.read_response().status == 101);
  const std::string echo = plain_frame(2, "eager");
  CHECK(client.read_exactly(echo.size()) == echo);
}

TEST_CASE("websocket: Node's ws through CONNECT: subprotocol, compression, big messages, close codes") {
  Setup setup;
  const Run done = setup.node({"all", "ws://localhost:3000"});
  INFO(done.out << done.err);
  CHECK(done.exit == 0);
  CHECK(done.out == "subprotocol ok\ndeflate ok\nbig ok\nclose ok\nrefused ok\n");
}

TEST_CASE("websocket: 500 at once") {
  Setup setup;
  const auto count = scaled(500);
  const Run done = setup.node({"many", "ws://localhost:3000/ws", std::to_string(count)});
  INFO(done.err);
  CHECK(done.exit == 0);
  CHECK(done.out == fmt::format("{} open\n{} echoed\n{} closed\n", count, count, count));
  CHECK(eventually([&] { return counter(setup.workspace, "tunnels") == 0; }));
}

TEST_CASE("websocket: what refuses an upgrade reaches the client as it is, and the connection goes on") {
  Setup setup;
  const bool through_connect = GENERATE(true, false);
  Client client = setup.ask(through_connect, "/ws-refuse");
  const Response refused = client.read_response();
  CHECK(refused.status == 403);
  CHECK(refused.header("x-refused") == "yes");
  CHECK(refused.body == "no WebSocket here\n");
  CHECK_FALSE(refused.has("proxy-status"));
  const std::string next = through_connect ? "GET / HTTP/1.1\r\nHost: localhost:3000\r\n\r\n"
                                           : request_text("GET", "http://localhost:3000/", setup.context);
  CHECK(client.ask(next).body == "workspace abc scope base port 3000\n");
  for (const int status : {302, 401, 426, 500}) {
    Client other = setup.ask(through_connect, fmt::format("/status/{}", status));
    CHECK(other.read_response().status == status);
  }
}

TEST_CASE("websocket: a handshake that is answered wrong is 502") {
  Setup setup;
  const bool through_connect = GENERATE(true, false);
  for (const char* const path :
       {"/broken/ws-accept", "/broken/ws-no-accept", "/broken/ws-other", "/broken/reset", "/broken/garbage"}) {
    INFO(path);
    Client client = setup.ask(through_connect, path);
    const Response answer = client.read_response();
    CHECK(answer.status == 502);
    CHECK(answer.header("proxy-status").starts_with("cmuxproxy; error="));
  }
}

TEST_CASE("websocket: an upgrade to any protocol, and each half closes on its own") {
  Setup setup;
  Client client = setup.proxy.connect();
  client.send(request_text("GET", "http://localhost:3000/upgrade/my-proto%2F2?first=hi", setup.context,
                           "Connection: upgrade\r\nUpgrade: my-proto/2\r\n"));
  const Response opened = client.read_response();
  CHECK(opened.status == 101);
  CHECK(opened.header("upgrade") == "my-proto/2");
  CHECK(client.read_exactly(2) == "hi");
  client.send("raw bytes\r\n\r\n");
  CHECK(client.read_exactly(13) == "raw bytes\r\n\r\n");
  client.half_close();
  CHECK(client.read_all_until_close() == "bye");  // sent at our FIN
  CHECK_FALSE(client.was_reset());

  // A POST may upgrade as well; and what is no upgrade here is answered as such.
  Client other = setup.proxy.connect();
  CHECK(other.ask(request_text("GET", "http://localhost:3000/upgrade/x", setup.context)).status == 426);
}

TEST_CASE("websocket: a reset on one side resets the other") {
  Setup setup;
  Client client = setup.ask(true, "/ws?reset=1");
  CHECK(client.read_response().status == 101);
  client.send(frame(1, "one"));
  REQUIRE(client.closed_by_peer());
  CHECK(client.was_reset());

  Client other = setup.ask(false, "/ws");
  CHECK(other.read_response().status == 101);
  REQUIRE(counter(setup.workspace, "tunnels") == 1);
  other.abort();
  CHECK(eventually([&] { return counter(setup.workspace, "tunnels") == 0; }));
}

TEST_CASE("websocket: 64 MB in one message") {
  Setup setup;
  Client client = setup.ask(true, "/ws");
  CHECK(client.read_response().status == 101);
  const std::size_t size = static_cast<std::size_t>(scaled(64)) << 20;
  const std::string message = frame(2, std::string(size, 'm'));
  std::size_t sent = 0, received = 0;
  std::vector<char> block(1 << 18);
  const std::size_t expected = size + 10;
  // Both ways at once, as the echo needs it.
  while (received < expected) {
    pollfd wanted{client.fd(), static_cast<short>(POLLIN | (sent < message.size() ? POLLOUT : 0)), 0};
    REQUIRE(poll(&wanted, 1, 10'000) > 0);
    if (wanted.revents & POLLOUT) {
      const ssize_t count = ::send(client.fd(), message.data() + sent, message.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (count > 0) sent += static_cast<std::size_t>(count);
    }
    if (wanted.revents & POLLIN) {
      const ssize_t count = recv(client.fd(), block.data(), block.size(), MSG_DONTWAIT);
      REQUIRE(count != 0);
      if (count > 0) {
        const std::size_t skip = received < 10 ? std::min<std::size_t>(10 - received, static_cast<std::size_t>(count)) : 0;
        REQUIRE(std::all_of(block.begin() + static_cast<std::ptrdiff_t>(skip), block.begin() + count,
                            [](char c) { return c == 'm'; }));
        received += static_cast<std::size_t>(count);
      }
    }
  }
  CHECK(received == expected);
  if (!slow()) CHECK(setup.proxy.process().peak_kb() < 20'000);
}

TEST_CASE("websocket: a tunnel that carries requests takes no second CONNECT") {
  Setup setup;
  Client client = tunnel(setup.proxy, setup.context, "localhost:3000");
  CHECK(client.ask("GET / HTTP/1.1\r\nHost: localhost:3000\r\n\r\n").status == 200);
  const Response refused = client.ask(
      fmt::format("CONNECT localhost:3001 HTTP/1.1\r\nHost: localhost:3001\r\n{}\r\n", setup.context.auth_line()), "CONNECT");
  CHECK(refused.status == 400);
}

}  // namespace e2e
