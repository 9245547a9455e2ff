// Requests and responses as messages, every way through the proxy: what comes through unchanged, and what does not come through.
#include <algorithm>

#include "matrix.hpp"

namespace e2e {
namespace {

// The Host that the workspace has seen, wherever its version of HTTP says it.
std::string host_seen(const boost::json::object& echo) {
  if (text_in(echo, "version") == "HTTP/2") return text_in(echo.at("pseudo").as_object(), ":authority");
  for (const std::string& field : echoed_fields(echo))
    if (lower(field).starts_with("host: ")) return field.substr(6);
  return {};
}

// The other fields that it has seen, names in lower case, without what the route adds.
Strings fields_seen(const boost::json::object& echo) {
  Strings out = lower_names(echoed_fields(echo));
  std::erase_if(out, [](const std::string& field) { return field.starts_with("host: ") || field.starts_with("x-cmux-"); });
  return out;
}

Strings cmux_fields_seen(const boost::json::object& echo) {
  Strings out = lower_names(echoed_fields(echo));
  std::erase_if(out, [](const std::string& field) { return !field.starts_with("x-cmux-"); });
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

TEST_CASE("matrix: each way speaks what it is meant to, and the workspace sees the route's names") {
  Stage stage;
  matrix(stage, kinds(kNear, kTunnelled), [](const Cell& cell) {
    Near near(cell);
    const auto echo = near.get("/echo?a=b%20c").json();
    CHECK(text_in(echo, "version") == (cell.far().h2 ? "HTTP/2" : "HTTP/1.1"));
    CHECK(echo.at("tls") == cell.arrives_over_tls());
    CHECK(text_in(echo, "target") == "/echo?a=b%20c");
    CHECK(number_in(echo, "port") == 3000);
    CHECK(fields_seen(echo).empty());  // nothing that a server on localhost would not see
    CHECK(host_seen(echo) == cell.host());
    if (cell.far().h2) CHECK(text_in(echo.at("pseudo").as_object(), ":scheme") == (cell.arrives_over_tls() ? "https" : "http"));
    CHECK(text_in(echo, "role") == cell.role());
    CHECK(cmux_fields_seen(echo) == cell.cmux_fields());
    CHECK(near.still_serves());
  });
}

TEST_CASE("matrix: methods") {
  matrix([](const Cell& cell) {
    Near near(cell);
    for (const std::string method : {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "X-OWN", "get"}) {
      INFO(method);
      Request request{.method = method, .path = "/echo"};
      if (method != "GET") request.body = "a body";
      const auto echo = near.ask(request)->answer().json();
      CHECK(text_in(echo, "method") == method);
      CHECK(number_in(echo, "length") == (method == "GET" ? 0 : 6));
    }
    if (cell.near().h2) CHECK(near.ask({.method = "OPTIONS", .path = "*"})->answer().body == "nothing at *\n");
  });
}

TEST_CASE("matrix: repeated fields, their order and Set-Cookie") {
  matrix([](const Cell& cell) {
    Near near(cell);
    const Fields sent{{"X-Repeat", "one"},   {"x-lower", "a"},         {"X-Repeat", "two"},
                      {"X-Empty", ""},       {"X-Repeat", "one, two"}, {"Accept-Encoding", "br;q=1, zstd"},
                      {"X-Latin", "caf\xe9"}};
    Strings expected;
    for (const auto& [name, value] : sent) expected.push_back(lower(name) + ": " + value);
    expected.back() = "x-latin: caf\xc3\xa9";  // as JSON has it
    CHECK(fields_seen(near.get("/echo", sent).json()) == expected);

    Strings lines = lower_names(field_lines(near.get("/headers")));
    CHECK(lines == Strings{"x-repeat: one", "x-between: a", "x-repeat: two", "x-lower: b", "x-repeat: one, two",
                           "x-empty: ", "x-latin: caf\xe9", "vary: accept", "vary: origin",
                           "content-type: text/plain; charset=utf-8", "content-length: 8"});
    const Strings cookies = near.get("/cookies").headers("set-cookie");
    REQUIRE(cookies.size() == 3);
    CHECK(cookies[0] == "first=1; Path=/");
    CHECK(cookies[1].starts_with("second=2"));
    CHECK(cookies[2] == "third=a,b; Expires=Wed, 01 Jan 2031 00:00:00 GMT");
  });
}

TEST_CASE("matrix: cookies are one line for HTTP/1, and none is lost") {
  matrix([](const Cell& cell) {
    Near near(cell);
    const auto cookies = [&](const Fields& fields) {
      Strings out;
      for (const std::string& field : fields_seen(near.get("/echo", fields).json()))
        if (field.starts_with("cookie: ")) out.push_back(field.substr(8));
      return out;
    };
    const auto joined = [](const Strings& lines) {
      std::string out;
      for (const std::string& line : lines) out += (out.empty() ? "" : "; ") + line;
      return out;
    };
    const Strings one = cookies({{"Cookie", "a=1; b=2; c=\"3;4\""}});
    CHECK(joined(one) == "a=1; b=2; c=\"3;4\"");
    if (!cell.far().h2) CHECK(one.size() == 1);
    // Crumbs, as HTTP/2 clients send them. Several lines of HTTP/1 stay several where they may.
    const Strings crumbs = cookies({{"Cookie", "a=1"}, {"X-Between", "x"}, {"Cookie", "b=2"}, {"Cookie", "c=3"}});
    CHECK(joined(crumbs) == "a=1; b=2; c=3");
    if (!cell.far().h2 && cell.near().h2) CHECK(crumbs.size() == 1);
  });
}

TEST_CASE("matrix: hop-by-hop fields, credentials and forged X-Cmux end at the proxy; TE: trailers goes on") {
  matrix([](const Cell& cell) {
    Near near(cell);
    Fields sent{{"X-Cmux-Port-Internal", "666"},
                {"X-Cmux-Host-Override", "evil:1"},
                {"X-Cmux-Workspace-Internal", "evil"},
                {"X-Cmux-Proxied", "true"},
                {"X-Stays", "3"}};
    if (cell.near().h2) {
      sent.emplace_back("TE", "trailers");  // of the others there is none (RFC 9113 section 8.2.2)
    } else {
      const Fields hops{{"Connection", "keep-alive, X-Gone , te"},
                        {"X-Gone", "1"},
                        {"Keep-Alive", "timeout=5"},
                        {"Proxy-Connection", "keep-alive"},
                        {"TE", "trailers, gzip;q=0.5"}};
      sent.insert(sent.end(), hops.begin(), hops.end());
    }
    const auto echo = near.get("/echo", sent).json();
    Strings arrived = fields_seen(echo);
    std::erase(arrived, "connection: TE");  // HTTP/1's own for it
    std::sort(arrived.begin(), arrived.end());
    CHECK(arrived == Strings{"te: trailers", "x-stays: 3"});
    CHECK(cmux_fields_seen(echo) == cell.cmux_fields());

    Strings answered =
        lower_names(field_lines(near.get("/headers?h=Connection:keep-alive,%20X-Gone&h=X-Gone:1&h=Keep-Alive:timeout=5"
                                         "&h=Proxy-Connection:close&h=X-Stays:3&h=Upgrade:h2c")));
    if (cell.far().h2) std::erase(answered, "x-gone: 1");  // there it is a field like others: no Connection names it
    CHECK(answered == Strings{"x-stays: 3", "content-type: text/plain; charset=utf-8", "content-length: 8"});
    CHECK(near.still_serves());
  });
}

TEST_CASE("matrix: responses without a body") {
  matrix([](const Cell& cell) {
    Near near(cell);
    const Answer head = near.ask({.method = "HEAD", .path = "/bytes/12345"})->answer();
    CHECK(head.status == 200);
    CHECK(head.header("content-length") == "12345");
    CHECK(near.ask({.method = "HEAD", .path = "/chunked/5000"})->answer().status == 200);
    CHECK(near.still_serves());

    const Answer empty = near.get("/status/204");
    CHECK(empty.status == 204);
    CHECK_FALSE(empty.has("content-length"));
    CHECK_FALSE(empty.has("transfer-encoding"));
    const Answer same = near.get("/status/304", {{"If-None-Match", "\"fake\""}});
    CHECK(same.status == 304);
    CHECK(same.header("etag") == "\"fake\"");
    CHECK(near.still_serves());
  });
}

TEST_CASE("matrix: every status passes as it is, error pages too") {
  matrix([](const Cell& cell) {
    Near near(cell);
    for (const int status : {200, 201, 205, 299, 302, 400, 401, 403, 404, 407, 413, 418,
                             421, 429, 431, 451, 500, 501, 502, 503, 504, 508, 599, 999}) {
      INFO(status);
      const Answer answer = near.get(fmt::format("/status/{}", status));
      CHECK(answer.status == status);
      CHECK_FALSE(answer.has("proxy-status"));
      CHECK(answer.body == (status == 205 ? "" : fmt::format("status {}\n", status)));
    }
  });
}

TEST_CASE("matrix: a redirect elsewhere is not touched") {
  matrix([](const Cell& cell) {
    Near near(cell);
    for (const char* const to : {"https://example.com/next?a=b", "/next", "http://localhost:4000/"}) {
      const Answer answer = near.get(fmt::format("/redirect?to={}&status=307", to));
      CHECK(answer.status == 307);
      CHECK(answer.header("location") == to);
      CHECK(answer.body == "elsewhere\n");
    }
  });
}

TEST_CASE("matrix: bodies, however they are delimited") {
  matrix([](const Cell& cell) {
    Near near(cell);
    for (const char* const kind : {"bytes", "chunked", "close"})
      for (const std::size_t size : {0, 1, 4095, 16'384, 70'000}) {
        INFO(kind << " " << size);
        const Answer answer = near.get(fmt::format("/{}/{}", kind, size));
        CHECK((answer.body == pattern(size)));
        if (kind == std::string_view("bytes")) CHECK(answer.header("content-length") == std::to_string(size));
      }
    for (const std::size_t size : {1, 4095, 70'000}) {
      INFO(size);
      const std::string sum = sha256_of_pattern(size);
      const auto known = near.ask({.method = "PUT", .path = "/echo", .body = pattern(size)})->answer().json();
      CHECK(text_in(known, "sha256") == sum);
      const Strings fields = fields_seen(known);
      CHECK(std::find(fields.begin(), fields.end(), fmt::format("content-length: {}", size)) != fields.end());

      const auto asked = near.ask({.method = "PUT", .path = "/echo", .streamed = true});
      asked->send(pattern(size));
      asked->finish();
      const auto streamed = asked->answer().json();
      CHECK(text_in(streamed, "sha256") == sum);
      for (const std::string& field : fields_seen(streamed)) CHECK_FALSE(field.starts_with("content-length"));
    }
    const auto nothing = near.ask({.method = "POST", .path = "/echo", .body = ""})->answer().json();
    CHECK(number_in(nothing, "length") == 0);
  });
}

TEST_CASE("matrix: trailers, both ways") {
  matrix([](const Cell& cell) {
    Near near(cell);
    Fields fields{{"TE", "trailers"}};
    if (!cell.near().h2) fields.emplace_back("Connection", "TE");
    const Answer answer = near.get("/trailers", fields);
    CHECK(answer.body == "hello trailers\n");
    CHECK(answer.header("trailer") == "X-Count, X-Digest");
    CHECK(lower(answer.trailers) == "x-count: 15\r\nx-digest: fake\r\n");

    const auto asked = near.ask({.method = "POST", .path = "/echo", .fields = {{"Trailer", "X-Sum"}}, .streamed = true});
    asked->send("body");
    asked->finish({{"x-sum", "1"}, {"x-sum", "2"}, {"x-cmux-port-internal", "22"}, {"authorization", "evil"}});
    const auto echo = asked->answer().json();
    CHECK(number_in(echo, "length") == 4);
    CHECK(lower_names(echoed_fields(echo, "trailers")) == Strings{"x-sum: 1", "x-sum: 2"});
    CHECK(near.still_serves());
  });
}

// Of the client's messages HTTP/1 knows nothing that contradicts the length: there the rest is the next request, or is awaited.
TEST_CASE("matrix: a body that is shorter or longer than its length is no request") {
  matrix([](const Cell& cell) {
    if (!cell.near().h2) return;
    Near near(cell);
    for (const char* const body : {"short", "longer than it says"}) {
      INFO(body);
      const auto seen = cell.workspace().requests(), before = aborted(cell.workspace());
      const auto asked = near.ask({.method = "POST", .path = "/upload", .length = 10});
      REQUIRE(eventually([&] { return cell.workspace().requests() == seen + 1; }));
      asked->send(body);
      asked->finish();
      CHECK(asked->read_all().empty());
      CHECK_FALSE(asked->complete());
      CHECK(eventually([&] { return aborted(cell.workspace()) == before + 1; }));
      CHECK(near.still_serves());
    }
  });
}

TEST_CASE("matrix: a client of HTTP/1.0 gets what it understands") {
  Stage stage;
  matrix(stage, {kNear[0], kNear[1]}, [](const Cell& cell) {
    const auto ask = [&](Near& near, const char* path, const char* fields = "") {
      near.h1().send(fmt::format("GET http://localhost:3000{} HTTP/1.0\r\n{}{}\r\n", path, cell.context().auth_line(), fields));
      return near.h1().read_response();
    };
    Near near(cell);
    const Response kept = ask(near, "/bytes/5000", "Connection: keep-alive\r\n");
    CHECK(kept.header("connection") == "keep-alive");
    CHECK(kept.body.size() == 5000);
    CHECK(ask(near, "/1xx?count=3").body == "after early hints\n");  // interim ones are not for it
    CHECK(near.h1().closed_by_peer());
    Near other(cell);
    const Response old = ask(other, "/chunked/5000", "Connection: keep-alive\r\n");
    CHECK_FALSE(old.chunked);
    CHECK((old.body == pattern(5000)));
    CHECK(other.h1().closed_by_peer());
    CHECK_FALSE(other.h1().was_reset());
    Near cut(cell);
    cut.h1().send(fmt::format("GET http://localhost:3000/broken/half-reset HTTP/1.0\r\n{}\r\n", cell.context().auth_line()));
    CHECK(cut.h1().closed_by_peer());
  });
}

TEST_CASE("matrix: a client that has closed its half still gets its answer") {
  Stage stage;
  matrix(stage, {kNear[0], kNear[1]}, [](const Cell& cell) {
    // It has a second without progress, which a busy machine may need for the first connection upstream.
    CHECK(Near(cell).ask({})->answer().status == 200);
    for (const std::string path : {"/", "/slow?head=300", "/bytes/1000000", "/slow?pieces=3&body=100"}) {
      INFO(path);
      Near near(cell);
      const auto asked = near.ask({.path = path});
      near.h1().half_close();
      const Answer answer = asked->answer();
      CHECK(answer.status == 200);
      CHECK(near.h1().closed_by_peer());
    }
    Near near(cell);
    const auto asked = near.ask({.method = "POST", .path = "/upload", .body = "all of it"});
    near.h1().half_close();
    CHECK(number_in(asked->answer().json(), "length") == 9);
  });
}

}  // namespace e2e
