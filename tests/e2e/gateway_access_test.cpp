// Access to `gateway names` by tokens: where they may stand, what is not good, and that they go no further.
#include <fmt/format.h>
#include <sys/stat.h>

#include "gateway.hpp"
#include "h2_client.hpp"
#include "rows.hpp"
#include "tls_client.hpp"

using namespace e2e;

namespace {

// A dev server on a machine called abc, and a public gateway with TLS that asks for tokens.
struct Setup {
  explicit Setup(const Strings& flags = {}) : server({"--sniff-port-header"}), machine({"machine"}) {
    command({"key", "make", keys()});
    write_file(table(), fmt::format("abc = \"http://127.0.0.1:{0}\"\nother = \"http://127.0.0.1:{0}\"\n", machine.port()));
    Strings all{"--domain", "cmux.test", "--machines", table(), "--keys", keys()};
    all.insert(all.end(), flags.begin(), flags.end());
    names = std::make_unique<Gateway>(Strings{"names"}, all);
  }
  std::string keys() const { return dir / "keys.json"; }
  std::string table() const { return dir / "machines.toml"; }
  Run command(Strings args, int code = 0) const {
    args.insert(args.begin(), {binary(), "gateway"});
    Run done = run(args, machine.environment());
    INFO(done.out << done.err);
    CHECK(done.exit == code);
    return done;
  }
  std::string token(const std::string& id = "abc", const std::string& ttl = "1h") const {
    std::string out = command({"token", "--keys", keys(), "--id", id, "--ttl", ttl}).out;
    while (out.ends_with('\n')) out.pop_back();
    return out;
  }
  std::string host(std::string_view id = "abc") const { return fmt::format("cmux-{}-base-{}.cmux.test", id, server.http_port()); }
  std::string request(std::string_view fields = "", std::string_view path = "/echo", std::string_view id = "abc") const {
    return fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\n{}\r\n", path, host(id), fields);
  }

  TempDir dir;
  Workspace server;
  Gateway machine;
  std::unique_ptr<Gateway> names;
};

std::string bearer(std::string_view token) { return fmt::format("Authorization: Bearer {}\r\n", token); }

void check_gone(const boost::json::object& echo, const std::string& token) {
  CHECK(boost::json::serialize(echo).find(token) == std::string::npos);
}

// A request that is under way when its token ends has no answer.
bool becomes_refused(const Setup& setup, const std::string& token) {
  return eventually([&] {
    Client asking = setup.names->connect();
    asking.send(setup.request(bearer(token) + "Connection: close\r\n"));
    return asking.read_all_until_close().starts_with("HTTP/1.1 401 ");
  });
}

}  // namespace

TEST_CASE("gateway access: a bearer of ours lets in, for its machine alone, and is not forwarded; a dev server's own is") {
  Setup setup;
  const std::string token = setup.token();
  Client client = setup.names->connect();
  const Response without = client.ask(setup.request());
  check_own_answer(without, 401);
  CHECK(without.header("WWW-Authenticate") == "Bearer realm=\"cmuxproxy\"");
  const auto echo = client.ask(setup.request(bearer(token))).json();
  CHECK(echoed_fields(echo) == Strings{"Host: " + setup.host(), "X-Cmux-Proxied: true"});
  check_own_answer(client.ask(setup.request(bearer(token), "/echo", "other")), 403);
  CHECK(client.ask(setup.request(bearer(token))).status == 200);
  // The cookie is ours, the bearer the page's.
  const auto both =
      client.ask(setup.request("Authorization: Bearer own.secret.thing\r\nCookie: a=b; __Host-cmux_token=" + token + "\r\n"))
          .json();
  CHECK(echoed_values(both, "Authorization") == Strings{"Bearer own.secret.thing"});
  CHECK(echoed_values(both, "Cookie") == Strings{"a=b"});
  // A bearer is meant, where a cookie may be left from before; wherever it stands, and however often.
  const auto stale = client.ask(setup.request("Authorization: Basic eDp5\r\n" + bearer(token) +
                                              "Cookie: a=b;\t__Host-cmux_token=" + setup.token("other") + "\r\n"));
  CHECK(stale.status == 200);
  CHECK(echoed_values(stale.json(), "Authorization") == Strings{"Basic eDp5"});
  CHECK(echoed_values(stale.json(), "Cookie") == Strings{"a=b"});
  // Both ours: neither goes on.
  check_gone(client.ask(setup.request(bearer(token) + "Cookie: __Host-cmux_token=" + token + "\r\n")).json(), token);
  check_own_answer(client.ask(setup.request()), 401);  // the connection is not let in for good
  CHECK(setup.names->process().stderr_text().find(token) == std::string::npos);
}

TEST_CASE("gateway access: bad tokens let nobody in") {
  Setup setup;
  const std::string token = setup.token();
  Client client = setup.names->connect();
  const auto parts = token.find('.');
  for (const std::string& bad :
       {std::string("x"), std::string("a.b.c"), token.substr(0, token.size() - 1), token + "A", token.substr(parts),
        std::string("eyJhbGciOiJub25lIn0") + token.substr(parts), token.substr(0, token.rfind('.') + 1)})
    each(bad, [&] {
      check_own_answer(client.ask(setup.request(bearer(bad))), 401);
      check_own_answer(client.ask(setup.request("Cookie: __Host-cmux_token=" + bad + "\r\n")), 401);
      check_own_answer(client.ask(setup.request("", "/echo?cmux_token=" + bad)), 401);
    });
  check_own_answer(client.ask(setup.request(bearer(std::string(60 * 1024, 'a')))), 401);
  const std::string brief = setup.token("abc", "1s");
  CHECK(becomes_refused(setup, brief));
  CHECK(client.ask(setup.request(bearer(token))).status == 200);
}

TEST_CASE("gateway access: a CONNECT shows it as its password, and is answered 407 without") {
  Setup setup;
  const std::string target = fmt::format("cmux-abc-base-{}.cmux.test:443", setup.server.http_port());
  const auto connect = [&](std::string_view fields) {
    return setup.names->connect().ask(fmt::format("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n{1}\r\n", target, fields), "CONNECT");
  };
  const Response without = connect("");
  check_own_answer(without, 407);
  CHECK(without.has("Proxy-Authenticate"));
  check_own_answer(connect("Proxy-Authorization: Basic " + base64("any:wrong") + "\r\n"), 407);
  CHECK(connect("Proxy-Authorization: Basic " + base64("any:" + setup.token()) + "\r\n").status == 200);
  CHECK(connect("Proxy-Authorization: Bearer " + setup.token() + "\r\n").status == 200);
}

TEST_CASE("gateway access: ?cmux_token= becomes a cookie of that host over TLS, and leaves the URL") {
  Setup setup({"--tls-cert", pki() + "/srv.crt", "--tls-key", pki() + "/srv.key"});
  TlsWanted wanted;
  wanted.ca_file = pki() + "/ca.crt";
  wanted.name = setup.host();
  wanted.alpn = {"http/1.1"};
  Client client = secure(setup.names->connect(), wanted).client;
  const std::string token = setup.token();
  const Response answer = client.ask(setup.request("", "//evil.com/a?x=1&cmux_token=" + token + "&y=2"));
  CHECK(answer.status == 303);
  CHECK(answer.header("Location") == "https://" + setup.host() + "//evil.com/a?x=1&y=2");
  CHECK(answer.header("Referrer-Policy") == "no-referrer");
  CHECK(answer.header("Cache-Control") == "no-store");
  const std::string cookie = answer.header("Set-Cookie");
  CHECK(cookie.starts_with("__Host-cmux_token=" + token + "; Path=/; Max-Age="));
  CHECK(cookie.ends_with("; Secure; HttpOnly; SameSite=Lax"));
  CHECK(cookie.find("Domain") == std::string::npos);
  const auto echo = client.ask(setup.request("Cookie: " + cookie.substr(0, cookie.find(';')) + "\r\n", "/echo?x=1")).json();
  check_gone(echo, token);
  CHECK(text_in(echo, "target") == "/echo?x=1");
  // What is no page takes it along once: a script's POST, a WebSocket.
  const Response post = client.ask(
      fmt::format("POST /echo?cmux_token={}&z HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\n\r\n", token, setup.host()));
  CHECK(text_in(post.json(), "target") == "/echo?z");
  check_own_answer(client.ask(setup.request("", "/?cmux_token=" + setup.token("other"))), 403);
}

TEST_CASE("gateway access: a token in the URL is not taken without TLS") {
  Setup setup;
  check_own_answer(setup.names->connect().ask(setup.request("", "/?cmux_token=" + setup.token())), 403);
  check_own_answer(setup.names->connect().ask(fmt::format(
                       "POST /?cmux_token={} HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\n\r\n", setup.token(), setup.host())),
                   403);
  // ... but from a proxy of ours that says that its client has it.
  Setup behind({"--trusted-proxy", "127.0.0.1"});
  CHECK(behind.names->connect().ask(behind.request("X-Forwarded-Proto: https\r\n", "/?cmux_token=" + behind.token())).status ==
        303);
}

TEST_CASE("gateway access: what a token has let in ends with it, and with its key") {
  Setup setup;
  const auto open = [&](const std::string& token) {
    Client client = setup.names->connect();
    const std::string password = base64("x:" + token);
    const std::string target = setup.host() + ":80";
    const auto answer = client.ask(
        fmt::format("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\nProxy-Authorization: Basic {1}\r\n\r\n", target, password), "CONNECT");
    CHECK(answer.status == 200);
    return client;
  };
  const std::string hour = setup.token();
  Client lasting = open(hour), brief = open(setup.token("abc", "5s"));
  Client hanging = setup.names->connect();
  hanging.send(setup.request(bearer(hour), "/hang"));
  CHECK(brief.read_all_until_close() == "");
  CHECK(lasting.ask("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n").status == 200);
  setup.command({"key", "make", setup.dir / "others.json"});
  write_file(setup.keys(), read_file(setup.dir / "others.json"));
  CHECK(lasting.read_all_until_close() == "");
  hanging.read_all_until_close();
}

TEST_CASE("gateway access: keys are rotated while it runs: the old one is good for as long as was said, and then no more") {
  Setup setup;
  const std::string first = setup.token();
  Client client = setup.names->connect();
  CHECK(client.ask(setup.request(bearer(first))).status == 200);
  setup.command({"key", "rotate", setup.keys(), "--overlap", "1h"});
  const std::string second = setup.token();
  CHECK(eventually([&] { return client.ask(setup.request(bearer(second))).status == 200; }));
  CHECK(client.ask(setup.request(bearer(first))).status == 200);
  const auto listed = setup.command({"key", "list", setup.keys(), "--json"}).json();
  CHECK(listed.as_object().at("keys").as_array().size() == 2);
  // A key that is gone takes its tokens with it, on open connections too.
  setup.command({"key", "make", setup.dir / "others.json"});
  write_file(setup.keys(), read_file(setup.dir / "others.json"));
  CHECK(becomes_refused(setup, second));
  write_file(setup.keys(), "garbage");
  CHECK(setup.names->logs("the old goes on"));
  CHECK(client.ask(setup.request(bearer(second))).status == 401);
}

TEST_CASE("gateway key, gateway token: files for nobody else, public halves, and what is refused") {
  Setup setup;
  struct stat info {};
  REQUIRE(stat(setup.keys().c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  const Run again = setup.command({"key", "make", setup.keys()}, 1);
  CHECK(again.err.find("key rotate") != std::string::npos);
  const std::string open = setup.command({"key", "list", setup.keys(), "--public"}).out;
  CHECK(open.find("\"d\"") == std::string::npos);
  write_file(setup.dir / "public.json", open);
  CHECK(setup.command({"token", "--keys", setup.dir / "public.json", "--id", "abc"}, 1)
            .err.find("no key in it is good for signing") != std::string::npos);
  setup.command({"token", "--keys", setup.keys(), "--id", "abc", "--ttl", "0"}, 2);
  for (const char* id : {"", "ABC", "a.b", "-a"}) setup.command({"token", "--keys", setup.keys(), "--id", id}, 2);
  setup.command({"token", "--keys", setup.dir / "missing", "--id", "abc"}, 1);
  setup.command({"key", "make", setup.dir / "h.json", "--algorithm", "rsa"}, 2);
  setup.command({"key", "make", setup.dir / "h.json", "--algorithm", "hmac-sha256"});
  const auto made = setup.command({"token", "--keys", setup.dir / "h.json", "--id", "abc", "--json"}).json().as_object();
  CHECK(text_in(made, "id") == "abc");
  // Public halves are enough to let in.
  Setup checking;
  write_file(checking.keys(), open);
  CHECK(eventually([&] { return checking.names->connect().ask(checking.request(bearer(setup.token()))).status == 200; }));
}
