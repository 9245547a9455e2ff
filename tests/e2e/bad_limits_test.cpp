// Requests that are too slow, too large or too many: 408, 413, 414, 431, 503, 504, and what is just within.
#include <fmt/format.h>

#include "rows.hpp"
#include "support.hpp"

using namespace e2e;
using namespace std::string_literals;

namespace {

std::string post(const std::string& fields, const std::string& body) {
  return "POST http://localhost:3000/upload HTTP/1.1\r\nHost: localhost:3000\r\n$A" + fields + "\r\n" + body;
}

std::string get(const std::string& path, const std::string& fields = {}) {
  return "GET http://localhost:3000" + path + " HTTP/1.1\r\nHost: localhost:3000\r\n$A" + fields + "\r\n";
}

}  // namespace

TEST_CASE("408: a header that does not arrive in time, not even byte by byte") {
  Workspace workspace;
  Proxy proxy({"--header-timeout", "300ms"}, &workspace);
  const Context context = proxy.routed();
  check_rows(proxy, workspace, context,
             {{"stops in the request line", "GET http://localh", 408, After::closed},
              {"stops in a field", "GET http://localhost:3000/ HTTP/1.1\r\nHost: l\r\nX-A: b", 408, After::closed},
              {"stops before the empty line", "GET http://localhost:3000/ HTTP/1.1\r\nHost: l\r\n", 408, After::closed}});

  SECTION("a byte now and then does not extend the time") {
    Client client = proxy.connect();
    const auto start = std::chrono::steady_clock::now();
    client.send("GET http://localhost:3000/ HTTP/1.1\r\nX: ");
    bool answered = false;
    for (int i = 0; i < 100 && !answered; ++i) {
      answered = !client.silent(50ms);
      if (!answered) client.send("a");
    }
    CHECK(client.read_response().status == 408);
    CHECK(std::chrono::steady_clock::now() - start < 3s);
  }
  SECTION("an idle connection is not a slow header") {
    Client client = proxy.connect();
    CHECK(client.ask(filled(get("/"), context.auth_line())).status == 200);
    CHECK(client.silent(700ms));
    CHECK(client.ask(filled(get("/"), context.auth_line())).status == 200);
  }
  SECTION("a slow body is not a slow header") {
    Client client = proxy.connect();
    client.send(filled(post("Content-Length: 10\r\n", "01234"), context.auth_line()));
    CHECK(client.silent(700ms));
    CHECK(client.ask("56789").status == 200);
  }
}

TEST_CASE("an idle connection is closed in time, without an answer that nobody asked for") {
  Proxy proxy({"--idle-timeout", "300ms"});
  Client fresh = proxy.connect(), used = proxy.connect();
  CHECK(used.ask("GET http://l/ HTTP/1.1\r\nHost: l\r\n\r\n").status == 407);
  CHECK(fresh.read_all_until_close() == "");
  CHECK(used.read_all_until_close() == "");
}

TEST_CASE("413: bodies over --max-body, by their length or by their chunks") {
  Workspace workspace;
  Proxy proxy({"--max-body", "1000"}, &workspace);
  const Context context = proxy.routed();
  const std::string thousand(1000, 'x');
  const auto chunks = [](const std::string& body) { return fmt::format("{:x}\r\n{}\r\n0\r\n\r\n", body.size(), body); };
  check_rows(
      proxy, workspace, context,
      {{"announced, and sent", post("Content-Length: 1001\r\n", thousand + "x"), 413, After::closed},
       {"announced only", post("Content-Length: 1001\r\n", ""), 413, After::closed},
       {"announced with Expect", post("Expect: 100-continue\r\nContent-Length: 1001\r\n", ""), 413, After::closed},
       {"gigantic", post("Content-Length: 999999999999999999\r\n", ""), 413, After::closed},
       {"in one chunk", post("Transfer-Encoding: chunked\r\n", chunks(thousand + "x")), 413, After::closed, Reach::reached},
       {"in two chunks", post("Transfer-Encoding: chunked\r\n", "3e8\r\n" + thousand + "\r\n1\r\nx\r\n0\r\n\r\n"), 413,
        After::closed, Reach::reached}});
  each("1000 bytes are fine", [&] {
    Client client = proxy.connect();
    CHECK(client.ask(filled(post("Content-Length: 1000\r\n", thousand), context.auth_line())).json().at("length") == 1000);
    CHECK(client.ask(filled(post("Transfer-Encoding: chunked\r\n", chunks(thousand)), context.auth_line())).json().at("length") ==
          1000);
  });
}

TEST_CASE("414: a long target; 431: a long or a long-winded header, naming the field") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  std::string many;
  for (int i = 0; i < 2000; ++i) many += fmt::format("X-Many-{}: v\r\n", i);
  const std::vector<Row> rows = {
      {"target of 40 kB", get("/" + std::string(40'000, 'a')), 414, After::closed},
      {"target of 40 kB, and no end", "GET http://localhost:3000/" + std::string(40'000, 'a'), 414, After::closed},
      {"query of 40 kB", get("/?" + std::string(40'000, 'a')), 414, After::closed},
      {"field of 70 kB", get("/", "X-Large: " + std::string(70'000, 'a') + "\r\n"), 431, After::closed},
      {"field of 70 kB, and no end", "GET http://localhost:3000/ HTTP/1.1\r\nX-Large: " + std::string(70'000, 'a'), 431,
       After::closed},
      {"fields of 70 kB", get("/", "X-A: " + std::string(40'000, 'a') + "\r\nX-Large: " + std::string(30'000, 'a') + "\r\n"), 431,
       After::closed},
      {"2000 fields", get("/", many), 431, After::closed},
  };
  check_rows(proxy, workspace, context, rows);
  for (const std::string& fields : {"X-Large: " + std::string(70'000, 'a') + "\r\n", many})
    each("the answer names the field", [&] {
      const Response response = proxy.get(context, "http://localhost:3000/", fields);
      const std::string name = fields.starts_with("X-Large") ? "X-Large" : "X-Many-";
      INFO(response.head << response.body);
      CHECK(response.body.find(name) != std::string::npos);
      CHECK(response.body.size() < 1000);
      const Response problem = proxy.get(context, "http://localhost:3000/", "Accept: application/json\r\n" + fields);
      CHECK(problem.status == 431);
    });
  each("just below the limits", [&] {
    CHECK(proxy.get(context, "http://localhost:3000/?" + std::string(31'000, 'a')).status == 200);
    CHECK(proxy.get(context, "http://localhost:3000/", "X-Large: " + std::string(60'000, 'a') + "\r\n").status == 200);
  });
}

TEST_CASE("limits are settings: --max-url and --max-header") {
  Workspace workspace;
  Proxy proxy({"--max-url", "1k", "--max-header", "2k"}, &workspace);
  check_rows(proxy, workspace, proxy.routed(),
             {{"target", get("/" + std::string(1100, 'a')), 414, After::closed},
              {"header", get("/", "X-Large: " + std::string(2100, 'a') + "\r\n"), 431, After::closed}});
}

TEST_CASE("503: more requests at work than --max-requests, and the place is free again afterwards") {
  Workspace workspace;
  Proxy proxy({"--max-requests", "1", "--threads", "1"}, &workspace);
  const Context context = proxy.routed();
  Client busy = proxy.connect();
  busy.send(filled(get("/hang"), context.auth_line()));
  const bool hangs = eventually([&] { return workspace.requests() == 1; });
  REQUIRE(hangs);
  Client client = proxy.connect();
  const Response refused = client.ask(filled(get("/"), context.auth_line()));
  check_own_answer(refused, 503);
  CHECK_FALSE(refused.has("Connection"));
  CHECK(workspace.requests() == 1);
  busy.abort();
  Response later;
  CHECK(eventually([&] {
    later = client.ask(filled(get("/"), context.auth_line()));  // on the same connection
    return later.status == 200;
  }));
}

TEST_CASE("504: a workspace that does not answer within --response-timeout") {
  Workspace workspace;
  Proxy proxy({"--response-timeout", "300ms"}, &workspace);
  const Context context = proxy.routed();
  Client client = proxy.connect();
  for (const std::string& path : {"/hang"s, "/slow?head=20000"s})
    each(path, [&] {
      const auto start = std::chrono::steady_clock::now();
      const Response response = client.ask(filled(get(path), context.auth_line()));
      check_own_answer(response, 504);
      CHECK(response.header("Proxy-Status").find("http_response_timeout") != std::string::npos);
      CHECK(response.body.find("cmux-abc-base-3000.cmux.test") != std::string::npos);
      CHECK(std::chrono::steady_clock::now() - start < 5s);
      CHECK_FALSE(response.has("Connection"));  // nothing is out of step with this client
    });
  each("a POST, with its body sent", [&] {
    const Response response = client.ask(
        filled("POST http://localhost:3000/hang HTTP/1.1\r\nHost: l\r\n$AContent-Length: 2\r\n\r\nok", context.auth_line()));
    check_own_answer(response, 504);
  });
  each("both were sent once", [&] { CHECK(workspace.requests() == 3); });
  each("a body that takes longer than that is fine", [&] {
    Response response;
    // Where the machine is busy elsewhere the head may come too late: asked for again.
    CHECK(eventually([&] {
      response = client.ask(filled(get("/slow?body=200&pieces=4"), context.auth_line()));
      return response.status == 200;
    }));
    CHECK(response.body.size() == 4 * 24);
  });
}

TEST_CASE("a request that ends early is refused where somebody still listens") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  struct Part {
    std::string name, bytes;
  };
  const std::vector<Part> parts = {
      {"in the head", "GET http://localhost:3000/ HTTP/1.1\r\nHost: l"},
      {"in a body with a length", post("Content-Length: 100\r\n", "only this")},
      {"in a chunk", post("Transfer-Encoding: chunked\r\n", "64\r\nonly this")},
      {"between chunks", post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n")},
      {"in the trailers", post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\nX-A: b\r\n")},
  };
  for (const Part& part : parts)
    each(part.name, [&] {
      Client client = proxy.connect();
      client.send(filled(part.bytes, context.auth_line()));
      client.half_close();
      check_own_answer(client.read_response(), 400);
      CHECK(client.read_all_until_close() == "");
    });
  // Some heads went upstream before the end was seen, some did not; none looked complete there.
  CHECK(eventually([&] { return aborted(workspace) == workspace.requests(); }));
}

TEST_CASE("the proxy's answers: problem+json for who asks for JSON, no body for HEAD, nothing stored") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  struct Asked {
    std::string head;
    int status;
  };
  const std::vector<Asked> requests = {
      {"GET http://localhost:3000/ HTTP/1.1\r\nHost: l\r\n", 407},
      {"GET / HTTP/1.1\r\nHost: l\r\n$A", 421},
      {"GET http://localhost:3000/broken/garbage HTTP/1.1\r\nHost: l\r\n$A", 502},
  };
  Client client = proxy.connect();
  for (const Asked& asked : requests)
    each(asked.head, [&] {
      const int status = asked.status;
      const std::string start = filled(asked.head, context.auth_line());
      const Response text = client.ask(start + "\r\n");
      check_own_answer(text, status);
      CHECK(text.header("Content-Type").starts_with("text/plain"));
      CHECK(text.header("Cache-Control") == "no-store");
      CHECK(text.body.size() < 1000);

      const Response problem = client.ask(start + "Accept: application/json\r\n\r\n");
      check_own_answer(problem, status);
      CHECK(problem.header("Content-Type").starts_with("application/problem+json"));
      const auto document = problem.json();
      CHECK(document.at("status") == status);
      CHECK(document.at("title").is_string());
      CHECK(document.contains("detail"));

      const Response none = client.ask("HEAD" + start.substr(3) + "\r\n", "HEAD");
      check_own_answer(none, status);
    });
}
