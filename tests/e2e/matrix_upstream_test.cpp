// The far side, every way through the proxy: shared and kept connections, what is sent again and what is not, limits, stopping.
#include <algorithm>

#include "matrix.hpp"
#include "websocket.hpp"

namespace e2e {
namespace {

void expect(Near& near, std::string_view path) {
  const Answer answer = near.get(path);
  if (answer.status != 200) FAIL(path << ": " << answer.head << answer.body);
}

bool has(const Strings& fields, std::string_view wanted) {
  return std::find(fields.begin(), fields.end(), wanted) != fields.end();
}

}  // namespace

TEST_CASE("matrix: requests of two contexts one after another use one connection to the workspace") {
  Stage stage({"--threads", "1"});
  matrix(stage, kinds(kNear), [](const Cell& cell) {
    const Context second = cell.stage().context(cell.far());
    Near one(cell), other(cell);
    const auto connection = number_in(one.get("/echo").json(), "connection");
    for (int i = 0; i < 20; ++i) {
      const auto echo = (i % 2 ? one : other).ask({.path = "/echo", .context = i % 2 ? nullptr : &second})->answer().json();
      REQUIRE(number_in(echo, "connection") == connection);
    }
  });
}

TEST_CASE("matrix: an HTTP/2 workspace gets all requests over one connection, those at once too") {
  Stage stage({"--threads", "1"});
  matrix(stage, kinds(kNear), [](const Cell& cell) {
    if (!cell.far().h2) return;
    Near first(cell);
    expect(first, "/echo");
    const auto before = counter(cell.workspace(), "h2");
    std::vector<std::unique_ptr<Near>> nears;
    std::vector<std::unique_ptr<Asked>> asked;
    for (int i = 0; i < 20; ++i) {
      if (i == 0 || !cell.near().h2) nears.push_back(std::make_unique<Near>(cell));
      asked.push_back(nears.back()->ask({.method = "POST", .path = "/mirror", .streamed = true}));
    }
    for (const auto& one : asked) CHECK(one->head().status == 200);
    for (const auto& one : asked) one->send("all of them are open now");
    for (const auto& one : asked) one->finish();
    for (const auto& one : asked) CHECK(one->read_all() == "all of them are open now");
    CHECK(counter(cell.workspace(), "h2") == before);
  });
}

TEST_CASE("matrix: a kept connection that turns out to be closed") {
  int row = 0;
  const auto run = [&](const Cell& cell) {
    Near near(cell);
    const auto key = [&](const char* name) { return fmt::format("{}-{}", name, ++row); };
    const auto dropped = [&] { return counter(cell.workspace(), "dropped"); };
    each("GET is sent again", [&] {
      const auto before = dropped();
      expect(near, "/drop-next");
      const std::string get = key("get");
      CHECK(near.get("/visit/" + get).status == 200);
      CHECK(visits(cell.workspace(), get) == 1);
      CHECK(dropped() == before + 1);
    });
    each("POST is not: it may have been seen", [&] {
      expect(near, "/drop-next");
      const std::string post = key("post");
      const Answer refused = near.ask({.method = "POST", .path = "/visit/" + post, .body = "a body"})->answer();
      check_own_answer(refused, 502);
      CHECK(visits(cell.workspace(), post) == 0);
      CHECK(near.ask({.method = "POST", .path = "/visit/" + post, .body = "a body"})->answer().status == 200);
      CHECK(visits(cell.workspace(), post) == 1);
    });
    each("PUT is, with a body that is still at hand", [&] {
      expect(near, "/drop-next");
      const Answer answer = near.ask({.method = "PUT", .path = "/echo", .body = "a body"})->answer();
      CHECK(answer.status == 200);
      CHECK(number_in(answer.json(), "length") == 6);
    });
    each("one that was closed before is not used, for POST either", [&] {
      const std::string closed = key("closed");
      for (int i = 1; i <= 6; ++i) {
        expect(near, "/keepalive-close");
        // A GET may still meet the closing connection. This question is a connection, too.
        if (i % 2) REQUIRE(eventually([&] { return counter(cell.workspace(), "open") == 1; }));
        const Answer answer = near.ask({.method = i % 2 ? "POST" : "GET", .path = "/visit/" + closed})->answer();
        INFO(i << answer.head << answer.body);
        REQUIRE(answer.status == 200);
      }
      CHECK(visits(cell.workspace(), closed) == 6);
    });
    each("an upgrade is sent again", [&] {
      expect(near, "/drop-next");
      Opened opened = near.websocket("/ws");
      opened.must_stand();
      opened.bytes.send(frame(1, "one"));
      CHECK(opened.bytes.read_exactly(5) == plain_frame(1, "one"));
    });
  };
  // A stage of its own for each kind of workspace: no other connection is open there.
  for (const FarKind& far : kFar) {
    Stage stage({"--threads", "1"});
    const Context context = stage.context(far);
    for (const NearKind& near : kNear)
      each(fmt::format("client {}, workspace {}", near.name, far.name), [&] { run(Cell(stage, near, far, context)); });
  }
}

TEST_CASE("matrix: 100 requests at once, or in one write, are each answered with their own") {
  matrix([](const Cell& cell) {
    Near near(cell);
    const auto request = [](int i) {
      const std::string path = i % 4 == 3 ? fmt::format("/bytes/{}", 3000 + i) : fmt::format("/echo?n={}", i);
      return Request{.method = i % 4 == 1 ? "POST" : "GET",
                     .path = path,
                     .body = i % 4 == 1 ? std::optional<std::string>("a body") : std::nullopt};
    };
    std::vector<std::unique_ptr<Asked>> all;
    for (int i = 0; i < 100; ++i) all.push_back(near.ask(request(i)));
    for (int i = 0; i < 100; ++i) {
      INFO(i);
      Response answer;
      if (cell.near().h2) answer = all[static_cast<std::size_t>(i)]->answer();
      else answer = near.h1().read_response();  // in order, from one stream of bytes
      REQUIRE(answer.status == 200);
      if (i % 4 == 3) REQUIRE((answer.body == pattern(static_cast<std::uint64_t>(3000 + i))));
      else REQUIRE(text_in(answer.json(), "target") == fmt::format("/echo?n={}", i));
    }
  });
}

TEST_CASE("matrix: one connection of a client, requests of four contexts to all kinds of workspaces") {
  Stage stage;
  std::vector<Context> contexts;
  for (const FarKind& far : kFar) contexts.push_back(stage.context(far));
  for (const NearKind& kind : kNear)
    each(kind.name, [&] {
      const Cell cell(stage, kind, kFar[0], contexts[0]);
      Near near(cell);
      for (int round = 0; round < 10; ++round) {
        std::vector<std::unique_ptr<Asked>> asked;
        for (const Context& context : contexts) asked.push_back(near.ask({.path = "/echo", .context = &context}));
        for (std::size_t i = 0; i < kFar.size(); ++i) {
          const Response answer = kind.h2 ? asked[i]->answer() : near.h1().read_response();
          REQUIRE(text_in(answer.json(), "server") == (kFar[i].h2 ? "second" : "first"));
          REQUIRE(answer.json().at("tls") == (kFar[i].tls && !whole_way()));
        }
      }
    });
}

TEST_CASE("matrix: the route's headers go on its requests and preflights, in place of the client's") {
  Stage stage;
  matrix(stage, kinds(kNear), [](const Cell& cell) {
    const Context route = cell.stage().context(cell.far(), {"--header", "X-Preview-Token: s3cret"});
    Near near(cell);
    for (const std::string method : {"GET", "OPTIONS"}) {
      const Request request{.method = method, .path = "/echo", .fields = {{"x-preview-TOKEN", "forged"}}, .context = &route};
      const Strings seen = lower_names(echoed_fields(near.ask(request)->answer().json()));
      CHECK(has(seen, "x-preview-token: s3cret"));
      CHECK_FALSE(has(seen, "x-preview-token: forged"));
    }
    CHECK_FALSE(has(lower_names(echoed_fields(near.get("/echo").json())), "x-preview-token: s3cret"));
  });
}

TEST_CASE("matrix: a changed route holds for new requests, what is under way goes on, tunnels close") {
  Stage stage;
  matrix(stage, kinds(kNear), [](const Cell& cell) {
    const Context context = cell.stage().context(cell.far());
    Near near(cell), single(cell), other(cell);
    Near& second = cell.near().h2 ? near : single;
    Near& third = cell.near().h2 ? near : other;
    const auto running = near.ask({.method = "POST", .path = "/mirror", .streamed = true, .context = &context});
    CHECK(running->head().status == 200);
    Opened tunnel =
        second.open_tunnel("websocket", {.path = "/ws", .fields = {{"Sec-WebSocket-Version", "13"}}, .context = &context});
    tunnel.must_stand();
    REQUIRE(
        cell.proxy()
            .api("PATCH", "/v1/contexts/" + context.id, R"({"route":{"morphId":"new","scope":"two","domainSuffix":"cmux.test"}})")
            .status == 200);
    CHECK(third.ask({.context = &context})->answer().body == "workspace new scope two port 3000\n");
    CHECK(tunnel.bytes.closed_by_peer());
    running->send("still there");
    CHECK(running->read_until("there") == "still there");
    running->finish();
    CHECK(running->read_all().empty());
    CHECK(running->complete());
  });
}

TEST_CASE("matrix: 504 for a response that does not begin in time") {
  // On a machine that is busy elsewhere a request may not even have left by then, and a response's head be late: asked again.
  Stage stage({"--response-timeout", "400ms"});
  matrix(stage, kinds(kNear), [](const Cell& cell) {
    Near near(cell);
    const auto before = aborted(cell.workspace());
    std::int64_t asked = 0;
    CHECK(eventually([&] {
      ++asked;
      const Answer late = near.get("/hang");
      check_own_answer(late, 504);
      CHECK(late.body.find(cell.next_hop()) != std::string::npos);
      return eventually([&] { return aborted(cell.workspace()) > before; }, 3s);
    }));
    CHECK(aborted(cell.workspace()) <= before + asked);
    CHECK(eventually([&] { return near.get("/slow?body=200&pieces=3").body.size() == 3 * 24; }));  // a body may take longer
    CHECK(eventually([&] { return near.still_serves(); }));
  });
}

TEST_CASE("matrix: 503 for more than --max-requests") {
  Stage stage({"--max-requests", "2", "--threads", "1"});
  matrix(stage, kinds(kNear), [](const Cell& cell) {
    Near first(cell), second(cell), third(cell);
    Near& beside = cell.near().h2 ? first : second;
    Near& more = cell.near().h2 ? first : third;
    const auto one = first.ask({.method = "POST", .path = "/mirror", .streamed = true});
    const auto two = beside.ask({.method = "POST", .path = "/mirror", .streamed = true});
    CHECK((one->head().status == 200 && two->head().status == 200));
    check_own_answer(more.get("/"), 503);
    one->finish();
    CHECK(one->read_all().empty());
    CHECK(eventually([&] { return more.get("/").status == 200; }));
    two->finish();
    CHECK(two->read_all().empty());
  });
}

TEST_CASE("matrix: stopping lets requests under way finish, and HTTP/2 clients are told") {
  for (const FarKind& far : kFar)
    for (const NearKind& kind : kNear)
      each(fmt::format("client {}, workspace {}", kind.name, far.name), [&] {
        Stage stage;
        const Context context = stage.context(far);
        const Cell cell(stage, kind, far, context);
        Near near(cell), idle(cell);
        CHECK(idle.still_serves());
        const auto asked = near.ask({.method = "POST", .path = "/mirror", .streamed = true});
        CHECK(asked->head().status == 200);
        stage.proxy.process().signal(SIGTERM);
        // Who has nothing under way is let go at once.
        if (kind.h2) {
          CHECK(idle.h2().closed_by_peer());
          CHECK(idle.h2().goaway_code() == 0);
        } else {
          CHECK(idle.h1().closed_by_peer());
        }
        asked->send("until the end");
        CHECK(asked->read_until("end") == "until the end");
        asked->finish();
        CHECK(asked->read_all().empty());
        CHECK(asked->complete());
        if (kind.h2) {
          CHECK(near.h2().closed_by_peer());
          CHECK(near.h2().goaway_code() == 0);
        } else {
          CHECK(near.h1().closed_by_peer());
        }
        CHECK(stage.proxy.process().wait() == 0);
      });
}

}  // namespace e2e
