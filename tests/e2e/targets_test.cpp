// Which targets are loopback, which only look like it, and which are none: SPEC 3.
#include <fmt/format.h>

#include "rows.hpp"
#include "support.hpp"

using namespace e2e;
using namespace std::string_literals;

namespace {

// Sends it with a Host of its own, since the target need not be one.
Response ask(const Proxy& proxy, const Context& context, std::string_view url, std::string_view host = "localhost") {
  Client client = proxy.connect();
  return client.ask(fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\n{}\r\n", url, host, context.auth_line()));
}

Response connect_to(const Proxy& proxy, const Context& context, std::string_view target) {
  Client client = proxy.connect();
  return client.ask(fmt::format("CONNECT {} HTTP/1.1\r\nHost: x\r\n{}\r\n", target, context.auth_line()), "CONNECT");
}

}  // namespace

TEST_CASE("every form of loopback goes to the context's workspace, in requests and in tunnels") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  for (const std::string& host :
       {"localhost"s, "LOCALHOST"s, "LocalHost"s, "localhost."s, "LOCALHOST."s, "app.localhost"s, "a.b.c.localhost"s,
        "App.LocalHost."s, "127.0.0.1"s, "127.0.0.2"s, "127.1.2.3"s, "127.255.255.255"s, "0.0.0.0"s, "[::1]"s, "[::]"s,
        "[0:0:0:0:0:0:0:1]"s, "[::ffff:127.0.0.1]"s, "[::FFFF:127.9.9.9]"s, "[::ffff:7f00:1]"s})
    each(host, [&] {
      const Response response = ask(proxy, context, "http://" + host + ":3000/echo");
      REQUIRE(response.status == 200);
      const auto echo = response.json();
      CHECK(text_in(echo, "workspace") == "abc");
      CHECK(number_in(echo, "port") == 3000);
      CHECK(text_in(echo, "sni") == "cmux-abc-base-3000.cmux.test");

      Client inside = tunnel(proxy, context, host + ":3001");
      const Response routed = inside.ask(fmt::format("GET /echo HTTP/1.1\r\nHost: {}:3001\r\n\r\n", host));
      REQUIRE(routed.status == 200);
      CHECK(number_in(routed.json(), "port") == 3001);
    });
}

TEST_CASE("::1 without brackets is loopback where nothing else could be meant") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  const Response bare = ask(proxy, context, "http://::1/echo");
  CHECK(bare.status == 200);
  if (bare.status == 200) CHECK(number_in(bare.json(), "port") == 80);
  // 3000 could be its last part.
  check_own_answer(ask(proxy, context, "http://::1:3000/echo"), 400);
  check_own_answer(connect_to(proxy, context, "::1:3000"), 400);
  check_own_answer(ask(proxy, context, "http://[::1/echo"), 400);
  check_own_answer(ask(proxy, context, "http://[::1]3000/echo"), 400);
  check_own_answer(ask(proxy, context, "http://[localhost]:3000/echo"), 400);
  check_own_answer(ask(proxy, context, "http://[127.0.0.1]:3000/echo"), 400);
  check_own_answer(ask(proxy, context, "http://[::1::2]:3000/echo"), 400);
}

TEST_CASE("IPv6 zones: read with both spellings of the percent sign, and refused where they are none") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed(), plain = proxy.context();
  for (const std::string& host : {"[::1%25lo]"s, "[::1%lo]"s})
    each(host, [&] {
      const Response response = ask(proxy, context, "http://" + host + ":3000/echo");
      CHECK(response.status == 200);
      if (response.status == 200) CHECK(text_in(response.json(), "workspace") == "abc");
      Client inside = tunnel(proxy, context, host + ":3000");
      CHECK(inside.ask(fmt::format("GET /echo HTTP/1.1\r\nHost: {}:3000\r\n\r\n", host)).status == 200);
    });
  for (const std::string& host :
       {"[::1%25]"s, "[::1%]"s, "[::1%25a/b]"s, "[::1%25a b]"s, "[::1%25a%00]"s, "[fe80::1%25averyverylongzonename]"s})
    each(host, [&] {
      check_own_answer(ask(proxy, context, "http://" + host + ":3000/echo"), 400);
      check_own_answer(connect_to(proxy, context, host + ":3000"), 400);
    });
  // A zone that this machine does not have: an answer, whatever the address.
  CHECK(ask(proxy, plain, "http://[fe80::1%25nozone0]:3000/").status >= 502);
}

TEST_CASE("hosts that only look like loopback go where they say, with the route's headers nowhere") {
  Workspace workspace, other({"--sniff-port-header", "--name", "elsewhere"});
  Strings extra;
  const Strings hosts = {"127.evil.com",       "localhost.evil.com",   "127.0.0.1.nip.io",   "127.0.0.1.evil.com",
                         "localhost.com",      "xlocalhost",           "notlocalhost.com",   "localhost-evil.com",
                         "my-localhost",       "localhost.cmux.app",   "cmux.localhost",     "localhost.cmux.localhost",
                         "app.cmux.localhost", "x.manaflow.localhost", "manaflow.localhost", "cmux-a-base-1.cmux.local"};
  for (const std::string& host : hosts)
    extra.insert(extra.end(), {"--resolve", fmt::format("{}=127.0.0.1:{}", host, other.http_port())});
  Proxy proxy(extra, &workspace);
  const Context context = proxy.context({"--morph-id", "abc", "--scope", "base", "--domain-suffix", "cmux.test", "--header",
                                         "X-Preview-Token: secret-of-the-route"});
  for (const std::string& host : hosts)
    for (const std::string& spelled : {host, host + "."})
      each(spelled, [&] {
        const Response response = ask(proxy, context, "http://" + spelled + ":3000/echo");
        INFO(response.head << response.body);
        REQUIRE(response.status == 200);
        CHECK(text_in(response.json(), "server") == "elsewhere");
        CHECK(response.body.find("secret-of-the-route") == std::string::npos);
        Client inside = tunnel(proxy, context, spelled + ":3000");  // a TCP tunnel, straight there
        const Response direct = inside.ask("GET /echo HTTP/1.1\r\nHost: anything\r\n\r\n");
        CHECK(text_in(direct.json(), "server") == "elsewhere");
        CHECK(direct.body.find("secret-of-the-route") == std::string::npos);
      });
  CHECK(workspace.requests() == 0);
}

TEST_CASE("what only a resolver reads as 127.0.0.1 is not routed, and finds no way back to the proxy") {
  Workspace workspace, local({"--sniff-port-header", "--name", "local"});
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  for (const std::string& host : {"127.1"s, "0x7f.0.0.1"s, "0177.0.0.1"s, "2130706433"s, "127.0.0.01"s, "127.0.0.256"s})
    each(host, [&] {
      const Response response = ask(proxy, context, fmt::format("http://{}:{}/echo", host, local.http_port()));
      INFO(response.head << response.body);
      if (response.status == 200) CHECK(text_in(response.json(), "server") == "local");
      else CHECK(response.header("Proxy-Status").starts_with("cmuxproxy; error="));
      for (const std::uint16_t port : {proxy.port(), proxy.admin_port()}) {
        const Response looped = ask(proxy, context, fmt::format("http://{}:{}/healthz", host, port));
        CHECK((looped.status == 508 || looped.status == 502 || looped.status == 504));
        CHECK((response.status == 200) == (looped.status == 508));
      }
    });
  CHECK(workspace.requests() == 0);
}

TEST_CASE("ports: 1 to 65535 and nothing else; none is the scheme's") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  for (const std::string& port :
       {"0"s, "65536"s, "abc"s, "-1"s, "+80"s, "3000x"s, "0x50"s, " 80"s, "99999999999999999999"s, "000000080"s, ""s})
    for (const std::string& host : {"localhost"s, "[::1]"s, "127.0.0.1"s})
      each(host + ":" + port, [&] {
        check_own_answer(ask(proxy, context, "http://" + host + ":" + port + "/echo"), 400);
        check_own_answer(connect_to(proxy, context, host + ":" + port), 400);
      });
  CHECK(workspace.requests() == 0);
  const std::vector<std::pair<std::string, int>> ports = {
      {"http://localhost/echo", 80},          {"https://localhost/echo", 443}, {"ws://localhost/echo", 80},
      {"wss://localhost/echo", 443},          {"HTTP://localhost/echo", 80},   {"http://localhost:1/echo", 1},
      {"http://localhost:65535/echo", 65535}, {"https://[::1]/echo", 443}};
  for (const auto& [url, port] : ports)
    each(url, [&] {
      const Response response = ask(proxy, context, url);
      REQUIRE(response.status == 200);
      CHECK(number_in(response.json(), "port") == port);
    });
}

TEST_CASE("the target counts, not the Host beside it") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  const Response response = ask(proxy, context, "http://localhost:3000/echo", "evil.example:9999");
  REQUIRE(response.status == 200);
  CHECK(number_in(response.json(), "port") == 3000);
  CHECK(response.body.find("evil.example") == std::string::npos);
}

TEST_CASE("inside a tunnel: its own host only, and no second CONNECT") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  Client client = tunnel(proxy, context, "localhost:3000");
  const std::string good = "GET /echo HTTP/1.1\r\nHost: localhost:3000\r\n\r\n";
  for (const std::string& host : {"localhost:3001"s, "localhost"s, "example.com"s, "127.0.0.1:3000"s, "app.localhost:3000"s})
    each("Host " + host, [&] {
      const auto seen = workspace.requests();
      check_own_answer(client.ask("GET /echo HTTP/1.1\r\nHost: " + host + "\r\n\r\n"), 421);
      check_own_answer(client.ask("GET http://" + host + "/echo HTTP/1.1\r\nHost: localhost:3000\r\n\r\n"), 421);
      CHECK(workspace.requests() == seen);
    });
  for (const std::string& target : {"localhost:3000"s, "example.com:443"s})
    each("CONNECT " + target, [&] {
      const Response response = client.ask("CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n\r\n");
      CHECK(response.status >= 400);
      CHECK(response.header("Proxy-Status").starts_with("cmuxproxy; error="));
    });
  CHECK(client.ask(good).status == 200);  // all of that on one tunnel, still in step
  CHECK(client.ask("GET http://localhost:3000/echo HTTP/1.1\r\nHost: localhost:3000\r\n\r\n").status == 200);
  CHECK(client.ask("GET /echo HTTP/1.1\r\nHost: LOCALHOST.:3000\r\n\r\n").status == 200);
  SECTION("the port may be left out where it is the usual one") {
    Client usual = tunnel(proxy, context, "localhost:80");
    CHECK(usual.ask("GET /echo HTTP/1.1\r\nHost: localhost\r\n\r\n").status == 200);
    CHECK(usual.ask("GET /echo HTTP/1.1\r\nHost: localhost:80\r\n\r\n").status == 200);
  }
}
