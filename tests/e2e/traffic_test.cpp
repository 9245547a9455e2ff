// Requests and responses as messages: what must come through the proxy unchanged, and what must not come through at all.
#include "support.hpp"

namespace e2e {
namespace {

const std::string kUrl = "http://localhost:3000";

Strings sorted_names(const Strings& lines) {
  Strings out;
  for (const std::string& line : lines) {
    std::string name = line.substr(0, line.find(':'));
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    out.push_back(name);
  }
  std::sort(out.begin(), out.end());
  return out;
}

// Is the connection of a client whose exchange is over still good for another?
bool still_serves(Client& client, const Context& context) {
  client.send(request_text("GET", kUrl + "/", context));
  return client.read_response().body == "workspace abc scope base port 3000\n";
}

}  // namespace

TEST_CASE("traffic: the line that ctx create prints for curl works") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Run created =
      proxy.cli({"ctx", "create", "--morph-id", "abc", "--scope", "base", "--domain-suffix", "cmux.test", "--format", "curl"});
  REQUIRE(created.exit == 0);
  const Run fetched = run({"/bin/sh", "-c", created.out});
  CHECK(fetched.exit == 0);
  CHECK(fetched.out == "workspace abc scope base port 3000\n");
  // Variables that would lead curl past the proxy do not count.
  CHECK(run({"/bin/sh", "-c", created.out}, {"NO_PROXY=localhost,127.0.0.1"}).out == fetched.out);
}

TEST_CASE("traffic: methods") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  Client client = proxy.connect();
  for (const std::string method : {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "X-OWN", "get"}) {
    INFO(method);
    const auto echo =
        client.ask(request_text(method, kUrl + "/echo?a=b%20c", context, {}, method == "GET" ? "" : "a body")).json();
    CHECK(text_in(echo, "method") == method);
    CHECK(text_in(echo, "target") == "/echo?a=b%20c");
    CHECK(number_in(echo, "length") == (method == "GET" ? 0 : 6));
  }
  const auto star = client.ask(request_text("OPTIONS", kUrl, context));  // RFC 9112 section 3.2.4: no path is "*"
  CHECK(star.status == 404);
  CHECK(star.body == "nothing at *\n");
}

TEST_CASE("traffic: responses without a body leave the connection in step") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  Client client = proxy.connect();

  client.send(request_text("HEAD", kUrl + "/bytes/12345", context));
  const Response head = client.read_response("HEAD");
  CHECK(head.status == 200);
  CHECK(head.header("content-length") == "12345");
  CHECK(still_serves(client, context));

  client.send(request_text("HEAD", kUrl + "/chunked/5000", context));
  CHECK(client.read_response("HEAD").status == 200);
  CHECK(still_serves(client, context));

  const Response empty = client.ask(request_text("GET", kUrl + "/status/204", context));
  CHECK(empty.status == 204);
  CHECK_FALSE(empty.has("content-length"));
  CHECK_FALSE(empty.has("transfer-encoding"));
  CHECK(still_serves(client, context));

  const Response same = client.ask(request_text("GET", kUrl + "/status/304", context, "If-None-Match: \"fake\"\r\n"));
  CHECK(same.status == 304);
  CHECK(same.header("etag") == "\"fake\"");
  CHECK(still_serves(client, context));

  for (const int status : {200, 201, 205, 299, 404, 418, 451, 500, 503, 599, 999})
    CHECK(client.ask(request_text("GET", fmt::format("{}/status/{}", kUrl, status), context)).status == status);
}

TEST_CASE("traffic: bodies, however they are delimited") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  Client client = proxy.connect();
  for (const char* const kind : {"bytes", "chunked", "close"}) {
    for (const int size : {0, 1, 4095, 70'000}) {
      INFO(kind << " " << size);
      const Response response = client.ask(request_text("GET", fmt::format("{}/{}/{}", kUrl, kind, size), context));
      REQUIRE(response.body.size() == static_cast<std::size_t>(size));
      Digest digest;
      digest.add(response.body);
      CHECK(digest.hex() ==
            text_in(client.ask(request_text("GET", fmt::format("{}/digest/{}", kUrl, size), context)).json(), "sha256"));
    }
  }
  const Response sent = client.ask(request_text("POST", kUrl + "/mirror", context, "Transfer-Encoding: chunked\r\n") +
                                   "5;ext=\"v\"\r\nhello\r\n000007\r\n, world\r\n0\r\n\r\n");
  CHECK(sent.body == "hello, world");
}

TEST_CASE("traffic: keep-alive of HTTP/1.0 and HTTP/1.1") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  const auto ask = [&](Client& client, const char* version, const char* fields, const char* path = "/") {
    return client.ask(
        fmt::format("GET {}{} HTTP/{}\r\nHost: localhost:3000\r\n{}{}\r\n", kUrl, path, version, context.auth_line(), fields));
  };
  Client client = proxy.connect();
  CHECK(ask(client, "1.1", "").status == 200);
  CHECK(ask(client, "1.1", "Connection: keep-alive\r\n").status == 200);
  CHECK(ask(client, "1.1", "Connection: close\r\n").header("connection") == "close");
  CHECK(client.closed_by_peer());

  client = proxy.connect();
  const Response kept = ask(client, "1.0", "Connection: keep-alive\r\n");
  CHECK(kept.status == 200);
  CHECK(kept.header("connection") == "keep-alive");
  CHECK(ask(client, "1.0", "").status == 200);
  CHECK(client.closed_by_peer());

  // HTTP/1.0 knows no chunks: such a body ends with the connection.
  client = proxy.connect();
  const Response old = ask(client, "1.0", "Connection: keep-alive\r\n", "/chunked/5000");
  CHECK_FALSE(old.chunked);
  CHECK(old.body.size() == 5000);
  CHECK(client.closed_by_peer());
}

TEST_CASE("traffic: repeated fields, their order and Set-Cookie survive both ways") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  Client client = proxy.connect();
  const Strings sent{"X-Repeat: one", "x-lower: a",  "X-Repeat: two",      "Cookie: a=1",
                     "X-Empty: ",     "Cookie: b=2", "X-Repeat: one, two", "Accept-Encoding: br;q=1, zstd"};
  std::string lines;
  for (const std::string& line : sent) lines += line + "\r\n";
  const auto echo = client.ask(request_text("GET", kUrl + "/echo", context, lines)).json();
  Strings arrived = echoed_fields(echo);
  REQUIRE_FALSE(arrived.empty());
  CHECK(arrived.front().starts_with("Host: "));
  arrived.erase(arrived.begin());
  CHECK(arrived.back() == "X-Cmux-Host-Override: localhost:3000");
  arrived.pop_back();
  CHECK(arrived == sent);

  const Response answer = client.ask(request_text("GET", kUrl + "/headers", context));
  CHECK(field_lines(answer) == Strings{"X-Repeat: one", "X-Between: a", "X-Repeat: two", "x-lower: b", "X-Repeat: one, two",
                                       "X-Empty: ", "X-Latin: caf\xe9", "Vary: accept", "Vary: origin",
                                       "Content-Type: text/plain; charset=utf-8", "Content-Length: 8"});
  const Strings cookies = client.ask(request_text("GET", kUrl + "/cookies", context)).headers("set-cookie");
  REQUIRE(cookies.size() == 3);
  CHECK(cookies[0] == "first=1; Path=/");
  CHECK(cookies[1].starts_with("second=2"));
  CHECK(cookies[2] == "third=a,b; Expires=Wed, 01 Jan 2031 00:00:00 GMT");
}

TEST_CASE("traffic: hop-by-hop fields end at the proxy, both ways; TE: trailers goes on") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  Client client = proxy.connect();
  const auto echo =
      client
          .ask(request_text("GET", kUrl + "/echo", context,
                            "Connection: keep-alive, X-Gone , te\r\nX-Gone: 1\r\nConnection: x-also-gone\r\nX-Also-Gone: 2\r\n"
                            "Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: trailers, gzip;q=0.5\r\nX-Stays: 3\r\n"
                            "X-Cmux-Port-Internal: 1\r\nX-Cmux-Host-Override: evil\r\nX-Cmux-Workspace-Internal: other\r\n"
                            "X-Cmux-Proxied: true\r\n"))
          .json();
  Strings arrived = sorted_names(echoed_fields(echo));
  std::erase(arrived, "connection");  // the proxy's own, for TE
  CHECK(arrived == Strings{"host", "te", "x-cmux-host-override", "x-stays"});
  for (const std::string& field : echoed_fields(echo)) {
    INFO(field);
    if (field.starts_with("TE:")) CHECK(field == "TE: trailers");
    if (field.starts_with("Connection:")) CHECK(field == "Connection: TE");
    if (field.starts_with("X-Cmux")) CHECK(field == "X-Cmux-Host-Override: localhost:3000");  // the proxy's own, not the client's
  }
  CHECK(text_in(echo, "role") == "global");

  const Response answer = client.ask(request_text("GET",
                                                  kUrl + "/headers?h=Connection:keep-alive,%20X-Gone&h=X-Gone:1&h=Keep-Alive:"
                                                         "timeout=5&h=Proxy-Connection:close&h=X-Stays:3&h=Upgrade:h2c",
                                                  context));
  CHECK(sorted_names(field_lines(answer)) == Strings{"content-length", "content-type", "x-stays"});
  CHECK(still_serves(client, context));
}

TEST_CASE("traffic: nothing is added that a server on localhost would not see") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  Client client = proxy.connect();
  const auto global = client.ask(request_text("GET", kUrl + "/echo", proxy.routed(), "Accept: */*\r\n")).json();
  // But for what the far side takes away again, having made it the Host.
  CHECK(echoed_fields(global) ==
        Strings{"Host: cmux-abc-base-3000.cmux.test", "Accept: */*", "X-Cmux-Host-Override: localhost:3000"});

  const Context inner = proxy.context({"--cmux-proxy-origin", fmt::format("http://127.0.0.1:{}", workspace.http_port()),
                                       "--morph-id", "abc", "--scope", "two", "--domain-suffix", "cmux.test"});
  const auto echo = client.ask(request_text("GET", "http://LocalHost:5173/echo", inner, "Accept: */*\r\n")).json();
  Strings fields = echoed_fields(echo);
  std::sort(fields.begin(), fields.end());
  CHECK(fields == Strings{"Accept: */*", fmt::format("Host: 127.0.0.1:{}", workspace.http_port()),
                          "X-Cmux-Host-Override: localhost:5173", "X-Cmux-Port-Internal: 5173",
                          "X-Cmux-Workspace-Internal: two"});

  Proxy announced({"--via"}, &workspace);
  const auto via = announced.get(announced.routed(), kUrl + "/echo").json();
  const Strings seen = echoed_fields(via);
  CHECK(std::find(seen.begin(), seen.end(), "Via: 1.1 cmuxproxy") != seen.end());
}

TEST_CASE("traffic: the target of an absolute URL counts, not the Host that comes with it") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  Client client = proxy.connect();
  const auto echo =
      client.ask(fmt::format("GET {}/echo HTTP/1.1\r\nHost: evil.example:1\r\n{}\r\n", kUrl, context.auth_line())).json();
  CHECK(echoed_fields(echo) == Strings{"Host: cmux-abc-base-3000.cmux.test", "X-Cmux-Host-Override: localhost:3000"});
  // Without a port it is the scheme's.
  const auto usual = client.ask(request_text("GET", "http://localhost/echo", context)).json();
  CHECK(number_in(usual, "port") == 80);

  const Context morph = proxy.context({"--morph-id", "abc", "--morph-domain-suffix", ".http.cloud.morph.test"});
  const auto seen = client.ask(request_text("GET", "http://127.0.0.1:4000/echo", morph)).json();
  CHECK(echoed_fields(seen) == Strings{"Host: 127.0.0.1:4000"});
  CHECK(text_in(seen, "sni") == "port-4000-morphvm-abc.http.cloud.morph.test");
}

TEST_CASE("traffic: trailers, both ways") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  Client client = proxy.connect();
  const Response response = client.ask(request_text("GET", kUrl + "/trailers", context, "TE: trailers\r\nConnection: TE\r\n"));
  CHECK(response.body == "hello trailers\n");
  CHECK(response.header("trailer") == "X-Count, X-Digest");
  CHECK(response.trailers == "X-Count: 15\r\nX-Digest: fake\r\n");

  const auto echo = client
                        .ask(request_text("POST", kUrl + "/echo", context, "Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n") +
                             "4\r\nbody\r\n0\r\nX-Sum: 1\r\nX-Sum: 2\r\n\r\n")
                        .json();
  CHECK(echoed_fields(echo, "trailers") == Strings{"X-Sum: 1", "X-Sum: 2"});
  CHECK(still_serves(client, context));
}

TEST_CASE("traffic: every interim response comes through, in time") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  Client client = proxy.connect();
  client.send(request_text("GET", kUrl + "/1xx?count=3", context));
  for (int i = 1; i <= 3; ++i) {
    const Response hint = client.read_response();
    CHECK(hint.status == 103);
    CHECK(hint.header("link") == fmt::format("</style{}.css>; rel=preload; as=style", i));
  }
  CHECK(client.read_response().body == "after early hints\n");

  // They do not wait for what follows, which here never comes.
  client.send(request_text("GET", kUrl + "/1xx?count=2&gap=3600000", context));
  CHECK(client.read_response().status == 103);

  // HTTP/1.0 has none.
  client = proxy.connect();
  client.send(fmt::format("GET {}/1xx?count=3 HTTP/1.0\r\n{}\r\n", kUrl, context.auth_line()));
  CHECK(client.read_response().status == 200);

  client = proxy.connect();
  client.send(request_text("GET", kUrl + "/broken/unasked-100", context));
  CHECK(client.read_response().status == 100);
  CHECK(client.read_response().body == "ok");
}

TEST_CASE("traffic: a client that waits for 100 gets the upstream's, and only that") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  const std::string body(3000, 'x');
  const std::string fields = fmt::format("Expect: 100-continue\r\nContent-Length: {}\r\n", body.size());
  Client client = proxy.connect();
  client.send(request_text("POST", kUrl + "/continue", context, fields));
  CHECK(client.read_response().status == 100);
  const auto answer = client.ask(body).json();
  CHECK(number_in(answer, "length") == 3000);
  CHECK(answer.at("early") == false);

  client.send(request_text("POST", kUrl + "/echo", context, fields));
  CHECK(client.read_response().status == 100);
  const auto echo = client.ask(body).json();
  CHECK(number_in(echo, "length") == 3000);
  const Strings seen = echoed_fields(echo);
  CHECK(std::find(seen.begin(), seen.end(), "Expect: 100-continue") != seen.end());

  // Refused: the final status comes without the body having been sent, and the proxy cannot know whether one will follow.
  client.send(request_text("POST", kUrl + "/refuse-body", context, fields));
  CHECK(client.read_response().status == 413);
  CHECK(client.closed_by_peer());

  // A client that does not wait.
  client = proxy.connect();
  client.send(request_text("POST", kUrl + "/upload", context, fields) + body);
  Response response = client.read_response();
  if (response.status == 100) response = client.read_response();
  CHECK(number_in(response.json(), "length") == 3000);
  CHECK(still_serves(client, context));
}

TEST_CASE("traffic: a burst of 100 requests in one write is answered in order") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  std::string burst;
  for (int i = 0; i < 100; ++i) {
    const std::string url = fmt::format("{}/echo?n={}", kUrl, i);
    switch (i % 4) {
      case 0: burst += request_text("GET", url, context); break;
      case 1: burst += request_text("POST", url, context, {}, "a body"); break;
      case 2: burst += request_text("PUT", url, context, "Transfer-Encoding: chunked\r\n") + "6\r\na body\r\n0\r\n\r\n"; break;
      case 3: burst += request_text("GET", fmt::format("{}/bytes/{}", kUrl, 3000 + i), context); break;
    }
  }
  Client client = proxy.connect();
  client.send(burst);
  for (int i = 0; i < 100; ++i) {
    const Response response = client.read_response();
    INFO(i << ": " << response.head << response.body);
    REQUIRE(response.status == 200);
    if (i % 4 == 3) {
      REQUIRE(response.body.size() == static_cast<std::size_t>(3000 + i));
      continue;
    }
    const auto echo = response.json();
    REQUIRE(text_in(echo, "target") == fmt::format("/echo?n={}", i));
    REQUIRE(number_in(echo, "length") == (i % 4 == 0 ? 0 : 6));
  }
  CHECK(client.silent(50ms));
}

}  // namespace e2e
