// What breaks, is refused or given up, every way through the proxy.
#include <algorithm>

#include "matrix.hpp"

namespace e2e {
namespace {

void check_502(const Answer& answer, const Cell& cell) {
  check_own_answer(answer, 502);
  CHECK(answer.body.find(cell.destination()) != std::string::npos);  // to where
}

// A workspace of HTTP/1.1 breaks in other ways than one of HTTP/2.
Strings of_version(const Cell& cell, Strings both, const Strings& h1, const Strings& h2) {
  const Strings& more = cell.far().h2 ? h2 : h1;
  both.insert(both.end(), more.begin(), more.end());
  return both;
}

}  // namespace

TEST_CASE("matrix: broken before a response is 502, and the client's connection stays") {
  matrix([](const Cell& cell) {
    Near near(cell);
    for (const std::string& name :
         of_version(cell,
                    {"reset", "close", "half-head", "garbage", "status", "two-cl", "bad-cl", "cl-te", "te-gzip", "bad-header",
                     "bad-name", "nul", "bare-cr", "bare-lf", "switch", "big-header", "many-headers"},
                    {"version", "te-twice", "space-colon", "no-colon"},
                    {"connection-field", "no-status", "two-status", "late-status", "unknown-pseudo", "request-pseudo",
                     "space-colon", "tcp-reset", "data-first", "hpack", "goaway"})) {
      INFO(name);
      check_502(near.get("/broken/" + name), cell);
      CHECK(near.still_serves());
    }
  });
}

TEST_CASE("matrix: a response that breaks off behind its head never looks complete") {
  matrix([](const Cell& cell) {
    for (const std::string& name :
         of_version(cell, {"short", "half-reset", "truncate"}, {"chunk", "chunk-end", "half-chunk", "no-last-chunk"},
                    {"rst-after-head", "padding", "frame-size", "trailer-pseudo"})) {
      INFO(name);
      if (name == "truncate" && !cell.far().h2 && !cell.arrives_over_tls()) continue;  // there the end is the end
      Near near(cell);
      const auto asked = near.ask({.path = "/broken/" + name});
      const Response head = asked->head();
      if (head.status == 502) {
        CHECK(head.header("proxy-status").starts_with("cmuxproxy; error="));
        continue;
      }
      CHECK(head.status == 200);
      asked->read_all();
      CHECK_FALSE(asked->complete());
      if (cell.near().h2) CHECK(near.still_serves());
    }
  });
}

TEST_CASE("matrix: what follows a response is never taken for the next one") {
  matrix([](const Cell& cell) {
    Near near(cell);
    for (const std::string name : {"long", "204-body"}) {
      INFO(name);
      const auto asked = near.ask({.path = "/broken/" + name});
      const Response head = asked->head();
      // HTTP/2 knows that the whole response is wrong, HTTP/1 that something follows it.
      if (!cell.far().h2) CHECK(head.status == (name == "long" ? 200 : 204));
      else CHECK((head.status == 200 || head.status == 204 || head.status == 502));
      CHECK(asked->read_all().find("smuggled") == std::string::npos);
      if (cell.far().h2 && !cell.near().h2) near = Near(cell);  // it may have ended with the response
      for (int i = 0; i < 3; ++i) CHECK(near.still_serves());
    }
  });
}

TEST_CASE("matrix: without credentials it is 407, for that request alone") {
  Stage stage;
  matrix(stage, kinds(kNear), [](const Cell& cell) {
    Near near(cell);
    std::unique_ptr<Asked> beside;
    if (cell.near().h2) {
      beside = near.ask({.method = "POST", .path = "/mirror", .streamed = true});
      CHECK(beside->head().status == 200);
    }
    const auto seen = cell.workspace().requests();
    const Context& good = cell.context();
    Context wrong = good;
    wrong.password = std::string(24, '0');
    for (const std::string method : {"GET", "HEAD", "POST"})
      for (const Context* const context : {static_cast<const Context*>(nullptr), static_cast<const Context*>(&wrong)}) {
        INFO(method << (context ? ", wrong" : ", none"));
        Request request{.method = method, .path = "/echo", .context = context, .credentials = context != nullptr};
        if (method == "POST") request.body = "hello";
        const Answer refused = near.ask(request)->answer();
        check_own_answer(refused, 407);
        CHECK(refused.header("proxy-authenticate") == "Basic realm=\"Cmux Preview Proxy\"");
        CHECK(refused.body == (method == "HEAD" ? "" : "Proxy Authentication Required"));
        CHECK_FALSE(refused.has("connection"));
      }
    const Opened tunnel = near.open_tunnel("", {.credentials = false});
    CHECK(tunnel.answer.status == 407);
    CHECK(cell.workspace().requests() == seen);
    CHECK(near.still_serves());
    if (beside) {
      beside->send("still there");
      CHECK(beside->read_until("there") == "still there");
      beside->finish();
      CHECK(beside->read_all().empty());
      CHECK(beside->complete());
    }
  });
}

TEST_CASE("matrix: 431 names the field, 414 is a long target") {
  matrix([](const Cell& cell) {
    Near near(cell);
    const auto again = [&] {
      if (!cell.near().h2) near = Near(cell);
      CHECK(near.still_serves());
    };
    const Answer large = near.get("/", {{"X-First", std::string(50'000, 'a')}, {"X-Large", std::string(60'000, 'a')}});
    check_own_answer(large, 431);
    CHECK(lower(large.body).find("x-large") != std::string::npos);
    CHECK(large.body.size() < 1000);
    again();
    Fields many;
    for (int i = 0; i < 2000; ++i) many.emplace_back(fmt::format("X-Many-{}", i), "v");
    const Answer lines = near.get("/", many);
    check_own_answer(lines, 431);
    CHECK(lower(lines.body).find("x-many-") != std::string::npos);
    again();
    check_own_answer(near.get("/" + std::string(40'000, 'a')), 414);
    again();
  });
}

TEST_CASE("matrix: 413 for a body over --max-body, announced or not") {
  Stage stage({"--max-body", "1000"});
  matrix(stage, kinds(kNear), [](const Cell& cell) {
    Near near(cell);
    const std::string thousand(1000, 'x');
    CHECK(near.ask({.method = "POST", .path = "/upload", .body = thousand})->answer().status == 200);
    auto asked = near.ask({.method = "POST", .path = "/upload", .streamed = true});
    asked->send(thousand);
    asked->finish();
    CHECK(number_in(asked->answer().json(), "length") == 1000);

    check_own_answer(near.ask({.method = "POST", .path = "/upload", .length = 1001})->answer(), 413);
    if (!cell.near().h2) near = Near(cell);
    CHECK(near.still_serves());
    asked = near.ask({.method = "POST", .path = "/upload", .streamed = true});
    asked->send(thousand);
    asked->send("x");
    check_own_answer(asked->answer(), 413);
    if (!cell.near().h2) near = Near(cell);
    CHECK(near.still_serves());
  });
}

TEST_CASE("matrix: a client that gives up cancels what goes on for it") {
  matrix([](const Cell& cell) {
    for (const std::string path :
         {"/hang", "/sse?count=0&gap=5", "/slow?head=3600000", "/slow?pieces=9&body=3600000", "/1xx?gap=3600000"}) {
      INFO(path);
      const auto before = aborted(cell.workspace()), seen = cell.workspace().requests();
      Near near(cell);
      const auto asked = near.ask({.path = path});
      if (path.starts_with("/sse") || path.starts_with("/slow?pieces")) CHECK(asked->head().status == 200);
      if (path.starts_with("/1xx")) CHECK(asked->head().status == 103);
      REQUIRE(eventually([&] { return cell.workspace().requests() == seen + 1; }));
      asked->abort();
      CHECK(eventually([&] { return aborted(cell.workspace()) == before + 1; }));
      if (cell.near().h2) CHECK(near.still_serves());
    }
  });
}

TEST_CASE("matrix: an upload whose client leaves is cut short, not ended") {
  matrix([](const Cell& cell) {
    for (const bool streamed : {true, false}) {
      INFO(streamed);
      const auto before = aborted(cell.workspace());
      Near near(cell);
      Request request{.method = "POST", .path = "/upload", .streamed = streamed};
      if (!streamed) request.length = 1000;
      const auto seen = cell.workspace().requests();
      const auto asked = near.ask(request);
      asked->send("the beginning");
      REQUIRE(eventually([&] { return cell.workspace().requests() == seen + 1; }));
      asked->abort();
      CHECK(eventually([&] { return aborted(cell.workspace()) == before + 1; }));
    }
  });
}

TEST_CASE("matrix: releasing a context ends what goes on under it, and nothing else") {
  Stage stage;
  matrix(stage, kinds(kNear), [](const Cell& cell) {
    const Context mine = cell.stage().context(cell.far());
    Near near(cell), single(cell), other(cell);
    const auto before = aborted(cell.workspace()), seen = cell.workspace().requests();
    // Over HTTP/2 they all share one connection.
    Near& second = cell.near().h2 ? near : single;
    Near& third = cell.near().h2 ? near : other;
    const auto streaming = near.ask({.path = "/slow?pieces=2&body=3600000", .context = &mine});
    CHECK(streaming->head().status == 200);
    const auto waiting = second.ask({.path = "/hang", .context = &mine});
    const auto beside = third.ask({.method = "POST", .path = "/mirror", .streamed = true});
    CHECK(beside->head().status == 200);
    REQUIRE(eventually([&] { return cell.workspace().requests() == seen + 3; }));
    REQUIRE(cell.proxy().api("DELETE", "/v1/contexts/" + mine.id).status == 200);
    streaming->read_all();
    CHECK_FALSE(streaming->complete());
    if (cell.near().h2) CHECK(waiting->read_some().empty());  // ended, with or without an answer
    else CHECK(single.h1().closed_by_peer());
    beside->send("still there");
    CHECK(beside->read_until("there") == "still there");
    beside->finish();
    CHECK(beside->read_all().empty());
    CHECK(third.ask({.path = "/echo", .context = &mine})->answer().status == 407);
    CHECK(third.still_serves());
    CHECK(eventually([&] { return aborted(cell.workspace()) == before + 2; }));
  });
}

TEST_CASE("matrix: the proxy's own addresses are 508") {
  Stage stage;
  matrix(stage, kinds(kNear), [](const Cell& cell) {
    Near near(cell);
    for (const std::uint16_t port : {cell.proxy().port(), cell.proxy().admin_port()})
      for (const char* const host : {"127.0.0.1", "localhost", "[::ffff:127.0.0.1]"}) {
        const std::string target = fmt::format("{}:{}", host, port);
        INFO(target);
        check_own_answer(near.ask({.path = "/healthz", .target = target})->answer(), 508);
        CHECK(near.open_tunnel("", {.target = target}).answer.status == 508);
      }
    for (const char* const scheme : {"http", "h2c"}) {
      const Context looped =
          cell.proxy().context({"--cmux-proxy-origin", fmt::format("{}://127.0.0.1:{}", scheme, cell.proxy().port())});
      check_own_answer(near.ask({.context = &looped})->answer(), 508);
    }
    CHECK(near.still_serves());
  });
}

TEST_CASE("matrix: a tunnel serves its own target alone, and takes no CONNECT") {
  Stage stage;
  matrix(stage, kinds(kTunnelled), [](const Cell& cell) {
    Near near(cell);
    const auto seen = cell.workspace().requests();
    for (const std::string target : {"localhost:3001", "localhost", "example.com", "127.0.0.1:3000", "app.localhost:3000"}) {
      INFO(target);
      check_own_answer(near.ask({.path = "/echo", .target = target})->answer(), 421);
    }
    CHECK(near.open_tunnel("", {.target = "localhost:3000"}).answer.status == 400);
    CHECK(cell.workspace().requests() == seen);
    CHECK(near.ask({.path = "/echo", .target = "LOCALHOST.:3000"})->answer().status == 200);
    CHECK(near.still_serves());
  });
}

TEST_CASE("matrix: the proxy's answers are problem+json for who asks for JSON") {
  matrix([](const Cell& cell) {
    Near near(cell);
    struct Refused {
      Request request;
      int status;
    };
    for (Refused row : {Refused{{.credentials = false}, 407}, Refused{{.path = "/broken/garbage"}, 502},
                        Refused{{.target = fmt::format("127.0.0.1:{}", cell.proxy().port())}, 508}}) {
      INFO(row.status);
      const Answer text = near.ask(row.request)->answer();
      check_own_answer(text, row.status);
      CHECK(text.header("content-type").starts_with("text/plain"));
      CHECK(text.header("cache-control") == "no-store");
      row.request.fields = {{"Accept", "application/json"}};
      const Answer problem = near.ask(row.request)->answer();
      check_own_answer(problem, row.status);
      CHECK(problem.header("content-type").starts_with("application/problem+json"));
      CHECK(problem.json().at("status") == row.status);
      CHECK(problem.json().at("title").is_string());
      row.request.method = "HEAD";
      check_own_answer(near.ask(row.request)->answer(), row.status);
    }
  });
}

}  // namespace e2e
