// Where each kind of route leads, what the workspace is told, and who never hears of it: SPEC 3.
#include <fmt/format.h>

#include "rows.hpp"
#include "support.hpp"

using namespace e2e;
using namespace std::string_literals;

namespace {

const Strings kForged = {"X-Cmux-Port-Internal", "X-Cmux-Host-Override", "X-Cmux-Workspace-Internal", "X-Cmux-Target-Internal",
                         "X-Cmux-Proxied"};
const std::string kForgery =
    "X-Cmux-Port-Internal: 666\r\nx-cmux-host-override: evil:1\r\nX-CMUX-WORKSPACE-INTERNAL: evil\r\nX-Cmux-Proxied: true\r\n"
    "X-Cmux-Target-Internal: evil:1\r\nX-Cmux-Host-Override: localhost:3000, evil\r\n"
    "X-Cmux-Port-Internal: 667\r\n";

// Of what a client has forged nothing is left; X-Cmux-Host-Override is there once, and ours.
void check_forged(const boost::json::object& echo, const std::string& host) {
  for (const std::string& name : kForged)
    CHECK(echoed_values(echo, name) == (name == "X-Cmux-Host-Override" ? Strings{host} : Strings{}));
}

}  // namespace

TEST_CASE("route by cmux domain: https, and the host's name says it all") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.context({"--morph-id", "my-vm-7", "--scope", "web2", "--domain-suffix", "cmux.test"});
  const auto echo = proxy.get(context, "http://localhost:5173/echo?a=b&c", kForgery).json();
  CHECK(text_in(echo, "role") == "global");
  CHECK(text_in(echo, "workspace") == "my-vm-7");
  CHECK(text_in(echo, "scope") == "web2");
  CHECK(number_in(echo, "port") == 5173);
  CHECK(text_in(echo, "target") == "/echo?a=b&c");
  CHECK(echo.at("tls") == true);
  CHECK(text_in(echo, "sni") == "cmux-my-vm-7-web2-5173.cmux.test");
  CHECK(echoed_values(echo, "Host") == Strings{"cmux-my-vm-7-web2-5173.cmux.test"});
  check_forged(echo, "localhost:5173");
  CHECK(text_in(echo, "innerHost") == "localhost:5173");
}

TEST_CASE("hostOverride: on every kind of route by choice, over every protocol") {
  Workspace workspace({"--alpn", "h2,http/1.1"});
  Proxy proxy({}, &workspace);
  const Strings cmux{"--morph-id", "abc", "--scope", "base", "--domain-suffix", "cmux.test"};
  const Strings morph{"--morph-id", "abc", "--morph-domain-suffix", ".http.cloud.morph.test"};
  const Strings cloud{"--template", "https://cmux-abc-base-{port}.cmux.test"};
  struct Case {
    Strings route, more;
    std::string host, told;
  };
  const std::string own = "cmux-abc-base-3000.cmux.test";
  for (const Case& given : std::vector<Case>{
           {cmux, {}, "localhost:3000", "localhost:3000"},
           {cmux, {"--host-override", "off"}, own, ""},
           {morph, {}, "localhost:3000", ""},
           {morph, {"--host-override", "off"}, "port-3000-morphvm-abc.http.cloud.morph.test", ""},
           {cloud, {}, own, ""},
           {cloud, {"--host-override", "on"}, "localhost:3000", "localhost:3000"},
           {cloud, {"--host-header"}, "localhost:3000", ""},
       }) {
    Strings flags = given.route;
    flags.insert(flags.end(), given.more.begin(), given.more.end());
    each(given.host + " " + given.told, [&] {
      const Context context = proxy.context(flags);
      const auto echo = proxy.get(context, "http://localhost:3000/echo", kForgery).json();
      CHECK(text_in(echo, "version") == "HTTP/2");
      CHECK(text_in(echo, "innerHost") == given.host);
      CHECK(echoed_values(echo, "X-Cmux-Host-Override") == (given.told.empty() ? Strings{} : Strings{given.told}));
    });
  }
}

TEST_CASE("straight to the machine: a cmux URL's --direct") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.context(
      {"--from-url", "https://cmux-abc-ws7-3000.cmux.app/x", "--direct", "--morph-domain-suffix", ".http.cloud.morph.test"});
  const auto echo = proxy.get(context, "http://localhost:3000/echo").json();
  CHECK(text_in(echo, "sni") == "port-39379-morphvm-abc.http.cloud.morph.test");
  CHECK(text_in(echo, "role") == "inner");
  CHECK(text_in(echo, "innerHost") == "localhost:3000");
  CHECK(text_in(echo, "innerAddress") == "127.18.0.7");
  Client raw = tunnel(proxy, context, "localhost:2222");  // which the public proxy has no way for
  CHECK(raw.read_until("\r\n") == "SSH-2.0-fake\r\n");
}

TEST_CASE("a preset's URL, its fields and its token") {
  Workspace workspace({"--sniff-port-header"});
  // The names are real ones: they lead here, and the certificate is not theirs.
  Proxy proxy({"--resolve", fmt::format("*.proxy.daytona.work=127.0.0.1:{}", workspace.https_port()), "--insecure-upstream"},
              &workspace);
  for (const Strings& flags : {Strings{"--from-url", "https://3000-abc.proxy.daytona.work/", "--token", "t0k"},
                               Strings{"--preset", "daytona", "--morph-id", "abc", "--token", "t0k"}}) {
    const Context context = proxy.context(flags);
    const auto echo = proxy.get(context, "http://localhost:4000/echo", "X-Daytona-Preview-Token: forged\r\n").json();
    CHECK(text_in(echo, "sni") == "4000-abc.proxy.daytona.work");
    CHECK(echoed_values(echo, "x-daytona-preview-token") == Strings{"t0k"});
    CHECK(echoed_values(echo, "X-Daytona-Skip-Preview-Warning") == Strings{"true"});
  }
}

TEST_CASE("hosts of a route: names of the workspace's network go through its cmuxProxyOrigin") {
  Workspace workspace, elsewhere({"--sniff-port-header", "--name", "elsewhere"});
  Proxy proxy({"--resolve", fmt::format("*.example.test=127.0.0.1:{}", elsewhere.http_port()), "--resolve",
               fmt::format("never.internal=127.0.0.1:{}", elsewhere.http_port()), "--never-route", "never.*"},
              &workspace);
  const std::string origin = fmt::format("http://127.0.0.1:{}", workspace.http_port());
  const Context context =
      proxy.context({"--cmux-proxy-origin", origin, "--host", "*.Internal", "--host", "10.0.0.7", "--header", "X-Token: t"});
  const auto echo = proxy.get(context, "http://Api.internal:8080/echo?q", kForgery + "Origin: http://localhost:3000\r\n").json();
  CHECK(text_in(echo, "role") == "inner");
  CHECK(text_in(echo, "target") == "/echo?q");
  CHECK(text_in(echo, "innerHost") == "api.internal:8080");
  CHECK(echoed_values(echo, "X-Cmux-Target-Internal") == Strings{"api.internal:8080"});
  CHECK(echoed_values(echo, "X-Cmux-Port-Internal").empty());
  CHECK(echoed_values(echo, "X-Token") == Strings{"t"});
  CHECK(echoed_values(echo, "Origin") == Strings{"http://localhost:3000"});
  CHECK(text_in(proxy.get(context, "http://10.0.0.7/echo").json(), "innerHost") == "10.0.0.7");

  // A tunnel is theirs from end to end: no certificate of ours, no look at the bytes.
  Client client = tunnel(proxy, context, "db.internal:2222");
  CHECK(client.read_until("\r\n") == "SSH-2.0-fake\r\n");
  client.send("GET / HTTP/1.1\r\n");
  CHECK(client.read_exactly(16) == "GET / HTTP/1.1\r\n");
  const auto connect = workspace.get("/last-connect");
  CHECK(text_in(connect, "target") == "db.internal:2222");
  CHECK(echoed_values(connect, "X-Cmux-Target-Internal") == Strings{"db.internal:2222"});
  CHECK(echoed_values(connect, "X-Token") == Strings{"t"});
  Client tls = tunnel(proxy, context, "web.internal:443");
  const std::string hello("\x16\x03\x01\x00\x05hello", 10);
  tls.send(hello);
  CHECK(tls.read_exactly(hello.size()) == hello);

  // Neither what the globs do not name, nor what the settings except, nor another context's.
  CHECK(text_in(proxy.get(context, "http://api.example.test/echo").json(), "server") == "elsewhere");
  CHECK(text_in(proxy.get(context, "http://never.internal/echo").json(), "server") == "elsewhere");
  const Context other = proxy.context({"--cmux-proxy-origin", origin});
  CHECK(proxy.get(other, "http://api.internal:8080/echo").status == 502);
  CHECK(proxy.get(context, "https://api.internal/").status == 400);
}

TEST_CASE("never-route: those hosts are this machine's, whatever a route says, and their TLS is their own") {
  Workspace local({"--sniff-port-header", "--name", "local"}), workspace;
  Proxy proxy({"--never-route", "127.0.0.1", "--never-route", "dev.localhost"}, &workspace);
  const Context context = proxy.routed();
  const auto server_at = [&](const std::string& host) {
    return text_in(proxy.get(context, fmt::format("http://{}:{}/echo", host, local.http_port())).json(), "server");
  };
  CHECK(server_at("127.0.0.1") == "local");
  CHECK(server_at("dev.localhost") == "local");
  CHECK(server_at("localhost") == "fake");
  Client client = tunnel(proxy, context, fmt::format("127.0.0.1:{}", local.http_port()));
  CHECK(text_in(client.ask("GET /echo HTTP/1.1\r\nHost: x.test\r\n\r\n").json(), "server") == "local");
}

TEST_CASE("route by morph domain: https, and the dev server sees localhost") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.context({"--morph-id", "abc123", "--morph-domain-suffix", ".http.cloud.morph.test"});
  for (const std::string target : {"localhost:3000", "127.0.0.1:8080", "[::1]:8080", "localhost"})
    each(target, [&] {
      const auto echo = proxy.get(context, "http://" + target + "/echo", kForgery).json();
      const std::size_t colon = target.rfind(':');
      const std::string port = colon == std::string::npos ? "80" : target.substr(colon + 1);
      CHECK(text_in(echo, "sni") == "port-" + port + "-morphvm-abc123.http.cloud.morph.test");
      CHECK(text_in(echo, "workspace") == "abc123");
      CHECK(echoed_values(echo, "Host") == Strings{target});
      for (const std::string& name : kForged) CHECK(echoed_values(echo, name).empty());
    });
}

TEST_CASE("route by template: the URL filled in, its path in front, its own scheme and port") {
  Workspace workspace({"--sniff-port-header"});
  Proxy proxy({"--resolve", fmt::format("*.plain.test=127.0.0.1:{}", workspace.http_port())}, &workspace);
  SECTION("all placeholders, over https") {
    const Context context = proxy.context({"--template", "https://{port}-{id}-{scope}.{suffix}", "--morph-id", "vm", "--scope",
                                           "s1", "--domain-suffix", "cmux.test"});
    const auto echo = proxy.get(context, "http://localhost:3000/echo", kForgery).json();
    CHECK(text_in(echo, "sni") == "3000-vm-s1.cmux.test");
    CHECK(echoed_values(echo, "Host") == Strings{"3000-vm-s1.cmux.test"});
    for (const std::string& name : kForged) CHECK(echoed_values(echo, name).empty());
  }
  SECTION("http, with a port and a path") {
    const Context context = proxy.context({"--template", "http://dev.plain.test:8088/p/{port}/"});
    const auto echo = proxy.get(context, "http://localhost:3000/echo?q=1").status;
    CHECK(echo == 404);  // /p/3000/echo is nothing there
    const Response root = proxy.get(context, "http://localhost:3000/some/path?q=1");
    CHECK(root.body == "nothing at /p/3000/some/path\n");
  }
  SECTION("http with a port") {
    const Context context = proxy.context({"--template", "http://p{port}.plain.test:8088"});
    const auto echo = proxy.get(context, "http://localhost:3000/echo?q=1").json();
    CHECK(echoed_values(echo, "Host") == Strings{"p3000.plain.test:8088"});
    CHECK(text_in(echo, "target") == "/echo?q=1");
    CHECK(echo.at("tls") == false);
  }
}

TEST_CASE("route by cmuxProxyOrigin: that origin, with headers that say which port, host and workspace") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  struct Case {
    std::string name, url;
    Strings flags, port, host, scope;
  };
  const std::string plain = fmt::format("http://127.0.0.1:{}", workspace.http_port());
  const std::vector<Case> cases = {
      {"base", "http://localhost:3000/echo", {"--scope", "base"}, {"3000"}, {"localhost:3000"}, {}},
      {"no scope", "http://localhost:3000/echo", {}, {"3000"}, {"localhost:3000"}, {}},
      {"a scope", "http://localhost:3000/echo", {"--scope", "ws7"}, {"3000"}, {"localhost:3000"}, {"ws7"}},
      {"usual port", "http://localhost/echo", {"--scope", "base"}, {"80"}, {"localhost:80"}, {}},
      {"usual port of https", "https://localhost/echo", {}, {"443"}, {"localhost:443"}, {}},
      {"an address", "http://127.0.0.1:8080/echo", {}, {"8080"}, {"127.0.0.1:8080"}, {}},
      {"an IPv6 address", "http://[::1]:8080/echo", {}, {"8080"}, {"[::1]:8080"}, {}},
      {"a name under localhost", "http://App.localhost.:8080/echo", {}, {"8080"}, {"app.localhost:8080"}, {}},
  };
  for (const Case& given : cases)
    each(given.name, [&] {
      Strings flags = given.flags;
      flags.insert(flags.end(), {"--cmux-proxy-origin", plain, "--morph-id", "abc"});
      const Context context = proxy.context(flags);
      const auto echo = proxy.get(context, given.url, kForgery).json();
      CHECK(text_in(echo, "role") == "inner");
      CHECK(text_in(echo, "target") == "/echo");
      CHECK(echoed_values(echo, "X-Cmux-Port-Internal") == given.port);
      CHECK(echoed_values(echo, "X-Cmux-Host-Override") == given.host);
      CHECK(echoed_values(echo, "X-Cmux-Workspace-Internal") == given.scope);
      CHECK(echoed_values(echo, "X-Cmux-Proxied").empty());
      CHECK(echoed_values(echo, "Host") == Strings{fmt::format("127.0.0.1:{}", workspace.http_port())});
    });
  each("over https", [&] {
    const Context context = proxy.context({"--cmux-proxy-origin", "https://inner.cmux.test", "--scope", "x1"});
    const auto echo = proxy.get(context, "http://localhost:3000/echo").json();
    CHECK(text_in(echo, "sni") == "inner.cmux.test");
    CHECK(echoed_values(echo, "Host") == Strings{"inner.cmux.test"});
    CHECK(echoed_values(echo, "X-Cmux-Workspace-Internal") == Strings{"x1"});
  });
  each("it comes before template and morph domain", [&] {
    const Context context = proxy.context({"--cmux-proxy-origin", plain, "--template", "https://{port}.cmux.test", "--morph-id",
                                           "abc", "--morph-domain-suffix", ".http.cloud.morph.test"});
    CHECK(text_in(proxy.get(context, "http://localhost:3000/echo").json(), "role") == "inner");
  });
}

TEST_CASE("client-sent X-Cmux-* never go through, to origins and upgrades neither") {
  Workspace workspace({"--sniff-port-header"});
  Proxy proxy({"--resolve", fmt::format("origin.test=127.0.0.1:{}", workspace.http_port())}, &workspace);
  const Context context = proxy.routed(), plain = proxy.context();
  for (const Context* const each_context : {&context, &plain}) {
    const auto echo = proxy.get(*each_context, "http://origin.test/echo", kForgery + "X-Cmux-Other: stays\r\n").json();
    for (const std::string& name : kForged) CHECK(echoed_values(echo, name).empty());
    CHECK(echoed_values(echo, "X-Cmux-Other") == Strings{"stays"});
  }
  Client client = tunnel(proxy, context, "localhost:3000");
  const auto inside = client.ask("GET /echo HTTP/1.1\r\nHost: localhost:3000\r\n" + kForgery + "\r\n").json();
  check_forged(inside, "localhost:3000");
}

TEST_CASE("the route's headers go on its requests, preflights and upgrades, once, and nowhere else") {
  Workspace workspace, origin({"--sniff-port-header"});
  Proxy proxy({"--resolve", fmt::format("origin.test=127.0.0.1:{}", origin.http_port())}, &workspace);
  const Strings route = {"--morph-id", "abc", "--scope", "base", "--domain-suffix", "cmux.test"};
  Strings flags = route;
  flags.insert(flags.end(), {"--header", "X-Preview-Token: s3cret", "--header", "Cookie: preview=1"});
  const Context context = proxy.context(flags), without = proxy.context(route);
  const std::string url = "http://localhost:3000/echo";

  SECTION("requests: in place of what the client sent") {
    const auto echo = proxy.get(context, url, "x-preview-TOKEN: forged\r\nX-Preview-Token: twice\r\n").json();
    CHECK(echoed_values(echo, "X-Preview-Token") == Strings{"s3cret"});
    CHECK(echoed_values(echo, "Cookie") == Strings{"preview=1"});
  }
  SECTION("preflights") {
    Client client = proxy.connect();
    const auto echo =
        client.ask(request_text("OPTIONS", url, context, "Origin: http://localhost:1\r\nAccess-Control-Request-Method: PUT\r\n"));
    CHECK(echoed_values(echo.json(), "X-Preview-Token") == Strings{"s3cret"});
  }
  SECTION("requests in a tunnel") {
    Client client = tunnel(proxy, context, "localhost:3000");
    const auto echo = client.ask("GET /echo HTTP/1.1\r\nHost: localhost:3000\r\n\r\n").json();
    CHECK(echoed_values(echo, "X-Preview-Token") == Strings{"s3cret"});
  }
  SECTION("upgrades") {
    // Refused ones are echoed: the fields are seen.
    Client client = proxy.connect();
    const auto echo = client.ask(request_text("GET", url, context, "Connection: Upgrade\r\nUpgrade: something/1\r\n")).json();
    CHECK(echoed_values(echo, "X-Preview-Token") == Strings{"s3cret"});
    CHECK(echoed_values(echo, "Upgrade") == Strings{"something/1"});
  }
  SECTION("raw tunnels through a cmuxProxyOrigin") {
    const Context raw = proxy.context({"--cmux-proxy-origin", fmt::format("http://127.0.0.1:{}", workspace.http_port()),
                                       "--scope", "ws7", "--header", "X-Preview-Token: s3cret"});
    Client client = tunnel(proxy, raw, "localhost:2222");
    CHECK(client.read_until("\r\n") == "SSH-2.0-fake\r\n");
    const auto connect = workspace.get("/last-connect");
    CHECK(text_in(connect, "target") == "localhost:2222");
    CHECK(echoed_values(connect, "X-Preview-Token") == Strings{"s3cret"});
    CHECK(echoed_values(connect, "X-Cmux-Port-Internal") == Strings{"2222"});
    CHECK(echoed_values(connect, "X-Cmux-Host-Override") == Strings{"localhost:2222"});
    CHECK(echoed_values(connect, "X-Cmux-Workspace-Internal") == Strings{"ws7"});
  }
  SECTION("not to origins that the client names, not even to the workspace's own name, and not for other contexts") {
    CHECK(echoed_values(proxy.get(context, "http://origin.test/echo").json(), "X-Preview-Token").empty());
    CHECK(echoed_values(proxy.get(context, "https://cmux-abc-base-3000.cmux.test/echo").json(), "X-Preview-Token").empty());
    CHECK(echoed_values(proxy.get(without, url).json(), "X-Preview-Token").empty());
    CHECK(echoed_values(proxy.get(context, url).json(), "X-Preview-Token") == Strings{"s3cret"});
    CHECK(echoed_values(proxy.get(without, url).json(), "X-Preview-Token").empty());  // on the same upstream connection
  }
}

TEST_CASE("without a route, localhost is this machine") {
  Workspace workspace({"--sniff-port-header", "--name", "local"});
  Proxy proxy({}, &workspace);
  const Context plain = proxy.context();
  for (const std::string& host : {"localhost"s, "127.0.0.1"s, "app.localhost"s, "LOCALHOST."s, "[::ffff:127.0.0.1]"s})
    each(host, [&] {
      const Response response = proxy.get(plain, fmt::format("http://{}:{}/echo", host, workspace.http_port()));
      INFO(response.head << response.body);
      REQUIRE(response.status == 200);
      CHECK(text_in(response.json(), "server") == "local");
    });
}
