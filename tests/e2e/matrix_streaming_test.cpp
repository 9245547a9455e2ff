// Messages while they are on their way, every way through the proxy: interim responses, bodies in pieces, back-pressure.
#include <algorithm>

#include "matrix.hpp"

namespace e2e {

TEST_CASE("matrix: every interim response, in time") {
  matrix([](const Cell& cell) {
    Near near(cell);
    const Answer answer = near.get("/1xx?count=3");
    CHECK(answer.status == 200);
    CHECK(answer.body == "after early hints\n");
    REQUIRE(answer.interim.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
      CHECK(answer.interim[i].status == 103);
      CHECK(answer.interim[i].header("link") == fmt::format("</style{}.css>; rel=preload; as=style", i + 1));
    }
    const Answer unasked = near.get("/broken/unasked-100");
    CHECK(unasked.interim.size() == 1);
    CHECK(unasked.body == "ok");
    CHECK(near.still_serves());
    // It does not wait for what follows, which here comes in an hour.
    const auto asked = near.ask({.path = "/1xx?count=2&gap=3600000"});
    CHECK(asked->head().status == 103);
    asked->abort();
  });
}

TEST_CASE("matrix: a client that waits for 100 gets the workspace's, and only that") {
  matrix([](const Cell& cell) {
    Near near(cell);
    const std::string body(3000, 'x');
    Request request{.method = "POST", .path = "/continue", .fields = {{"Expect", "100-continue"}}, .length = body.size()};
    auto asked = near.ask(request);
    CHECK(asked->head().status == 100);
    asked->send(body);
    asked->finish();
    auto answer = asked->answer();
    CHECK(answer.interim.empty());
    CHECK(number_in(answer.json(), "length") == 3000);
    CHECK(answer.json().at("early") == false);

    request.path = "/echo";
    asked = near.ask(request);
    CHECK(asked->head().status == 100);
    asked->send(body);
    asked->finish();
    answer = asked->answer();
    CHECK(number_in(answer.json(), "length") == 3000);
    const Strings seen = lower_names(echoed_fields(answer.json()));
    CHECK(std::find(seen.begin(), seen.end(), "expect: 100-continue") != seen.end());

    // A client that does not wait.
    request.path = "/upload";
    request.length.reset();
    request.body = body;
    CHECK(number_in(near.ask(request)->answer().json(), "length") == 3000);
    CHECK(near.still_serves());

    // Refused before the body was sent: the final status comes alone.
    request.path = "/refuse-body";
    request.body.reset();
    request.length = body.size();
    asked = near.ask(request);
    answer = asked->answer();
    CHECK(answer.status == 413);
    CHECK(answer.interim.empty());
    CHECK(answer.body == "too large\n");
  });
}

TEST_CASE("matrix: a final response that comes before the body is done reaches the client") {
  matrix([](const Cell& cell) {
    for (const bool streamed : {true, false}) {
      INFO(streamed);
      Near near(cell);
      Request request{.method = "POST", .path = "/refuse-body", .streamed = streamed};
      if (!streamed) request.length = 100'000;
      const auto asked = near.ask(request);
      asked->send("the first piece, and no other");
      const Answer answer = asked->answer();
      CHECK(answer.status == 413);
      CHECK(answer.body == "too large\n");
      if (cell.near().h2) CHECK(near.still_serves());
    }
  });
}

TEST_CASE("matrix: every piece of a body arrives before the next one is there, both ways") {
  matrix([](const Cell& cell) {
    Near near(cell);
    for (const bool streamed : {true, false}) {
      INFO(streamed);
      Request request{.method = "POST", .path = "/mirror", .streamed = streamed};
      if (!streamed) request.length = 5 + 20 * 8;
      const auto asked = near.ask(request);
      asked->send("first");
      CHECK(asked->head().status == 200);
      CHECK(asked->read_until("first") == "first");
      for (int i = 0; i < 20; ++i) {
        const std::string piece = fmt::format("piece {:02}", i);
        asked->send(piece);
        CHECK(asked->read_until(piece) == piece);
      }
      asked->finish();
      CHECK(asked->read_all().empty());
      CHECK(asked->complete());
    }
    CHECK(near.still_serves());
  });
}

TEST_CASE("matrix: events arrive one by one") {
  matrix([](const Cell& cell) {
    Near near(cell);
    const Answer all = near.get("/sse?count=5&gap=5");
    CHECK(all.header("content-type") == "text/event-stream");
    CHECK(all.body.ends_with("id: 5\ndata: event 5\n\n"));
    const auto asked = near.ask({.path = "/sse?gap=3600000"});  // the second comes in an hour
    CHECK(asked->head().status == 200);
    CHECK(asked->read_until("event 1\n\n") == "id: 1\ndata: event 1\n\n");
    asked->abort();
  });
}

TEST_CASE("matrix: 10 MB down, up, and through a mirror") {
  constexpr std::uint64_t kSize = 10'000'000;
  const std::string sum = sha256_of_pattern(kSize);
  const std::string whole = pattern(kSize);
  matrix([&](const Cell& cell) {
    Near near(cell);
    for (const char* const kind : {"bytes", "chunked"}) {
      const auto asked = near.ask({.path = fmt::format("/{}/{}", kind, kSize)});
      CHECK(asked->head().status == 200);
      Digest digest;
      for (std::string piece = asked->read_some(); !piece.empty(); piece = asked->read_some()) digest.add(piece);
      CHECK(asked->complete());
      CHECK(digest.hex() == sum);
    }
    for (const bool streamed : {true, false}) {
      Request request{.method = "PUT", .path = "/upload", .streamed = streamed};
      if (!streamed) request.length = kSize;
      const auto asked = near.ask(request);
      for (std::string_view left = whole; !left.empty(); left.remove_prefix(std::min<std::size_t>(left.size(), 1 << 18)))
        REQUIRE(asked->send(left.substr(0, 1 << 18)));
      asked->finish();
      const auto answer = asked->answer().json();
      CHECK(number_in(answer, "length") == kSize);
      CHECK(text_in(answer, "sha256") == sum);
    }
    // Up and down at once, in step.
    const auto asked = near.ask({.method = "POST", .path = "/mirror", .streamed = true});
    for (std::size_t at = 0; at < kSize / 10;) {
      const std::string_view piece = std::string_view(whole).substr(at, 50'000);
      REQUIRE(asked->send(piece));
      if (at == 0) CHECK(asked->head().status == 200);
      std::string back;
      while (back.size() < piece.size()) {
        const std::string some = asked->read_some();
        if (some.empty()) FAIL("the mirror ends at " << at);
        back += some;
      }
      REQUIRE((back == piece));
      at += piece.size();
    }
    asked->finish();
    CHECK(asked->read_all().empty());
    CHECK(asked->complete());
    CHECK(near.still_serves());
  });
}

// Not reading one response must hold neither the others back nor fill the proxy.
TEST_CASE("matrix: a response that nobody reads stays where it is, and the others go on") {
  matrix([](const Cell& cell) {
    constexpr std::uint64_t kSize = 50 << 20;
    Near near(cell), other(cell);
    CHECK((near.still_serves() && other.still_serves()));
    const std::size_t before = cell.proxy().process().anonymous_kb();
    const auto asked = near.ask({.path = fmt::format("/bytes/{}", kSize)});
    asked->hold();
    CHECK(asked->head().status == 200);
    // The far side has got rid of what it could once others are through many times.
    Near& free = cell.near().h2 ? near : other;
    for (int i = 0; i < 20; ++i) {
      REQUIRE(free.get("/bytes/100000").body.size() == 100'000);
      REQUIRE(other.get("/chunked/100000").body.size() == 100'000);
    }
    if (!slow()) CHECK(cell.proxy().process().anonymous_kb() < before + 8'000);
    asked->go_on();
    Digest digest;
    for (std::string piece = asked->read_some(); !piece.empty(); piece = asked->read_some()) digest.add(piece);
    CHECK(asked->complete());
    static const std::string sum = sha256_of_pattern(kSize);
    CHECK(digest.hex() == sum);
  });
}

// The workspace's /hang takes a request's head and never a byte of its body.
TEST_CASE("matrix: an upload that nobody reads holds its client back, and the others go on") {
  matrix([](const Cell& cell) {
    const std::size_t kSize = (whole_way() ? 150 : 50) << 20;  // the system's buffers on every leg take a share
    if (cell.near().tls && !cell.near().h2) return;            // how much is taken shows in the socket
    Near near(cell), other(cell);
    CHECK((near.still_serves() && other.still_serves()));
    const std::size_t before = cell.proxy().process().anonymous_kb();
    static const std::string whole = pattern(kSize);
    if (cell.near().h2) {
      const auto asked = near.ask({.method = "POST", .path = "/hang", .length = kSize});
      asked->offer(whole);
      for (int i = 0; i < 20; ++i) {
        REQUIRE(near.get("/bytes/100000").body.size() == 100'000);
        REQUIRE(near.ask({.method = "PUT", .path = "/upload", .body = whole.substr(0, 300'000)})->answer().status == 200);
      }
      CHECK(asked->unsent() > kSize / 2);
      if (!slow()) CHECK(cell.proxy().process().anonymous_kb() < before + 8'000);
      asked->abort();
      CHECK(near.still_serves());
    } else {
      const auto asked = near.ask({.method = "POST", .path = "/hang", .length = kSize});
      asked->offer(whole);
      for (int i = 0; i < 20; ++i) REQUIRE(other.get("/bytes/100000").body.size() == 100'000);
      asked->offer({});
      CHECK(asked->unsent() > kSize / 2);
      if (!slow()) CHECK(cell.proxy().process().anonymous_kb() < before + 8'000);
    }
  });
}

}  // namespace e2e
