// Raw bytes both ways: CONNECT to anywhere, and CONNECT to localhost through the route's own proxy.
#include "support.hpp"

namespace e2e {
namespace {

struct Setup {
  Workspace workspace;
  Proxy proxy{{}, &workspace};
  Context context = proxy.context({"--cmux-proxy-origin", fmt::format("http://127.0.0.1:{}", workspace.http_port()), "--morph-id",
                                   "abc", "--scope", "two", "--domain-suffix", "cmux.test", "--header", "X-Token: s3cret"});
};

}  // namespace

TEST_CASE("tunnel: through cmuxProxyOrigin, the client speaks first") {
  Setup setup;
  Client client = tunnel(setup.proxy, setup.context, "localhost:5432");
  const std::string startup("\0\0\0\x08\x04\xd2\x16\x2f", 8);  // as PostgreSQL clients begin
  client.send(startup);
  CHECK(client.read_exactly(startup.size()) == startup);
  client.send("more");
  CHECK(client.read_exactly(4) == "more");

  const auto connect = setup.workspace.get("/last-connect");
  CHECK(text_in(connect, "target") == "localhost:5432");
  CHECK(number_in(connect, "port") == 5432);
  CHECK(text_in(connect, "scope") == "two");
  Strings fields = echoed_fields(connect);
  for (const char* const field : {"X-Cmux-Port-Internal: 5432", "X-Cmux-Host-Override: localhost:5432",
                                  "X-Cmux-Workspace-Internal: two", "X-Token: s3cret"}) {
    INFO(field);
    CHECK(std::find(fields.begin(), fields.end(), field) != fields.end());
  }
  for (const std::string& field : fields) CHECK_FALSE(field.starts_with("Proxy-Authorization"));

  client.half_close();
  CHECK(client.read_all_until_close().empty());
  CHECK_FALSE(client.was_reset());
  CHECK(eventually([&] { return counter(setup.workspace, "tunnels") == 0; }));
}

TEST_CASE("tunnel: through cmuxProxyOrigin, the server speaks first") {
  Setup setup;
  Client client = tunnel(setup.proxy, setup.context, "127.0.0.1:2222");
  CHECK(client.read_until("\r\n") == "SSH-2.0-fake\r\n");
  client.send("GET / HTTP/1.1\r\n\r\n");  // by now this is no request
  CHECK(client.read_exactly(18) == "GET / HTTP/1.1\r\n\r\n");
  client.send("the end");
  client.half_close();
  CHECK(client.read_all_until_close() == "the end");
  CHECK_FALSE(client.was_reset());
}

TEST_CASE("tunnel: a silent one stays undecided") {
  Setup setup;
  Client client = tunnel(setup.proxy, setup.context, "localhost:3000");
  // After 300 ms the workspace is asked whether it speaks first.
  REQUIRE(eventually([&] { return counter(setup.workspace, "tunnels") == 1; }));
  SECTION("a request line makes it HTTP, and the raw tunnel is dropped") {
    CHECK(client.ask("GET / HTTP/1.1\r\nHost: localhost:3000\r\n\r\n").body == "workspace fake scope two port 3000\n");
    CHECK(client.ask("GET / HTTP/1.1\r\nHost: localhost:3000\r\n\r\n").status == 200);
    CHECK(eventually([&] { return counter(setup.workspace, "tunnels") == 0; }));
  }
  SECTION("anything else is raw") {
    client.send("EHLO example\r\n");
    CHECK(client.read_until("\r\n") == "EHLO example\r\n");
    CHECK(counter(setup.workspace, "tunnels") == 1);
  }
  SECTION("the client leaves") {
    const bool hard = GENERATE(true, false);
    if (hard) client.abort();
    else client.close();
    CHECK(eventually([&] { return counter(setup.workspace, "tunnels") == 0; }));
  }
}

TEST_CASE("tunnel: silent ones of a route without cmuxProxyOrigin wait for their request") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  Client client = tunnel(proxy, context, "localhost:3000");
  CHECK(client.silent(400ms));
  CHECK(client.ask("GET / HTTP/1.1\r\nHost: localhost:3000\r\n\r\n").status == 200);
  // Byte by byte.
  Client slowly = tunnel(proxy, context, "localhost:3000");
  for (const char c : std::string("GET / HTTP/1.1\r\nHost: localhost:3000\r\n\r\n")) slowly.send(std::string(1, c));
  CHECK(slowly.read_response().status == 200);
}

TEST_CASE("tunnel: a protocol that only cmuxProxyOrigin could carry is closed, and the log says why") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  Client client = tunnel(proxy, proxy.routed(), "localhost:5432");
  client.send(std::string("\0\0\0\x08\x04\xd2\x16\x2f", 8));
  CHECK(client.closed_by_peer());
  CHECK(eventually([&] { return proxy.process().stderr_text().find("localhost:5432") != std::string::npos; }));
  CHECK(proxy.process().stderr_text().find("cmuxProxyOrigin") != std::string::npos);
}

TEST_CASE("tunnel: one that the workspace refuses is closed, and the log says why") {
  Setup setup;
  Client client = tunnel(setup.proxy, setup.context, "localhost:1");
  client.send("\x01\x02");
  CHECK(client.closed_by_peer());
  CHECK(eventually([&] { return setup.proxy.process().stderr_text().find("502") != std::string::npos; }));
}

TEST_CASE("tunnel: CONNECT to a TCP server that speaks first") {
  RawServer server;
  Proxy proxy;
  const Context context = proxy.context();
  Client client = tunnel(proxy, context, fmt::format("127.0.0.1:{}", server.port()));
  CHECK(client.read_until("\r\n") == "220 ready\r\n");
  const std::string large(300'000, 'l');
  client.send(large);
  CHECK(client.read_exactly(large.size()) == large);
  client.send("last words");
  client.half_close();
  CHECK(client.read_all_until_close() == "last words");
  CHECK_FALSE(client.was_reset());
}

TEST_CASE("tunnel: each direction of a CONNECT ends on its own") {
  Proxy proxy;
  const Context context = proxy.context();
  Upstream upstream;
  Client client = tunnel(proxy, context, fmt::format("127.0.0.1:{}", upstream.port()));
  Peer peer = upstream.accept();
  SECTION("the server's first") {
    peer.send("all I have to say");
    peer.half_close();
    CHECK(client.read_all_until_close() == "all I have to say");
    client.send("and I go on");
    CHECK(peer.read_until("go on") == "and I go on");
    client.half_close();
    CHECK(peer.read_some().empty());
    CHECK_FALSE(peer.was_reset());
  }
  SECTION("the client's first") {
    client.send("a question");
    client.half_close();
    CHECK(peer.read_until("question") == "a question");
    CHECK(peer.read_some().empty());
    CHECK_FALSE(peer.was_reset());
    peer.send("an answer");
    peer.close();
    CHECK(client.read_all_until_close() == "an answer");
    CHECK_FALSE(client.was_reset());
  }
  SECTION("a reset of the server's") {
    peer.abort();
    REQUIRE(client.closed_by_peer());
    CHECK(client.was_reset());
  }
  SECTION("a reset of the client's") {
    client.abort();
    peer.wait_for_end();
    CHECK(peer.was_reset());
  }
}

TEST_CASE("tunnel: CONNECT that cannot be") {
  Proxy proxy;
  const Context context = proxy.context();
  std::uint16_t unused = 0;
  { unused = Upstream().port(); }
  Client client = proxy.connect();
  const auto connect = [&](std::string_view authority) {
    return client.ask(fmt::format("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n{1}\r\n", authority, context.auth_line()), "CONNECT");
  };
  const Response refused = connect(fmt::format("127.0.0.1:{}", unused));
  CHECK(refused.status == 502);
  CHECK(refused.header("proxy-status").find("connection_refused") != std::string::npos);
  CHECK(refused.body.find(std::to_string(unused)) != std::string::npos);
  // The connection stays for another try.
  CHECK(connect("does-not-exist.invalid:1").header("proxy-status").find("dns_error") != std::string::npos);
  RawServer server;
  CHECK(connect(fmt::format("127.0.0.1:{}", server.port())).status == 200);
  CHECK(client.read_until("\r\n") == "220 ready\r\n");
}

}  // namespace e2e
