// WebSockets and other upgrades, as browsers open them (CONNECT) and as simple clients do (absolute URL).
#include "websocket.hpp"
#include "support.hpp"

namespace e2e {
namespace {

const std::string kHandshake =
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

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
  WebSocket open(bool through_connect, std::string_view path, Strings fields = {}) {
    if (through_connect) return {tunnel(proxy, context, "localhost:3000"), "localhost:3000", path, fields};
    fields.push_back(context.auth_line());
    return {proxy.connect(), "localhost:3000", fmt::format("ws://localhost:3000{}", path), fields};
  }
  Run node(const Strings& arguments) const {
    Strings argv{"node", source("tests/e2e/node/ws-client.mjs"), context.proxy_url};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return run(argv);
  }
};

}  // namespace

TEST_CASE("websocket: subprotocol, a first message with the 101, echo, ping, close") {
  Setup setup;
  const bool through_connect = GENERATE(true, false);
  INFO((through_connect ? "CONNECT" : "absolute URL"));
  WebSocket socket = setup.open(through_connect, "/ws?first=hello", {"Sec-WebSocket-Protocol: vite-hmr, other"});
  CHECK(socket.answer().header("upgrade") == "websocket");
  CHECK(socket.answer().header("connection") == "Upgrade");
  CHECK(socket.answer().header("sec-websocket-protocol") == "vite-hmr");
  CHECK_FALSE(socket.answer().has("content-length"));
  CHECK_FALSE(socket.answer().has("transfer-encoding"));
  CHECK(socket.read() == "hello");  // came in one segment with the 101
  socket.send("one");
  socket.ping("ping");
  socket.send("two");
  CHECK(socket.read() == "one");
  CHECK(socket.read() == "two");
  CHECK(socket.pong() == "ping");
  CHECK(socket.close(1000) == 1000);
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
  WebSocket socket = setup.open(true, "/ws?reset=1");
  socket.send("one");
  CHECK(socket.is_reset());

  WebSocket other = setup.open(false, "/ws");
  REQUIRE(eventually([&] { return counter(setup.workspace, "tunnels") == 1; }));  // it counts behind the 101
  other.abort();
  CHECK(eventually([&] { return counter(setup.workspace, "tunnels") == 0; }));
}

TEST_CASE("websocket: 64 MB in one message") {
  Setup setup;
  WebSocket socket = setup.open(true, "/ws");
  const std::string message(static_cast<std::size_t>(scaled(64)) << 20, 'm');
  CHECK((socket.echo(message) == message));
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

TEST_CASE("websocket: Upgrade: WebSocket reaches HTTP/2 as websocket") {
  Workspace first, second({"--alpn", "h2"});
  for (const Workspace* const workspace : {&first, &second}) {
    Proxy proxy({}, workspace);
    const Context context = proxy.routed();
    Client client = proxy.connect();
    client.send(request_text("GET", "ws://localhost:3000/ws?first=hello", context,
                             "Connection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                             "dGhlIHNhbXBsZSBub25jZQ==\r\n"));
    const Response answer = client.read_response();
    INFO(answer.head << answer.body);
    CHECK(answer.status == 101);
    CHECK(answer.header("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  }
}

TEST_CASE("websocket: a key that an HTTP/1 client has not sent is never made up") {
  Workspace first, second({"--alpn", "h2"});
  const std::string keyless = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
  const std::string keyed = keyless + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  SECTION("HTTP/1.1: the workspace judges") {
    Proxy proxy({}, &first);
    const Context context = proxy.routed();
    Client client = proxy.connect();
    // A refused one before it leaves nothing behind on the connection.
    CHECK(client.ask(request_text("GET", "http://localhost:3000/ws-refuse", context, keyed)).status == 403);
    const Response answer = client.ask(request_text("GET", "http://localhost:3000/ws", context, keyless));
    INFO(answer.head << answer.body);
    CHECK(answer.status == 400);
    CHECK_FALSE(answer.has("proxy-status"));
  }
  SECTION("HTTP/2 knows no key: the proxy judges, since it would have to answer for it") {
    Proxy proxy({}, &second);
    const Context context = proxy.routed();
    Client client = proxy.connect();
    const Response answer = client.ask(request_text("GET", "http://localhost:3000/ws", context, keyless));
    INFO(answer.head << answer.body);
    CHECK(answer.status == 400);
    CHECK(answer.body.find("Sec-WebSocket-Key") != std::string::npos);
    CHECK(client.ask(request_text("GET", "http://localhost:3000/", context)).status == 200);
    CHECK(counter(second, "tunnels") == 0);
  }
}

}  // namespace e2e
