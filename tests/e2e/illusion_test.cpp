// What keeps the client believing in localhost, and the workspace in its own name: SPEC 3, docs/illusion.md.
#include "matrix.hpp"

using namespace e2e;

namespace {

const std::string kDest = "cmux-abc-base-3000.cmux.test", kDest4 = "cmux-abc-base-4000.cmux.test";

// As a query's value, whatever it holds.
std::string quoted(std::string_view text) {
  std::string out;
  for (const char c : text) out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  return out;
}

// The fixture's page that answers with these fields.
std::string page(const Fields& fields, int status = 200) {
  std::string path = fmt::format("/headers?status={}", status);
  for (const auto& [name, value] : fields) path += "&h=" + name + ":" + quoted(value);
  return path;
}

std::string received(const boost::json::object& echo, std::string_view name) {
  const std::string start = lower(name) + ": ";
  for (const std::string& field : lower_names(echoed_fields(echo)))
    if (field.starts_with(start)) return field.substr(start.size());
  return "(none)";
}

// What comes back of a field that a workspace sends.
std::string back(const Proxy& proxy, const Context& context, const std::string& url, const std::string& name,
                 const std::string& value) {
  const Response response = proxy.get(context, url + page({{name, value}}));
  CHECK(response.status == 200);
  return response.has(name) ? response.header(name) : "(gone)";
}

}  // namespace

TEST_CASE("illusion: every way through the proxy, requests and responses") {
  Stage stage;
  matrix(stage, kinds(kNear, kTunnelled), [](const Cell& cell) {
    Near near(cell);
    const std::string origin = (cell.far().tls ? "https://" : "http://") + cell.destination();
    const std::string local = cell.scheme() + "://localhost:3000";
    const Answer answer = near.get(page({{"Location", origin + "/a?b=c"},
                                         {"Content-Location", origin + "/d"},
                                         {"Refresh", "5; URL=\"" + origin + "/e\""},
                                         {"Link", "<" + origin + "/f>; title=\"a,b\", <https://example.com/>"},
                                         {"Link", "</g>"},
                                         {"Set-Cookie", "one=1; Domain=" + cell.destination() + "; Path=/"},
                                         {"Set-Cookie", "two=2; Domain=example.com"},
                                         {"Strict-Transport-Security", "max-age=31536000"},
                                         {"Access-Control-Allow-Origin", origin},
                                         {"X-Other", origin}},
                                        201));
    CHECK(answer.status == 201);
    CHECK(answer.header("location") == local + "/a?b=c");
    CHECK(answer.header("content-location") == local + "/d");
    CHECK(answer.header("refresh") == "5; URL=\"" + local + "/e\"");
    CHECK(answer.headers("link") == Strings{"<" + local + "/f>; title=\"a,b\", <https://example.com/>", "</g>"});
    // A cookie has no port: of a workspace that is reached by address and port there is no such Domain.
    const bool named = cell.far().tls;
    CHECK(answer.headers("set-cookie") ==
          Strings{named ? "one=1; Path=/" : "one=1; Domain=" + cell.destination() + "; Path=/", "two=2; Domain=example.com"});
    CHECK_FALSE(answer.has("strict-transport-security"));
    CHECK(answer.header("access-control-allow-origin") == local);
    CHECK(answer.header("x-other") == origin);
    CHECK(answer.body == "headers\n");

    // A workspace that is told by X-Cmux-Host-Override that it is localhost:3000 gets what the client says.
    const auto echo = near.get("/echo", {{"Origin", local}, {"Referer", local + "/page?q"}}).json();
    CHECK(text_in(echo, "innerHost") == "localhost:3000");
    CHECK(received(echo, "origin") == local);
    CHECK(received(echo, "referer") == local + "/page?q");
    const auto foreign = near.get("/echo", {{"Origin", "http://localhost:5173"}, {"Referer", "http://localhost:5173/"}}).json();
    CHECK(received(foreign, "origin") == "http://localhost:5173");
    CHECK(received(foreign, "referer") == "http://localhost:5173/");
  });
}

TEST_CASE("illusion: bodies are never touched") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  const std::string body = "<a href=\"https://" + kDest + "/\">http://localhost:3000</a>";
  Client client = proxy.connect();
  CHECK(client.ask(request_text("POST", "http://localhost:3000/mirror", context, {}, body)).body == body);
}

TEST_CASE("illusion: near misses stay, other ports of the route are mapped") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  const auto location = [&](const std::string& value, const std::string& url = "http://localhost:3000") {
    return back(proxy, context, url, "Location", value);
  };
  for (const std::string& value :
       Strings{"https://" + kDest + ".evil.com/", "https://cmux-other-base-3000.cmux.test/", "https://user@" + kDest + "/",
               "https://" + kDest + "@evil.com/", "https://" + kDest + ":8443/", "https://example.com/?to=x-https://" + kDest,
               "https://cmux%2Dabc-base-3000.cmux.test/", "/relative?to=https://" + kDest, "not a URL"}) {
    INFO(value);
    CHECK(location(value) == value);
  }
  CHECK(location("https://" + kDest4 + "/x") == "http://localhost:4000/x");
  CHECK(location("https://idp.test/?a=b&redirect_uri=https%3A%2F%2F" + kDest4 + "%2Fcb") ==
        "https://idp.test/?a=b&redirect_uri=http%3A%2F%2Flocalhost%3A4000%2Fcb");
  CHECK(location("HTTPS://CMUX-ABC-base-3000.cmux.test:443/X") == "http://localhost:3000/X");
  CHECK(location("http://" + kDest + "/x") == "http://localhost:3000/x");
  CHECK(location("https://" + kDest + "/x", "http://127.0.0.1:4000") == "http://127.0.0.1:3000/x");
  CHECK(location("https://" + kDest + "/x", "http://[::1]") == "http://[::1]:3000/x");
  CHECK(location("https://cmux-abc-base-80.cmux.test/x", "http://app.localhost") == "http://app.localhost/x");
}

TEST_CASE("illusion: interim responses and upgrades") {
  Upstream server;
  Proxy proxy({"--resolve", fmt::format("*.plain.test=127.0.0.1:{}", server.port())});
  const Context context = proxy.context({"--template", "http://p{port}.plain.test"});
  const std::string fields =
      "Set-Cookie: a=b; Domain=plain.test; HttpOnly\r\nStrict-Transport-Security: max-age=1\r\n"
      "Link: <http://p4000.plain.test/x.css>; rel=preload\r\n";
  Client client = proxy.connect();
  SECTION("103") {
    client.send(request_text("GET", "http://localhost:3000/", context));
    Peer peer = server.accept();
    peer.read_until("\r\n\r\n");
    peer.send("HTTP/1.1 103 Early Hints\r\n" + fields + "\r\nHTTP/1.1 204 No Content\r\n" + fields + "\r\n");
    for (const int status : {103, 204}) {
      const Response response = client.read_response();
      CHECK(response.status == status);
      CHECK(response.header("link") == "<http://localhost:4000/x.css>; rel=preload");
      CHECK(response.header("set-cookie") == "a=b; HttpOnly");
      CHECK_FALSE(response.has("strict-transport-security"));
    }
  }
  SECTION("101") {
    client.send(request_text("GET", "ws://localhost:3000/hmr", context,
                             "Connection: Upgrade\r\nUpgrade: fake\r\nOrigin: http://localhost:3000\r\n"));
    Peer peer = server.accept();
    const std::string request = peer.read_until("\r\n\r\n");
    CHECK(request.find("\r\nOrigin: http://p3000.plain.test\r\n") != std::string::npos);
    CHECK(request.find("\r\nHost: p3000.plain.test\r\n") != std::string::npos);
    peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: fake\r\n" + fields + "\r\n");
    const Response response = client.read_response();
    CHECK(response.status == 101);
    CHECK(response.header("link") == "<http://localhost:4000/x.css>; rel=preload");
    CHECK(response.header("set-cookie") == "a=b; HttpOnly");
    CHECK_FALSE(response.has("strict-transport-security"));
    peer.send("Location: http://p3000.plain.test/");
    CHECK(client.read_exactly(34) == "Location: http://p3000.plain.test/");
  }
  SECTION("an upgrade refused, in a tunnel as browsers open it") {
    Client inside = tunnel(proxy, context, "localhost:3000");
    inside.send(
        "GET / HTTP/1.1\r\nHost: localhost:3000\r\nConnection: Upgrade\r\nUpgrade: fake\r\nOrigin: "
        "http://localhost:3000\r\n\r\n");
    Peer peer = server.accept();
    CHECK(peer.read_until("\r\n\r\n").find("\r\nOrigin: http://p3000.plain.test\r\n") != std::string::npos);
    peer.send("HTTP/1.1 307 X\r\nLocation: http://p3000.plain.test/login\r\nContent-Length: 0\r\n\r\n");
    CHECK(inside.read_response().header("location") == "http://localhost:3000/login");
  }
}

TEST_CASE("illusion: a sign-in that goes over another site and two ports of the workspace") {
  Workspace workspace({"--sniff-port-header"});
  Proxy proxy({"--resolve", fmt::format("idp.test=127.0.0.1:{}", workspace.http_port())}, &workspace);
  const Context context = proxy.routed();
  const auto redirect = [](const std::string& origin, const std::string& to) { return origin + "/redirect?to=" + quoted(to); };
  const std::string home = "https://" + kDest + "/echo?done=1";
  const std::string token = redirect("https://" + kDest4, home);
  const std::string callback = redirect("http://localhost:3000", token);  // what the site knows as its redirect_uri
  Strings visited{redirect("http://localhost:3000", redirect("http://idp.test", callback))};
  Response answer;
  while (visited.size() < 9) {
    answer = proxy.get(context, visited.back());
    if (answer.status != 302) break;
    visited.push_back(answer.header("location"));
  }
  CHECK(visited == Strings{visited.front(), redirect("http://idp.test", callback), callback,
                           redirect("http://localhost:4000", home), "http://localhost:3000/echo?done=1"});
  CHECK(text_in(answer.json(), "target") == "/echo?done=1");
}

TEST_CASE("illusion: a check that compares Origin with Host passes, and only where it should") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context global = proxy.routed();
  const Context morph = proxy.context({"--morph-id", "abc123", "--morph-domain-suffix", ".http.cloud.morph.test"});
  const Context cloud = proxy.context({"--template", "https://t{port}.cmux.test"});
  const Context untold =
      proxy.context({"--from-url", "https://cmux-abc-base-1.cmux.app", "--host-override", "off", "--domain-suffix", "cmux.test"});
  for (const Context* const context : {&global, &morph, &cloud, &untold}) {
    const auto passes = [&](const std::string& origin) {
      Client client = proxy.connect();
      const auto echo = client
                            .ask(request_text("POST", "http://localhost:3000/echo", *context,
                                              fmt::format("Origin: {0}\r\nReferer: {0}/form\r\n", origin), "a=b"))
                            .json();
      const std::string seen = received(echo, "origin");
      CHECK(received(echo, "referer") == seen + "/form");
      return seen.substr(seen.find("//") + 2) == text_in(echo, "innerHost");
    };
    CHECK(passes("http://localhost:3000"));
    CHECK_FALSE(passes("http://localhost:4000"));
    CHECK_FALSE(passes("http://evil.example"));
  }
  const auto echo = proxy.get(global, "http://localhost:3000/echo", "Origin: null\r\n").json();
  CHECK(received(echo, "origin") == "null");
}

TEST_CASE("illusion: Next.js's own paths keep the Origin of localhost where its pages' must be the workspace's") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const auto origin_at = [&](const Strings& more, const std::string& path) {
    Strings flags{"--template", "https://t{port}.cmux.test"};
    flags.insert(flags.end(), more.begin(), more.end());
    const Context context = proxy.context(flags);
    return received(proxy.get(context, "http://localhost:3000" + path, "Origin: http://localhost:3000\r\n").json(), "origin");
  };
  CHECK(origin_at({}, "/echo") == "https://t3000.cmux.test");
  CHECK(origin_at({"--rewrite-origin", "off"}, "/echo") == "http://localhost:3000");
  CHECK(origin_at({"--host-override", "on"}, "/echo") == "http://localhost:3000");

  Upstream server;
  Proxy plain({"--resolve", fmt::format("*.plain.test=127.0.0.1:{}", server.port())});
  const Context context = plain.context({"--template", "http://p{port}.plain.test"});
  Client client = plain.connect();
  client.send(request_text("GET", "ws://localhost:3000/_next/webpack-hmr?id=1", context,
                           "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                           "dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://localhost:3000\r\n"));
  Peer peer = server.accept();
  CHECK(peer.read_until("\r\n\r\n").find("\r\nOrigin: http://localhost:3000\r\n") != std::string::npos);
}

TEST_CASE("illusion: a page on app.localhost that calls localhost is allowed by its own name") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  const auto allowed = [&](const std::string& origin) {
    return proxy
        .get(context, "http://localhost:4000" + page({{"Access-Control-Allow-Origin", "https://" + kDest}}),
             "Origin: " + origin + "\r\n")
        .header("access-control-allow-origin");
  };
  CHECK(allowed("http://app.localhost:3000") == "http://app.localhost:3000");
  CHECK(allowed("http://localhost:3000") == "http://localhost:3000");
  CHECK(allowed("http://app.localhost:5000") == "http://localhost:3000");
  CHECK(allowed("http://127.evil.com:3000") == "http://localhost:3000");
}

TEST_CASE("illusion: a route's own Origin is what it says") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.context(
      {"--morph-id", "abc", "--scope", "base", "--domain-suffix", "cmux.test", "--header", "Origin: http://localhost:3000"});
  const auto echo = proxy.get(context, "http://localhost:3000/echo", "Origin: http://localhost:3000\r\n").json();
  CHECK(received(echo, "origin") == "http://localhost:3000");
}

TEST_CASE("illusion: what no route has taken somewhere stays as it is") {
  Workspace workspace({"--sniff-port-header"});
  Proxy proxy({"--resolve", fmt::format("origin.test=127.0.0.1:{}", workspace.http_port())}, &workspace);
  const Context context = proxy.routed();
  CHECK(back(proxy, context, "http://origin.test", "Location", "https://" + kDest + "/") == "https://" + kDest + "/");
  CHECK(back(proxy, context, "http://origin.test", "Strict-Transport-Security", "max-age=1") == "max-age=1");
  CHECK(back(proxy, context, "http://origin.test", "Set-Cookie", "a=b; Domain=origin.test") == "a=b; Domain=origin.test");
  const auto echo = proxy.get(context, "http://origin.test/echo", "Origin: http://origin.test\r\n").json();
  CHECK(received(echo, "origin") == "http://origin.test");
}

TEST_CASE("illusion: each rule has its switch") {
  Workspace workspace;
  const Strings rules{"location", "callbacks", "cookies", "hsts", "cors", "origin"};
  for (const std::string& off : rules)
    each("--no-rewrite-" + off, [&] {
      Proxy proxy({"--no-rewrite-" + off}, &workspace);
      const Context context =
          proxy.context({"--morph-id", "abc", "--scope", "base", "--domain-suffix", "cmux.test", "--host-override", "off"});
      const std::string url = "http://localhost:3000", remote = "https://" + kDest;
      const auto check = [&](const std::string& rule, const std::string& got, const std::string& raw, const std::string& mapped) {
        INFO(rule);
        CHECK(got == (rule == off ? raw : mapped));
      };
      check("location", back(proxy, context, url, "Location", remote + "/"), remote + "/", url + "/");
      check("location", back(proxy, context, url, "Link", "<" + remote + ">"), "<" + remote + ">", "<" + url + ">");
      const std::string idp = "https://idp.test/?next=";
      check("callbacks", back(proxy, context, url, "Location", idp + remote), idp + remote, idp + url);
      check("cookies", back(proxy, context, url, "Set-Cookie", "a=b; Domain=" + kDest), "a=b; Domain=" + kDest, "a=b");
      check("hsts", back(proxy, context, url, "Strict-Transport-Security", "max-age=1"), "max-age=1", "(gone)");
      check("cors", back(proxy, context, url, "Access-Control-Allow-Origin", remote), remote, url);
      const auto echo = proxy.get(context, url + "/echo", fmt::format("Origin: {0}\r\nReferer: {0}/r\r\n", url)).json();
      check("origin", received(echo, "origin"), url, remote);
      check("origin", received(echo, "referer"), url + "/r", remote + "/r");
    });
}

TEST_CASE("illusion: behind a forwarded port the client's own numbers count") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.context(
      {"--morph-id", "abc", "--scope", "base", "--domain-suffix", "cmux.test", "--forward", "3000:0", "--forward", "4000:0"});
  const auto local = [&](std::size_t index) {
    return static_cast<std::uint16_t>(number_in(context.json.at("forwards").as_array().at(index).as_object(), "local"));
  };
  Client client(local(0));
  const auto ask = [&](const std::string& host, const std::string& path, const std::string& fields = {}) {
    return client.ask(fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\n{}\r\n", path, host, fields));
  };
  const std::string here = fmt::format("localhost:{}", local(0));
  for (const std::string& host : {here, fmt::format("127.0.0.1:{}", local(0)), here}) {
    CHECK(ask(host, page({{"Location", "https://" + kDest + "/x"}})).header("location") == "http://" + host + "/x");
    CHECK(received(ask(host, "/echo", "Origin: http://" + host + "\r\n").json(), "origin") == "http://localhost:3000");
  }
  CHECK(ask(here, page({{"Location", "https://" + kDest4 + "/x"}})).header("location") ==
        fmt::format("http://localhost:{}/x", local(1)));
  // Nothing leads there on this machine, but the URL itself does.
  const std::string elsewhere = "https://cmux-abc-base-5000.cmux.test/x";
  CHECK(ask(here, page({{"Location", elsewhere}})).header("location") == elsewhere);
}
