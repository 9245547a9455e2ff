// Where requests go: every form of URL, names without DNS, contexts without a route, two workspaces at one URL.
#include "support.hpp"

namespace e2e {
namespace {

const std::string kUrl = "http://localhost:3000";
const std::string kHome = "workspace abc scope base port 3000\n";

}  // namespace

TEST_CASE("route: https, ws and wss in an absolute URL") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  for (const char* const scheme : {"https", "ws", "wss", "HTTP", "WS"}) {
    INFO(scheme);
    CHECK(proxy.get(context, fmt::format("{}://localhost:3000/", scheme)).body == kHome);
  }
  CHECK(number_in(proxy.get(context, "https://localhost/echo").json(), "port") == 443);
  CHECK(number_in(proxy.get(context, "wss://localhost/echo").json(), "port") == 443);
  CHECK(number_in(proxy.get(context, "ws://localhost/echo").json(), "port") == 80);

  // What is not loopback goes where it says, with TLS done by the proxy.
  const auto direct = proxy.get(proxy.context(), "https://cmux-x9-two-8000.cmux.test/echo").json();
  CHECK(text_in(direct, "workspace") == "x9");
  CHECK(text_in(direct, "sni") == "cmux-x9-two-8000.cmux.test");
  CHECK(proxy.get(context, "https://cmux-x9-two-8000.cmux.test/").body == "workspace x9 scope two port 8000\n");
}

TEST_CASE("route: every spelling of this machine goes to the workspace") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  for (const char* const host : {"localhost", "LOCALHOST", "localhost.", "app.localhost", "a.b.localhost", "127.0.0.1",
                                 "127.9.8.7", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "[0:0:0:0:0:0:0:1]"}) {
    INFO(host);
    CHECK(proxy.get(context, fmt::format("http://{}:3000/", host)).body == kHome);
  }
}

TEST_CASE("route: --resolve sends names elsewhere, and the certificate must still be the name's") {
  Workspace workspace({"--sniff-port-header"});
  Proxy proxy({"--resolve", fmt::format("app.example=127.0.0.1:{}", workspace.http_port()), "--resolve",
               fmt::format("*.secure.example=127.0.0.1:{}", workspace.https_port()), "--resolve", "*.secure.example=127.0.0.1:1"},
              &workspace);
  const Context context = proxy.context();
  const auto echo = proxy.get(context, "http://app.example:8080/echo").json();
  CHECK(echoed_fields(echo) == Strings{"Host: app.example:8080"});
  CHECK(text_in(echo, "role") == "origin");

  const Response wrong = proxy.get(context, "https://a.secure.example/");
  CHECK(wrong.status == 502);
  CHECK(wrong.header("proxy-status").find("tls_certificate_error") != std::string::npos);
  CHECK(wrong.body.find("a.secure.example") != std::string::npos);

  const Response nowhere = proxy.get(context, "http://does-not-exist.invalid/");
  CHECK(nowhere.status == 502);
  CHECK(nowhere.header("proxy-status").find("dns_error") != std::string::npos);
}

TEST_CASE("route: certificates that do not hold") {
  const char* const cert = GENERATE("expired", "wrongname", "cnonly", "selfsigned");
  INFO(cert);
  Workspace workspace({}, cert);
  Proxy proxy({}, &workspace);
  const Response refused = proxy.get(proxy.routed(), kUrl + "/");
  CHECK(refused.status == 502);
  CHECK(refused.header("proxy-status").find("tls_certificate_error") != std::string::npos);
  CHECK(counter(workspace, "requests") == 1);  // this question

  Proxy trusting({"--insecure-upstream"}, &workspace);
  CHECK(trusting.get(trusting.routed(), kUrl + "/").body == kHome);
  CHECK(eventually([&] { return trusting.process().stderr_text().find("insecure") != std::string::npos; }));
}

TEST_CASE("route: a context without one is a forward proxy, *.localhost needs no DNS") {
  Workspace workspace({"--sniff-port-header"});
  Proxy proxy({}, &workspace);
  const Context context = proxy.context();
  for (const char* const host : {"127.0.0.1", "localhost", "anything.at.all.localhost", "LOCALHOST."}) {
    INFO(host);
    const Response answer = proxy.get(context, fmt::format("http://{}:{}/", host, workspace.http_port()));
    CHECK(answer.body == fmt::format("workspace fake scope base port {}\n", workspace.http_port()));
  }
  // CONNECT is a tunnel, and the TLS in it is the client's.
  const Run fetched = run({"curl", "-sS", "--noproxy", "", "-x", context.proxy_url, "--cacert", pki() + "/ca.crt",
                           fmt::format("https://localhost:{}/echo", workspace.https_port())});
  INFO(fetched.err);
  REQUIRE(fetched.exit == 0);
  const auto echo = fetched.json().as_object();
  CHECK(echo.at("tls") == true);
  CHECK(text_in(echo, "sni") == "localhost");
  // Through --resolve as well.
  const Run named = run({"curl", "-sS", "--noproxy", "", "-x", context.proxy_url, "--cacert", pki() + "/ca.crt",
                         "https://cmux-q-base-1.cmux.test/"});
  CHECK(named.out == "workspace q scope base port 1\n");
  // Plain HTTP in a CONNECT of such a context is none of the proxy's business.
  Client client = tunnel(proxy, context, fmt::format("127.0.0.1:{}", workspace.http_port()));
  CHECK(client.ask("GET / HTTP/1.1\r\nHost: anything\r\n\r\n").body == "workspace fake scope base port 0\n");
}

TEST_CASE("route: IPv6 upstream") {
  if (read_file("/proc/net/if_inet6").find("00000000000000000000000000000001 ") == std::string::npos) return;
  Workspace workspace({"--sniff-port-header", "--bind", "::1"});
  Proxy proxy;
  const Context context = proxy.context();
  for (const char* const host : {"[::1]", "six.localhost"}) {
    INFO(host);
    CHECK(proxy.get(context, fmt::format("http://{}:{}/", host, workspace.http_port())).status == 200);
  }
  Client client = tunnel(proxy, context, fmt::format("[::1]:{}", workspace.http_port()));
  CHECK(client.ask("GET /echo HTTP/1.1\r\nHost: anything\r\n\r\n").status == 200);
}

TEST_CASE("route: plain HTTP inside a CONNECT to localhost goes to the workspace") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  Client client = tunnel(proxy, context, "localhost:3000");
  for (int i = 0; i < 3; ++i) CHECK(client.ask("GET / HTTP/1.1\r\nHost: localhost:3000\r\n\r\n").body == kHome);
  // An absolute URL in there is read as what it says.
  CHECK(client.ask("GET http://localhost:3000/ HTTP/1.1\r\nHost: localhost:3000\r\n\r\n").body == kHome);
  // For another target the tunnel is the wrong one.
  CHECK(client.ask("GET / HTTP/1.1\r\nHost: localhost:3001\r\n\r\n").status == 421);
  Client pipelined = tunnel(proxy, context, "[::1]:4000");
  pipelined.send("GET /echo HTTP/1.1\r\nHost: [::1]:4000\r\n\r\nGET / HTTP/1.1\r\nHost: [::1]:4000\r\n\r\n");
  CHECK(number_in(pipelined.read_response().json(), "port") == 4000);
  CHECK(pipelined.read_response().status == 200);
  // The CONNECT and what follows in one segment.
  Client early = proxy.connect();
  early.send(fmt::format(
      "CONNECT localhost:3000 HTTP/1.1\r\nHost: localhost:3000\r\n{}\r\nGET / HTTP/1.1\r\nHost: localhost:3000\r\n\r\n",
      context.auth_line()));
  CHECK(early.read_response("CONNECT").status == 200);
  CHECK(early.read_response().body == kHome);
}

TEST_CASE("route: two contexts see two workspaces at one URL, at once") {
  Workspace first({"--name", "one"}), second({"--name", "two"});
  Proxy proxy;
  const auto context_of = [&](const Workspace& workspace) {
    return proxy.context({"--cmux-proxy-origin", fmt::format("http://127.0.0.1:{}", workspace.http_port()), "--morph-id", "abc",
                          "--scope", "base", "--domain-suffix", "cmux.test"});
  };
  const Context one = context_of(first), two = context_of(second);
  Client left = proxy.connect(), right = proxy.connect();
  // Both credentials on one connection too: each request shows its own.
  Client both = proxy.connect();
  for (int i = 0; i < 50; ++i) {
    left.send(request_text("GET", kUrl + "/echo", one));
    right.send(request_text("GET", kUrl + "/echo", two));
    both.send(request_text("GET", kUrl + "/echo", i % 2 ? one : two) + request_text("GET", kUrl + "/echo", i % 2 ? two : one));
    REQUIRE(text_in(left.read_response().json(), "server") == "one");
    REQUIRE(text_in(right.read_response().json(), "server") == "two");
    REQUIRE(text_in(both.read_response().json(), "server") == (i % 2 ? "one" : "two"));
    REQUIRE(text_in(both.read_response().json(), "server") == (i % 2 ? "two" : "one"));
  }
}

TEST_CASE("route: headers of a route go to its destination and nowhere else") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context =
      proxy.context({"--morph-id", "abc", "--scope", "base", "--domain-suffix", "cmux.test", "--header", "X-Token: s3cret"});
  const auto fields_at = [&](std::string_view url, std::string_view method) {
    Client client = proxy.connect();
    return echoed_fields(client.ask(request_text(method, url, context, "X-Token: mine\r\n")).json());
  };
  const auto has = [](const Strings& fields, const std::string& wanted) {
    return std::find(fields.begin(), fields.end(), wanted) != fields.end();
  };
  for (const char* const method : {"GET", "OPTIONS"}) {
    CHECK(has(fields_at(kUrl + "/echo", method), "X-Token: s3cret"));
    CHECK_FALSE(has(fields_at(kUrl + "/echo", method), "X-Token: mine"));
  }
  CHECK(has(fields_at("https://cmux-other-base-1.cmux.test/echo", "GET"), "X-Token: mine"));
}

}  // namespace e2e
