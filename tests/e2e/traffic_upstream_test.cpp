// The far side of the traffic: pooled connections, retries, responses that break, clients that leave.
#include "support.hpp"

namespace e2e {
namespace {

const std::string kUrl = "http://localhost:3000";

Strings to_origin(const Workspace& workspace) {
  return {"--cmux-proxy-origin",
          fmt::format("http://127.0.0.1:{}", workspace.http_port()),
          "--morph-id",
          "abc",
          "--scope",
          "base",
          "--domain-suffix",
          "cmux.test"};
}

// A path whose upstream connection breaks at the next request that uses it.
void leave_behind(Client& client, const Context& context, std::string_view path) {
  const Response response = client.ask(request_text("GET", kUrl + std::string(path), context));
  if (response.status != 200) FAIL(path << ": " << response.head);
}

}  // namespace

TEST_CASE("upstream: 100 requests of two contexts use one connection") {
  Workspace workspace;
  Proxy proxy({"--threads", "1"}, &workspace);
  const Context first = proxy.routed(), second = proxy.routed();
  Client one = proxy.connect(), other = proxy.connect();
  std::int64_t connection = 0;
  for (int i = 1; i <= 100; ++i) {
    const auto echo = (i % 2 ? one : other).ask(request_text("GET", kUrl + "/echo", i % 2 ? first : second)).json();
    if (i == 1) connection = number_in(echo, "connection");
    REQUIRE(number_in(echo, "connection") == connection);
    REQUIRE(number_in(echo, "request") == i);
  }
  // Another port is another origin of that route.
  const auto echo = one.ask(request_text("GET", "http://localhost:3001/echo", first)).json();
  CHECK(number_in(echo, "connection") != connection);
}

TEST_CASE("upstream: TLS sessions are resumed") {
  Workspace workspace;
  Proxy proxy({"--threads", "1"}, &workspace);
  const Context context = proxy.routed();
  for (int i = 0; i < 3; ++i) {
    const auto echo = proxy.get(context, kUrl + "/echo", "Connection: close\r\n").json();
    Client client = proxy.connect();
    leave_behind(client, context, "/keepalive-close");
    INFO(i);
    CHECK(echo.at("resumed") == (i > 0));
  }
}

TEST_CASE("upstream: a body that was too long to be kept is not sent again") {
  Upstream upstream;
  Proxy proxy;
  const Context context = proxy.context();
  Client client = proxy.connect();
  client.send(request_text("GET", upstream.url(), context));
  Peer peer = upstream.accept();
  peer.read_until("\r\n\r\n");
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  CHECK(client.read_response().status == 200);
  const std::string body(200'000, 'x');
  client.send(request_text("PUT", upstream.url(), context, {}, body));
  std::string seen = peer.read_until("\r\n\r\n");
  const std::size_t whole = seen.find("\r\n\r\n") + 4 + body.size();
  while (seen.size() < whole) seen += peer.read_some();
  peer.close();
  CHECK(client.read_response("PUT").status == 502);
  CHECK_FALSE(upstream.is_asked(milliseconds(0)));
}

TEST_CASE("upstream: a pooled connection that turns out to be closed") {
  Workspace workspace;
  Proxy proxy({"--threads", "1"}, &workspace);
  const Context context = GENERATE(true, false) ? proxy.routed() : proxy.context(to_origin(workspace));
  const std::string home = proxy.get(context, kUrl + "/").body;
  Client client = proxy.connect();

  SECTION("GET is sent again") {
    leave_behind(client, context, "/drop-next");
    const auto answer = client.ask(request_text("GET", kUrl + "/visit/get", context));
    CHECK(answer.status == 200);
    CHECK(visits(workspace, "get") == 1);
    CHECK(counter(workspace, "dropped") == 1);
  }
  SECTION("POST is not: it may have been seen") {
    leave_behind(client, context, "/drop-next");
    for (const std::string_view body : {"", "a body"}) {
      const Response answer = client.ask(request_text("POST", kUrl + "/visit/post", context, {}, body));
      if (body.empty()) {
        CHECK(answer.status == 502);
        CHECK(answer.header("proxy-status").starts_with("cmuxproxy; error="));
        CHECK(visits(workspace, "post") == 0);
      } else {
        CHECK(answer.status == 200);
        CHECK(visits(workspace, "post") == 1);
      }
    }
    CHECK(counter(workspace, "dropped") == 1);
  }
  SECTION("PUT is, with a body that is still at hand") {
    leave_behind(client, context, "/drop-next");
    const Response answer = client.ask(request_text("PUT", kUrl + "/echo", context, {}, "a body"));
    CHECK(answer.status == 200);
    CHECK(number_in(answer.json(), "length") == 6);
    CHECK(counter(workspace, "dropped") == 1);
  }
  SECTION("one that was closed before is not used, for POST either") {
    for (int i = 1; i <= 20; ++i) {
      leave_behind(client, context, "/keepalive-close");
      if (i % 2) REQUIRE(eventually([&] { return counter(workspace, "open") == 1; }));  // the asking one
      const Response answer = client.ask(request_text(i % 2 ? "POST" : "GET", kUrl + "/visit/closed", context));
      INFO(i << answer.head << answer.body);
      REQUIRE(answer.status == 200);
    }
    CHECK(visits(workspace, "closed") == 20);
  }
  SECTION("bytes that nobody asked for are no answer") {
    for (const char* const path : {"/broken/long", "/broken/204-body"}) {
      INFO(path);
      const Response first = client.ask(request_text("GET", kUrl + path, context));
      CHECK((first.status == 200 || first.status == 204));
      const Response next = client.ask(request_text("GET", kUrl + "/", context));
      CHECK(next.body == home);
    }
    client.send(request_text("HEAD", kUrl + "/broken/head-body", context));
    CHECK(client.read_response("HEAD").status == 200);
    CHECK(client.ask(request_text("GET", kUrl + "/", context)).body == home);
  }
}

// Else every later answer on that connection would be the one before: some other client's.
TEST_CASE("upstream: bytes that come while a connection is idle are no answer") {
  Proxy proxy({"--threads", "1"});
  const Context context = proxy.context();
  Upstream upstream;
  Client client = proxy.connect();
  client.send(request_text("GET", upstream.url(), context));
  Peer peer = upstream.accept();
  peer.read_until("\r\n\r\n");
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst");
  CHECK(client.read_response().body == "first");
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled");
  client.send(request_text("GET", upstream.url("/second"), context));
  REQUIRE(upstream.is_asked(kPatience));  // on a new connection
  Peer next = upstream.accept();
  CHECK(next.read_until("\r\n\r\n").starts_with("GET /second "));
  next.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond");
  CHECK(client.read_response().body == "second");
}

TEST_CASE("upstream: an answer that comes before the body is done reaches the client") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  TempDir folder;
  write_file(folder / "50mb", std::string(50 << 20, 'x'));
  for (const char* const framing : {"Content-Type: a/b", "Transfer-Encoding: chunked"}) {
    INFO(framing);
    const Run sent = run({"curl", "-sS", "--noproxy", "", "-x", context.proxy_url, "-H", "Expect:", "-H", framing, "-T",
                          folder / "50mb", "-w", "%{http_code}", kUrl + "/refuse-body"});
    CHECK(sent.out == "too large\n413");
  }
  CHECK(proxy.process().peak_kb() < (slow() ? 2'000'000 : 20'000));
  // The rest of a short body is read, and the connection goes on.
  Client client = proxy.connect();
  CHECK(client.ask(request_text("POST", kUrl + "/status/200", context, {}, std::string(1000, 'x'))).status == 200);
  CHECK(client.ask(request_text("GET", kUrl + "/", context)).status == 200);
}

TEST_CASE("upstream: a response that breaks midway does not look complete") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = GENERATE(true, false) ? proxy.routed() : proxy.context(to_origin(workspace));
  Client client = proxy.connect();
  for (const char* const path : {"/broken/short", "/broken/half-reset"}) {
    INFO(path);
    client.connect(proxy.port());
    client.send(request_text("GET", kUrl + path, context));
    // Where the upstream's reset is quick, the end may be all that there is to see.
    const std::string all = client.read_all_until_close();
    const std::size_t body = all.find("\r\n\r\n");
    CHECK((all.empty() || all.find("Content-Length: 100\r\n") < body));
    CHECK((all.empty() || all.size() - body - 4 < 100));
  }
  for (const char* const path : {"/broken/half-chunk", "/broken/no-last-chunk", "/broken/chunk", "/broken/chunk-end"}) {
    INFO(path);
    client.connect(proxy.port());
    client.send(request_text("GET", kUrl + path, context, "Connection: close\r\n"));  // a 502 would leave it open
    CHECK(client.read_all_until_close().find("\r\n0\r\n") == std::string::npos);
  }
}

TEST_CASE("upstream: a body that is delimited by the connection's end does not look complete when that was an abort") {
  Proxy proxy;
  const Context context = proxy.context();
  Upstream upstream;
  const char* const version = GENERATE("1.1", "1.0");
  INFO(version);
  Client client = proxy.connect();
  client.send(fmt::format("GET {} HTTP/{}\r\nHost: a\r\n{}\r\n", upstream.url(), version, context.auth_line()));
  Peer peer = upstream.accept();
  peer.read_until("\r\n\r\n");
  peer.send("HTTP/1.1 200 OK\r\n\r\npart");
  client.read_until("part");
  peer.abort();
  REQUIRE(client.closed_by_peer());
  if (version == std::string_view("1.0")) CHECK(client.was_reset());  // chunks without the last one tell as much
  else CHECK(client.read_all_until_close() == "\r\n");
}

// RFC 9112 section 9.8: over TLS such a body is complete only if close_notify has come; a bare FIN may be an attacker's.
TEST_CASE("upstream: a body that is delimited by the connection's end, cut without close_notify") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  Client client = proxy.connect();
  client.send(request_text("GET", kUrl + "/broken/truncate", context));
  client.read_until("ends by a bare FIN\r\n");
  CHECK(client.read_some() == "");  // no last chunk, but the end

  client = proxy.connect();
  client.send(fmt::format("GET {}/broken/truncate HTTP/1.0\r\n{}\r\n", kUrl, context.auth_line()));
  REQUIRE(client.closed_by_peer());
  CHECK(client.was_reset());
}

TEST_CASE("upstream: broken before a response is 502, and the client's connection stays") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  Client client = proxy.connect();
  for (const char* const path : {"reset",    "close",  "half-head", "garbage",  "version",    "status",     "cl-te",
                                 "two-cl",   "bad-cl", "te-gzip",   "te-twice", "bad-header", "bad-name",   "space-colon",
                                 "no-colon", "nul",    "bare-cr",   "bare-lf",  "switch",     "big-header", "many-headers"}) {
    const Response response = client.ask(request_text("GET", fmt::format("{}/broken/{}", kUrl, path), context));
    INFO(path << ": " << response.head << response.body);
    CHECK(response.status == 502);
    CHECK(response.header("proxy-status").starts_with("cmuxproxy; error="));
    CHECK(response.body.find("cmux-abc-base-3000.cmux.test") != std::string::npos);  // to where
  }
  CHECK(client.ask(request_text("GET", kUrl + "/", context)).status == 200);
}

TEST_CASE("upstream: a client that leaves cancels what goes on for it") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  const char* const path =
      GENERATE("/hang", "/sse?count=0&gap=1", "/slow?head=3600000", "/slow?pieces=9&body=3600000", "/1xx?gap=3600000");
  const bool hard = GENERATE(true, false);
  INFO(path << (hard ? " reset" : " closed"));
  const auto before = aborted(workspace);
  const auto seen = counter(workspace, "requests");
  Client client = proxy.connect();
  client.send(request_text("GET", kUrl + path, context));
  REQUIRE(eventually([&] { return workspace.requests() > 0 && counter(workspace, "requests") > seen + 1; }));
  if (hard) client.abort();
  else client.close();
  CHECK(eventually([&] { return aborted(workspace) == before + 1; }));
}

TEST_CASE("upstream: an upload whose client leaves is cut short, not ended") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  const bool chunked = GENERATE(true, false), hard = GENERATE(true, false);
  Client client = proxy.connect();
  client.send(
      request_text("POST", kUrl + "/upload", context, chunked ? "Transfer-Encoding: chunked\r\n" : "Content-Length: 1000\r\n") +
      (chunked ? "4\r\nbody\r\n" : "body"));
  // Not before the body has begun to arrive there.
  Client mirror = proxy.connect();
  mirror.send(request_text("POST", kUrl + "/mirror", context, "Content-Length: 10\r\n") + "12345");
  mirror.read_until("12345");
  REQUIRE(eventually([&] { return workspace.requests() == 2; }));  // with several workers the first may come second
  if (hard) client.abort();
  else client.close();
  CHECK(eventually([&] { return aborted(workspace) == 1; }));
  mirror.half_close();
  CHECK(mirror.read_all_until_close().find("\r\n0\r\n") == std::string::npos);
}

TEST_CASE("upstream: a client that has closed its half still gets its answer") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  for (const char* const path : {"/", "/slow?head=400", "/bytes/3000000", "/slow?pieces=6&body=200"}) {
    INFO(path);
    const std::size_t size = path == std::string_view("/") ? 35 : path[1] == 'b' ? 3'000'000 : path[6] == 'h' ? 24 : 144;
    Client client = proxy.connect();
    client.send(request_text("GET", kUrl + path, context));
    client.half_close();
    CHECK(client.read_response().body.size() == size);
    CHECK(client.closed_by_peer());
  }
  Client client = proxy.connect();
  client.send(request_text("POST", kUrl + "/upload", context, {}, "all of it"));
  client.half_close();
  CHECK(number_in(client.read_response().json(), "length") == 9);
  CHECK(aborted(workspace) == 0);
}

}  // namespace e2e
