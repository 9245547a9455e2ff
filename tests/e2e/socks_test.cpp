// SOCKS5 on the main port and on contexts' own: what goes through it, and what is refused how.
#include "socks.hpp"
#include "rows.hpp"
#include "tls_client.hpp"
#include "tunnel_ends.hpp"

namespace e2e {
namespace {

const std::string kHome = "GET / HTTP/1.1\r\nHost: localhost:3000\r\n\r\n";

struct Setup {
  Workspace workspace;
  Proxy proxy{{"--resolve", "*.there.test=127.0.0.1"}, &workspace};
  Context context = proxy.context({"--cmux-proxy-origin", fmt::format("http://127.0.0.1:{}", workspace.http_port()), "--header",
                                   "X-Token: s3cret", "--dedicated-port"});
  Client greeted() const { return socks_greeted(proxy, context); }
  Client opened(std::uint16_t port, std::string_view name = "localhost") const {
    Client client = greeted();
    REQUIRE(socks_code(client, socks_request(name, port)) == 0);
    return client;
  }
};

std::uint16_t unused_port() { return Upstream().port(); }

}  // namespace

TEST_CASE("socks: a context's localhost is its workspace, by every kind of address") {
  Setup setup;
  const bool own = GENERATE(false, true);
  const auto check = [&](const std::string& request, std::string_view host) {
    Client client = own ? socks_greeted(dedicated_port(setup.context)) : setup.greeted();
    CHECK(socks_code(client, request) == 0);
    const std::string home = fmt::format("GET / HTTP/1.1\r\nHost: {}:3000\r\n\r\n", host);
    CHECK(client.ask(home).body.find("port 3000") != std::string::npos);
    CHECK(client.ask(home).status == 200);
  };
  const std::string port = "\x0b\xb8";
  check(socks_request("localhost", 3000), "localhost");
  check("\x05\x01\x00\x01\x7f\x00\x00\x01"s + port, "127.0.0.1");
  check("\x05\x01\x00\x04"s + std::string(15, '\0') + "\x01" + port, "[::1]");
  check(socks_request("::1", 3000), "[::1]");  // as Chromium asks for it
  // Its name is still the one that counts.
  Client client = setup.opened(3000, "app.localhost");
  CHECK(client.ask(kHome).status == 421);
  CHECK(client.ask("GET / HTTP/1.1\r\nHost: app.localhost:3000\r\n\r\n").status == 200);
}

TEST_CASE("socks: whatever is said, and however it is cut, is understood") {
  Setup setup;
  const std::string all = kGreetPassword + socks_login(setup.context) + socks_request("localhost", 3000) + kHome;
  const std::string answers = "\x05\x02\x01\x00"s + socks_reply(0);
  SECTION("all of it in one piece, and a request behind it") {
    Client client = setup.proxy.connect();
    client.send(all);
    CHECK(client.read_exactly(answers.size()) == answers);
    CHECK(client.read_response().status == 200);
  }
  SECTION("byte by byte") {
    Client client = setup.proxy.connect();
    for (const char c : all) client.send(std::string(1, c));
    CHECK(client.read_exactly(answers.size()) == answers);
    CHECK(client.read_response().status == 200);
  }
  SECTION("a greeting with every method there is") {
    Client client = setup.proxy.connect();
    std::string methods;
    for (int method = 255; method > 0; --method) methods += static_cast<char>(method);
    client.send("\x05\xff" + methods);
    CHECK(client.read_exactly(2) == "\x05\x02"s);
  }
  SECTION("a ClientHello right behind the request") {
    Client client = setup.greeted();
    client.send(socks_request("localhost", 3443));
    REQUIRE(client.read_exactly(10) == socks_reply(0));
    Secured secured = secure(std::move(client), {text_in(setup.proxy.ready, "caFile"), "localhost", {"http/1.1"}});
    CHECK(secured.client.ask("GET / HTTP/1.1\r\nHost: localhost:3443\r\n\r\n").body.find("port 3443") != std::string::npos);
  }
  SECTION("raw bytes right behind the request") {
    Client client = setup.greeted();
    client.send(socks_request("localhost", 5432) + "\x00\x00\x00\x08raw!"s);
    CHECK(client.read_exactly(10) == socks_reply(0));
    CHECK(client.read_exactly(8) == "\x00\x00\x00\x08raw!"s);
    CHECK(text_in(setup.workspace.get("/last-connect"), "target") == "localhost:5432");
    client.half_close();
    CHECK(client.read_all_until_close().empty());
    CHECK_FALSE(client.was_reset());
  }
  SECTION("nothing: the server speaks first") {
    Client client = setup.opened(2222);
    CHECK(client.read_until("\r\n") == "SSH-2.0-fake\r\n");
  }
}

TEST_CASE("socks: other hosts are reached as they are, and each direction ends on its own") {
  Setup setup;
  Upstream upstream;
  Client client = setup.opened(upstream.port(), "far.there.test");
  Peer peer = upstream.accept();
  client_ends_first(client, peer);

  Client other = setup.opened(upstream.port(), "far.there.test");
  Peer resetting = upstream.accept();
  resetting.abort();
  CHECK(other.closed_by_peer());
  CHECK(other.was_reset());
}

TEST_CASE("socks: what cannot be reached has its reply code") {
  Setup setup;
  const auto code = [&](const std::string& request) {
    Client client = setup.greeted();
    return socks_code(client, request);
  };
  each("refused", [&] { CHECK(code(socks_request("far.there.test", unused_port())) == 5); });
  each("no such name", [&] { CHECK(code(socks_request("does-not-exist.invalid", 80)) == 4); });
  each("BIND", [&] { CHECK(code(socks_request("localhost", 3000, 2)) == 7); });
  each("UDP ASSOCIATE", [&] { CHECK(code(socks_request("localhost", 3000, 3)) == 7); });
  each("an unknown address type", [&] { CHECK(code("\x05\x01\x00\x02x"s) == 8); });
  each("the proxy's own ports", [&] {
    for (const std::uint16_t port : {setup.proxy.port(), setup.proxy.admin_port(), dedicated_port(setup.context)})
      for (const char* const host : {"localhost", "127.0.0.1", "::ffff:127.0.0.1", "far.there.test"}) {
        INFO(host << ":" << port);
        CHECK(code(socks_request(host, port)) == 2);
      }
  });
  for (const std::string& name : {std::string(), std::string(255, 'a'), "local\0host"s, "user@localhost"s, "localhost:80"s})
    each("a name that is none", [&] { CHECK(code(socks_request(name, 3000)) == 1); });
  each("port 0", [&] { CHECK(code(socks_request("localhost", 0)) == 1); });
  each("another version", [&] { CHECK(code("\x04\x01\x00\x01"s) == 1); });
  each("HTTP where the request belongs", [&] { CHECK(code("CONNECT localhost:3000 HTTP/1.1\r\n\r\n") == 1); });
  CHECK(setup.workspace.requests() == 0);
}

TEST_CASE("socks: on the main port nobody is served without a context's credentials") {
  Setup setup;
  const auto answer = [&](const std::string& bytes) {
    Client client = setup.proxy.connect();
    client.send(bytes);
    std::string out = client.read_all_until_close();
    CHECK_FALSE(client.was_reset());
    return out;
  };
  const std::string request = socks_request("localhost", 3000);
  each("none", [&] { CHECK(answer(kGreetNone + request) == "\x05\xff"s); });
  each("GSSAPI alone", [&] { CHECK(answer("\x05\x01\x01"s + request) == "\x05\xff"s); });
  each("no method", [&] { CHECK(answer("\x05\x00"s + request) == "\x05\xff"s); });
  Context wrong = setup.context;
  wrong.password.back() = wrong.password.back() == '0' ? '1' : '0';
  each("a wrong password", [&] { CHECK(answer(kGreetPassword + socks_login(wrong) + request) == "\x05\x02\x01\x01"s); });
  wrong.password.clear();
  each("none at all", [&] { CHECK(answer(kGreetPassword + socks_login(wrong) + request) == "\x05\x02\x01\x01"s); });
  wrong = setup.context;
  wrong.username = std::string(255, 'u');
  each("an unknown name", [&] { CHECK(answer(kGreetPassword + socks_login(wrong) + request) == "\x05\x02\x01\x01"s); });
  each("another version of it",
       [&] { CHECK(answer(kGreetPassword + "\x05" + socks_login(setup.context).substr(1) + request) == "\x05\x02\x01\x01"s); });
  CHECK(setup.workspace.requests() == 0);
  CHECK(counter(setup.workspace, "tunnels") == 0);
  // Credentials that were good until just now.
  Client client = setup.greeted();
  CHECK(setup.proxy.cli({"ctx", "release", setup.context.id}).exit == 0);
  CHECK(socks_code(client, request) == 2);
}

TEST_CASE("socks: a dedicated port asks for no credentials, and takes any from who insists") {
  Setup setup;
  Client none = socks_greeted(dedicated_port(setup.context));
  CHECK(socks_code(none, socks_request("localhost", 3000)) == 0);
  Client both(dedicated_port(setup.context));
  both.send("\x05\x02\x02\x00"s);
  CHECK(both.read_exactly(2) == "\x05\x00"s);
  Client any(dedicated_port(setup.context));
  any.send(kGreetPassword + "\x01\x01u\x01p"s + socks_request("localhost", 3000) + kHome);
  CHECK(any.read_exactly(14) == "\x05\x02\x01\x00"s + socks_reply(0));
  CHECK(any.read_response().status == 200);
  Client neither(dedicated_port(setup.context));
  neither.send("\x05\x01\x01"s);
  CHECK(neither.read_all_until_close() == "\x05\xff"s);
}

TEST_CASE("socks: other versions are told so at once") {
  Setup setup;
  for (const std::uint16_t port : {setup.proxy.port(), dedicated_port(setup.context)}) {
    Client four(port);
    four.send("\x04\x01\x0b\xb8\x7f\x00\x00\x01user\x00"s);
    CHECK(four.read_all_until_close() == "\x00\x5b\x00\x00\x00\x00\x00\x00"s);
    CHECK_FALSE(four.was_reset());
    Client six(port);
    six.send("\x06\x01\x00"s);
    CHECK(six.read_all_until_close() == "\x05\xff"s);
  }
}

TEST_CASE("socks: only a connection's first byte begins it") {
  Setup setup;
  SECTION("not inside TLS") {
    Secured secured = secure(setup.proxy.connect(), {text_in(setup.proxy.ready, "caFile"), "127.0.0.1", {"http/1.1"}});
    secured.client.send(kGreetPassword + "\r\n\r\n");
    CHECK(secured.client.read_response().status == 400);
  }
  SECTION("not inside a tunnel, where it is what the workspace makes of it") {
    Client client = setup.opened(1080);
    client.send(kGreetNone);
    CHECK(client.read_exactly(3) == kGreetNone);
  }
  SECTION("not behind a request, which is all that a web page could send") {
    Client client(dedicated_port(setup.context));
    client.send("POST http://localhost:3000/upload HTTP/1.1\r\nHost: localhost:3000\r\nContent-Length: 0\r\n\r\n");
    CHECK(client.read_response().status == 200);
    client.send(kGreetNone + socks_request("localhost", 3000) + "\r\n\r\n");
    CHECK(client.read_response().status == 400);
  }
}

TEST_CASE("socks: who dawdles over the request is let go") {
  Workspace workspace;
  Proxy proxy({"--header-timeout", "1s"}, &workspace);
  const Context context = proxy.context({"--dedicated-port"});
  for (const std::string& begun : {"\x05"s, kGreetPassword, kGreetPassword + "\x01\x10us"s, kGreetPassword + socks_login(context),
                                   kGreetPassword + socks_login(context) + "\x05\x01\x00\x03\xff"s}) {
    Client client = proxy.connect();
    client.send(begun);
    CHECK(client.closed_by_peer());
  }
  Client own(dedicated_port(context));
  own.send(kGreetNone);
  CHECK(own.closed_by_peer());
  // A byte now and then is no progress.
  Client dripping = socks_greeted(proxy, context);
  CHECK(eventually([&] { return !dripping.send("\x05\x01\x00\x03\xff"s) || !dripping.silent(50ms); }));
}

TEST_CASE("socks: releasing the context ends its tunnels, and a new route those of the old one") {
  Setup setup;
  Client raw = setup.opened(5432), http = setup.opened(3000), idle = socks_greeted(dedicated_port(setup.context));
  raw.send("\x01\x02");
  CHECK(raw.read_exactly(2) == "\x01\x02");
  CHECK(http.ask(kHome).status == 200);
  SECTION("released") {
    CHECK(setup.proxy.cli({"ctx", "release", setup.context.id}).exit == 0);
    CHECK(idle.closed_by_peer());
  }
  SECTION("rerouted") {
    CHECK(setup.proxy.api("PATCH", "/v1/contexts/" + setup.context.id, R"({"route":null})").status == 200);
    CHECK(socks_code(idle, socks_request("far.there.test", setup.workspace.http_port())) == 0);
  }
  CHECK(raw.closed_by_peer());
  CHECK(http.closed_by_peer());
}

TEST_CASE("socks: a context's share and the time to stop count here too") {
  Workspace workspace;
  Proxy proxy({"--max-context-requests", "1", "--threads", "1"}, &workspace);
  const Context context = proxy.routed(), other = proxy.routed();
  Client one = socks_greeted(proxy, context), two = socks_greeted(proxy, context), three = socks_greeted(proxy, other);
  CHECK(socks_code(one, socks_request("localhost", 3000)) == 0);
  CHECK(socks_code(two, socks_request("localhost", 3000)) == 1);
  CHECK(socks_code(three, socks_request("localhost", 3000)) == 0);
  // One that has not asked yet is not waited for.
  Client begun = socks_greeted(proxy, other);
  CHECK(proxy.cli({"stop"}).exit == 0);
  CHECK(begun.closed_by_peer());
}

TEST_CASE("socks: who connects and stays silent behind the greeting gives way like any other") {
  Workspace workspace;
  Proxy proxy({"--max-descriptors", "128", "--threads", "1", "--header-timeout", "1s"}, &workspace);
  const Context context = proxy.routed();
  std::vector<Client> silent;
  for (int i = 0; i < 200; ++i) {
    silent.push_back(proxy.connect());
    silent.back().send("\x05");
  }
  CHECK(proxy.cli({"status"}).exit == 0);
  CHECK(eventually([&] {
    Client client = proxy.connect();
    client.send(request_text("GET", "http://localhost:3000/", context, "Connection: close\r\n"));
    return client.read_all_until_close().find("200 OK") != std::string::npos;
  }));
}

TEST_CASE("socks: any thread serves it, and an event says what it was") {
  Workspace workspace;
  Proxy proxy({"--threads", "2", "--access-log"}, &workspace);
  RawServer server;
  const Context context = proxy.context();
  for (int i = 0; i < 6; ++i) {
    Client client = socks_greeted(proxy, context);
    CHECK(socks_code(client, socks_request("127.0.0.1", server.port())) == 0);
    CHECK(client.read_until("\r\n") == "220 ready\r\n");
  }
  Client refused = socks_greeted(proxy, context);
  CHECK(socks_code(refused, socks_request("127.0.0.1", unused_port())) == 5);
  CHECK(eventually([&] { return proxy.process().stderr_text().find("502") != std::string::npos; }));
  const std::string log = proxy.process().stderr_text();
  CHECK(log.find("access CONNECT 127.0.0.1:") != std::string::npos);
  CHECK(log.find(fmt::format(" context={} ", context.id)) != std::string::npos);
  CHECK(log.find("protocols=socks5,tcp") != std::string::npos);
  CHECK(log.find(context.password) == std::string::npos);
}

}  // namespace e2e
