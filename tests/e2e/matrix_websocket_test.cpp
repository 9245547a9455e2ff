// WebSockets and other upgrades, every way through the proxy: HTTP/1.1 Upgrade and extended CONNECT in all combinations.
#include "matrix.hpp"
#include "websocket.hpp"

namespace e2e {
namespace {

// Once the last one has ended, or all but so many.
void check_tunnels_end(const Cell& cell, std::int64_t left = 0) {
  CHECK(eventually([&] { return counter(cell.workspace(), "tunnels") == left; }));
}

std::vector<NearKind> everywhere() { return kinds(kNear, kTunnelled); }

}  // namespace

TEST_CASE("matrix: websocket: subprotocol, a first frame with the 101, echo, ping, close") {
  Stage stage;
  matrix(stage, everywhere(), [](const Cell& cell) {
    Near near(cell);
    Opened opened = near.websocket("/ws?first=hello", {{"Sec-WebSocket-Protocol", "vite-hmr, other"}});
    CHECK(opened.answer.header("sec-websocket-protocol") == "vite-hmr");
    CHECK_FALSE(opened.answer.has("content-length"));
    CHECK_FALSE(opened.answer.has("transfer-encoding"));
    if (cell.near().h2) {
      CHECK(opened.answer.status == 200);
      CHECK_FALSE(opened.answer.has("sec-websocket-accept"));
      CHECK_FALSE(opened.answer.has("upgrade"));
    } else {
      CHECK(opened.answer.status == 101);
      CHECK(opened.answer.header("upgrade") == "websocket");
      CHECK(opened.answer.header("connection") == "Upgrade");
      CHECK(opened.answer.header("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");  // RFC 6455 section 1.3
    }
    opened.must_stand();
    const std::string first = plain_frame(1, "hello");
    CHECK(opened.bytes.read_exactly(first.size()) == first);
    opened.bytes.send(frame(1, "one") + frame(9, "ping"));
    const std::string echo = plain_frame(1, "one") + plain_frame(10, "ping");
    CHECK(opened.bytes.read_exactly(echo.size()) == echo);
    for (int i = 0; i < 20; ++i) {
      opened.bytes.send(frame(2, "message"));
      CHECK(opened.bytes.read_exactly(9) == plain_frame(2, "message"));
    }
    opened.bytes.send(frame(8, "\x0f\xa1"));  // 4001
    CHECK(opened.bytes.read_exactly(4) == plain_frame(8, "\x0f\xa1"));
    CHECK(opened.bytes.closed_by_peer());
    CHECK_FALSE(opened.bytes.was_reset());
    check_tunnels_end(cell);
    if (cell.near().h2) CHECK(near.still_serves());
  });
}

TEST_CASE("matrix: websocket: the server's close code") {
  Stage stage;
  matrix(stage, everywhere(), [](const Cell& cell) {
    Near near(cell);
    Opened opened = near.websocket("/ws?close=4002");
    opened.must_stand();
    CHECK(opened.bytes.read_exactly(4) == plain_frame(8, "\x0f\xa2"));
    opened.bytes.send(frame(8, "\x0f\xa2"));
    CHECK(opened.bytes.closed_by_peer());
    CHECK_FALSE(opened.bytes.was_reset());
  });
}

TEST_CASE("matrix: websocket: extensions pass, and compressed frames are left alone") {
  Stage stage;
  matrix(stage, everywhere(), [](const Cell& cell) {
    Near near(cell);
    Opened opened = near.websocket("/ws?deflate", {{"Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"}});
    CHECK(opened.answer.header("sec-websocket-extensions") == "permessage-deflate");
    opened.must_stand();
    std::string compressed = frame(1, "not really");
    compressed[0] = static_cast<char>(compressed[0] | 0x40);  // RSV1
    opened.bytes.send(compressed);
    std::string expected = plain_frame(1, "not really");
    expected[0] = static_cast<char>(expected[0] | 0x40);
    CHECK((opened.bytes.read_exactly(expected.size()) == expected));
  });
}

TEST_CASE("matrix: websocket: frames sent together with the handshake wait for its answer") {
  Stage stage;
  matrix(stage, everywhere(), [](const Cell& cell) {
    Near near(cell);
    Opened opened = near.open_tunnel(
        "websocket", {.path = "/ws", .fields = {{"Sec-WebSocket-Version", "13"}}, .body = frame(2, "eager") + frame(1, "too")});
    opened.must_stand();
    const std::string echo = plain_frame(2, "eager") + plain_frame(1, "too");
    CHECK(opened.bytes.read_exactly(echo.size()) == echo);
  });
}

TEST_CASE("matrix: websocket: 2 MB in one message") {
  Stage stage;
  const std::string payload(2'000'000, 'm');
  matrix(stage, everywhere(), [&](const Cell& cell) {
    Near near(cell);
    Opened opened = near.websocket("/ws");
    opened.must_stand();
    const std::string message = frame(2, payload);
    std::string back;
    // Both ways in step, as the echo needs it.
    for (std::size_t at = 0; at < message.size();) {
      const std::string_view piece = std::string_view(message).substr(at, 30'000);
      REQUIRE(opened.bytes.send(piece));
      at += piece.size();
      while (back.size() + 4 < at) {
        const std::string some = opened.bytes.read_some();
        if (some.empty()) FAIL("the echo ends after " << back.size() << " bytes");
        back += some;
      }
    }
    CHECK(back.size() == payload.size() + 10);
    CHECK((back.substr(10) == payload));
  });
}

TEST_CASE("matrix: websocket: what refuses an upgrade reaches the client as it is") {
  Stage stage;
  matrix(stage, everywhere(), [](const Cell& cell) {
    Near near(cell);
    const Opened refused = near.websocket("/ws-refuse");
    CHECK(refused.answer.status == 403);
    CHECK(refused.answer.header("x-refused") == "yes");
    CHECK(refused.answer.body == "no WebSocket here\n");
    CHECK_FALSE(refused.answer.has("proxy-status"));
    CHECK(near.still_serves());
    for (const int status : {302, 401, 404, 426, 500}) {
      Near other(cell);
      const Opened answered = other.websocket(fmt::format("/status/{}", status));
      CHECK(answered.answer.status == status);
      CHECK(answered.answer.body == fmt::format("status {}\n", status));
    }
  });
}

// Dev servers answer paths that they do not know with a page. To an extended CONNECT 200 would say that the tunnel stands.
TEST_CASE("matrix: websocket: 200 for an upgrade opens nothing") {
  Stage stage;
  matrix(stage, everywhere(), [](const Cell& cell) {
    if (cell.far().h2) return;
    Near near(cell);
    const Opened opened = near.websocket("/bytes/10");
    if (cell.near().h2) {
      check_own_answer(opened.answer, 502);
    } else {
      CHECK(opened.answer.status == 200);
      CHECK(opened.answer.body == pattern(10));
    }
  });
}

TEST_CASE("matrix: websocket: a handshake that is answered wrong is 502") {
  Stage stage;
  matrix(stage, everywhere(), [](const Cell& cell) {
    Strings names{"reset", "garbage", "close"};
    if (!cell.far().h2) names.insert(names.end(), {"ws-accept", "ws-no-accept", "ws-other"});
    for (const std::string& name : names) {
      INFO(name);
      Near near(cell);
      const Opened opened = near.websocket("/broken/" + name);
      check_own_answer(opened.answer, 502);
    }
  });
}

TEST_CASE("matrix: websocket: a reset on one side resets the other") {
  Stage stage;
  matrix(stage, everywhere(), [](const Cell& cell) {
    Near near(cell);
    Opened opened = near.websocket("/ws?reset=1");
    opened.must_stand();
    opened.bytes.send(frame(1, "one"));
    REQUIRE(opened.bytes.closed_by_peer());
    CHECK(opened.bytes.was_reset());

    Near another(cell);
    Opened standing = another.websocket("/ws");
    standing.must_stand();
    standing.bytes.send(frame(1, "one"));
    standing.bytes.read_exactly(5);
    check_tunnels_end(cell, 1);
    standing.bytes.abort();
    check_tunnels_end(cell);
    if (cell.near().h2) CHECK(another.still_serves());
  });
}

TEST_CASE("matrix: an upgrade to any protocol, and each half closes on its own") {
  Stage stage;
  matrix(stage, everywhere(), [](const Cell& cell) {
    Near near(cell);
    Opened opened = near.open_tunnel("my-proto/2", {.path = "/upgrade/my-proto%2F2?first=hi"});
    opened.must_stand();
    if (!cell.near().h2) CHECK(opened.answer.header("upgrade") == "my-proto/2");
    CHECK(opened.bytes.read_exactly(2) == "hi");
    opened.bytes.send("raw bytes\r\n\r\n");
    CHECK(opened.bytes.read_exactly(13) == "raw bytes\r\n\r\n");
    opened.bytes.half_close();
    CHECK(opened.bytes.read_all_until_close() == "bye");  // sent at our end
    CHECK_FALSE(opened.bytes.was_reset());
    check_tunnels_end(cell);
    Near other(cell);
    CHECK(other.get("/upgrade/x").status == 426);
  });
}

// RFC 8441 section 3: what is not announced must not be used. The workspace speaks HTTP/1.1 as well.
TEST_CASE("matrix: websocket: to an HTTP/2 workspace without extended CONNECT it goes over HTTP/1.1") {
  for (const char* const how : {"--h2-no-connect-protocol", "--h2-connect-protocol-zero"}) {
    Stage stage({}, {how});
    matrix(stage, everywhere(), [&](const Cell& cell) {
      if (!cell.far().h2) return;
      INFO(how);
      Near near(cell);
      Opened opened = near.websocket("/ws", {{"Sec-WebSocket-Protocol", "one"}});
      opened.must_stand();
      CHECK(opened.answer.header("sec-websocket-protocol") == "one");
      opened.bytes.send(frame(1, "one"));
      CHECK(opened.bytes.read_exactly(5) == plain_frame(1, "one"));
      Near other(cell);
      CHECK(text_in(other.get("/echo").json(), "version") == "HTTP/2");  // which stays what requests are sent over
    });
  }
}

TEST_CASE("matrix: 50 WebSockets over one connection, beside requests") {
  Stage stage;
  matrix(stage, everywhere(), [](const Cell& cell) {
    if (!cell.near().h2) return;
    Near near(cell);
    std::vector<Opened> all;
    for (int i = 0; i < 50; ++i) all.push_back(near.websocket("/ws"));
    for (int i = 0; i < 50; ++i) {
      all[static_cast<std::size_t>(i)].must_stand();
      all[static_cast<std::size_t>(i)].bytes.send(frame(1, fmt::format("number {:02}", i)));
    }
    CHECK(near.still_serves());
    for (int i = 0; i < 50; ++i)
      CHECK(all[static_cast<std::size_t>(i)].bytes.read_exactly(11) == plain_frame(1, fmt::format("number {:02}", i)));
    all.clear();
    check_tunnels_end(cell);
    CHECK(near.still_serves());
  });
}

TEST_CASE("matrix: releasing a context ends its WebSockets and tunnels") {
  Stage stage;
  matrix(stage, kinds(kNear), [](const Cell& cell) {
    const Context mine = cell.stage().context(cell.far());
    Near near(cell), single(cell);
    Opened kept = near.websocket("/ws");
    Near& second = cell.near().h2 ? near : single;
    Request request{.path = "/ws", .fields = {{"Sec-WebSocket-Version", "13"}}, .context = &mine};
    Opened ended = second.open_tunnel("websocket", request);
    kept.must_stand();
    ended.must_stand();
    REQUIRE(cell.proxy().api("DELETE", "/v1/contexts/" + mine.id).status == 200);
    CHECK(ended.bytes.closed_by_peer());
    kept.bytes.send(frame(1, "one"));
    CHECK(kept.bytes.read_exactly(5) == plain_frame(1, "one"));
    check_tunnels_end(cell, 1);
  });
}

}  // namespace e2e
