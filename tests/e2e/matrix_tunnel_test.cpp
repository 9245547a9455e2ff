// CONNECT, every way through the proxy: to anywhere, and to localhost through the route's own proxy.
#include <algorithm>

#include "matrix.hpp"
#include "tunnel_ends.hpp"

namespace e2e {
namespace {

// Once the last one has ended.
void check_tunnels_end(const Cell& cell) {
  CHECK(eventually([&] { return counter(cell.workspace(), "tunnels") == 0; }));
}

}  // namespace

TEST_CASE("matrix: CONNECT to a TCP server that speaks first") {
  Stage stage;
  RawServer server;
  const Context plain = stage.proxy.context();
  matrix(stage, kinds(kNear), [&](const Cell& cell) {
    Near near(cell);
    const Request request{.target = fmt::format("127.0.0.1:{}", server.port()), .context = &plain};
    Opened opened = near.open_tunnel("", request);
    REQUIRE(opened.answer.status == 200);
    CHECK_FALSE(opened.answer.has("content-length"));
    CHECK(opened.bytes.read_until("\r\n") == "220 ready\r\n");
    const std::string large(300'000, 'l');
    opened.bytes.send(large);
    CHECK((opened.bytes.read_exactly(large.size()) == large));
    opened.bytes.send("last words");
    opened.bytes.half_close();
    CHECK(opened.bytes.read_all_until_close() == "last words");
    CHECK_FALSE(opened.bytes.was_reset());
    if (cell.near().h2) CHECK(near.still_serves());
  });
}

TEST_CASE("matrix: each direction of a CONNECT ends on its own") {
  Stage stage;
  const Context plain = stage.proxy.context();
  matrix(stage, kinds(kNear), [&](const Cell& cell) {
    if (cell.far().h2 || cell.far().tls) return;  // no workspace has a part in this
    Upstream upstream;
    const Request request{.target = fmt::format("127.0.0.1:{}", upstream.port()), .context = &plain};
    const auto open = [&](Near& near) {
      Opened opened = near.open_tunnel("", request);
      REQUIRE(opened.answer.status == 200);
      return std::move(opened.bytes);
    };
    each("the server's first", [&] {
      Near near(cell);
      Client client = open(near);
      Peer peer = upstream.accept();
      peer.send("all I have to say");
      peer.half_close();
      CHECK(client.read_all_until_close() == "all I have to say");
      CHECK_FALSE(client.was_reset());
      client.send("thanks");
      CHECK(peer.read_until("thanks") == "thanks");
      client.half_close();
      CHECK(peer.read_some().empty());
      CHECK_FALSE(peer.was_reset());
    });
    each("the client's first", [&] {
      Near near(cell);
      Client client = open(near);
      Peer peer = upstream.accept();
      client_ends_first(client, peer);
    });
    each("a reset of the server's", [&] {
      Near near(cell);
      Client client = open(near);
      Peer peer = upstream.accept();
      peer.abort();
      REQUIRE(client.closed_by_peer());
      CHECK(client.was_reset());
      if (cell.near().h2) CHECK(near.still_serves());
    });
    each("a reset of the client's", [&] {
      Near near(cell);
      Client client = open(near);
      Peer peer = upstream.accept();
      client.abort();
      peer.wait_for_end();
      CHECK(peer.was_reset());
      if (cell.near().h2) CHECK(near.still_serves());
    });
  });
}

TEST_CASE("matrix: CONNECT that cannot be") {
  Stage stage;
  const Context plain = stage.proxy.context();
  std::uint16_t unused = 0;
  { unused = Upstream().port(); }
  matrix(stage, kinds(kNear), [&](const Cell& cell) {
    if (cell.far().h2 || cell.far().tls) return;
    Near near(cell);
    const auto connect = [&](const std::string& target) {
      return near.open_tunnel("", {.target = target, .context = &plain}).answer;
    };
    const Response refused = connect(fmt::format("127.0.0.1:{}", unused));
    check_own_answer(refused, 502);
    CHECK(refused.header("proxy-status").find("connection_refused") != std::string::npos);
    CHECK(connect("does-not-exist.invalid:1").header("proxy-status").find("dns_error") != std::string::npos);
    CHECK(near.still_serves());
    check_own_answer(connect("localhost:0"), 400);
  });
}

// In a CONNECT to localhost what is no request goes through the route's own proxy.
TEST_CASE("matrix: raw tunnels through cmuxProxyOrigin") {
  Stage stage;
  matrix(stage, kinds(kNear), [](const Cell& cell) {
    if (cell.far().tls) return;  // their routes have none
    if (whole_way()) return;     // gateway_way_test.cpp: it ends at a server of its own, and not in the workspace's proxy
    const Context route = cell.stage().context(cell.far(), {"--header", "X-Token: s3cret"});
    Near near(cell);
    {
      Opened opened = near.open_tunnel("", {.target = "localhost:5432", .context = &route});
      REQUIRE(opened.answer.status == 200);
      const std::string startup("\0\0\0\x08\x04\xd2\x16\x2f", 8);  // as PostgreSQL clients begin
      opened.bytes.send(startup);
      CHECK(opened.bytes.read_exactly(startup.size()) == startup);
      const auto connect = cell.workspace().get("/last-connect");
      CHECK(text_in(connect, "target") == "localhost:5432");
      CHECK(number_in(connect, "port") == 5432);
      const Strings fields = lower_names(echoed_fields(connect));
      for (const char* const field : {"x-cmux-port-internal: 5432", "x-cmux-host-override: localhost:5432", "x-token: s3cret"})
        CHECK(std::find(fields.begin(), fields.end(), field) != fields.end());
      for (const std::string& field : fields) CHECK_FALSE(field.starts_with("proxy-authorization"));
      opened.bytes.half_close();
      CHECK(opened.bytes.read_all_until_close().empty());
      CHECK_FALSE(opened.bytes.was_reset());
      check_tunnels_end(cell);
    }
    Near second(cell);
    Opened first = second.open_tunnel("", {.target = "127.0.0.1:2222", .context = &route});
    CHECK(first.bytes.read_until("\r\n") == "SSH-2.0-fake\r\n");  // the server speaks first
    first.bytes.send("GET / HTTP/1.1\r\n\r\n");                   // by now this is no request
    CHECK(first.bytes.read_exactly(18) == "GET / HTTP/1.1\r\n\r\n");
    first.bytes.send("the end");
    first.bytes.half_close();
    CHECK(first.bytes.read_all_until_close() == "the end");
    check_tunnels_end(cell);

    Near third(cell);
    Opened refused = third.open_tunnel("", {.target = "localhost:1", .context = &route});
    refused.bytes.send("\x01\x02");
    CHECK(refused.bytes.closed_by_peer());
    if (cell.near().h2) CHECK(third.still_serves());

    // A silent one is asked after, and dropped when it turns out to be HTTP.
    Near fourth(cell);
    Opened silent = fourth.open_tunnel("", {.target = kTarget, .context = &route});
    REQUIRE(eventually([&] { return counter(cell.workspace(), "tunnels") == 1; }));
    CHECK(silent.bytes.ask("GET /echo HTTP/1.1\r\nHost: localhost:3000\r\n\r\n").status == 200);
    check_tunnels_end(cell);
  });
}

}  // namespace e2e
