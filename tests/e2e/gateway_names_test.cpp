// `gateway names`: the public side, with a machine's gateway and a dev server behind it. The original's behaviour, but for its
// defects.
#include <fmt/format.h>

#include "gateway.hpp"
#include "h2_client.hpp"
#include "rows.hpp"
#include "tls_client.hpp"
#include "websocket.hpp"

using namespace e2e;

namespace {

// A dev server, its machine's gateway, and the table that names it as abc.
struct Machine {
  explicit Machine(const Strings& flags = {}, const std::string& address = "127.0.0.1")
      : server({"--sniff-port-header", "--bind", address}), gateway({"machine"}, flags) {
    write_file(table(), fmt::format("abc = \"http://127.0.0.1:{}\"\n", gateway.port()));
  }
  std::string table() const { return dir / "machines.toml"; }
  std::string host(std::string_view workspace = "") const {
    return fmt::format("cmux-abc{}{}-{}.gw.test", workspace.empty() ? "" : "-", workspace, server.http_port());
  }
  TempDir dir;
  Workspace server;
  Gateway gateway;
};

Strings with(Strings flags, const Strings& more) {
  flags.insert(flags.end(), more.begin(), more.end());
  return flags;
}

struct Names : Gateway {
  explicit Names(const Machine& machine, const Strings& flags = {})
      : Gateway({"names"}, with({"--domain", "gw.test", "--machines", machine.table()}, flags)) {}
};

std::string request(std::string_view host, std::string_view path = "/echo", std::string_view fields = "",
                    std::string_view method = "GET") {
  return fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n{}\r\n", method, path, host, fields);
}

}  // namespace

TEST_CASE("gateway names: a label leads to the machine's port, and the dev server sees the public name alone") {
  Machine machine;
  Names names(machine);
  const std::string host = machine.host();
  Client client = names.connect();
  const auto echo = client.ask(request(host, "/echo?a=b", "X-Mine: 1\r\nX-Mine: 2\r\n")).json();
  CHECK(text_in(echo, "target") == "/echo?a=b");
  CHECK(echoed_fields(echo) == Strings{"Host: " + host, "X-Mine: 1", "X-Mine: 2", "X-Cmux-Proxied: true"});
  // Upper case and a trailing dot are the same name; so is one with base.
  std::string upper = host;
  for (char& c : upper) c = static_cast<char>(toupper(c));
  CHECK(client.ask(request(upper + ".")).status == 200);
  CHECK(client.ask(request(machine.host("base"))).status == 200);
  CHECK(client.ask(request(fmt::format("port-{}-abc.gw.test", machine.server.http_port()))).status == 200);
  CHECK(client.ask(fmt::format("GET http://{0}/echo HTTP/1.1\r\nHost: {0}\r\n\r\n", host)).status == 200);
}

TEST_CASE("gateway names: a workspace of the label is the machine's address, in both forms") {
  Machine machine({}, "127.18.0.7");
  Names names(machine);
  for (const std::string& host : {machine.host("ws7"), fmt::format("my-ws-7-{}-abc.gw.test", machine.server.http_port())})
    each(host, [&] { CHECK(names.connect().ask(request(host)).status == 200); });
  check_own_answer(names.connect().ask(request(machine.host())), 502);
}

TEST_CASE("gateway names: X-Cmux-Host-Override of the client is handed through, and checked; its other fields are not believed") {
  Machine machine;
  Names names(machine);
  Client client = names.connect();
  const auto echo = client
                        .ask(request(machine.host(), "/echo",
                                     "X-Cmux-Host-Override: localhost:3000\r\n"
                                     "X-Cmux-Port-Internal: 1\r\nX-Cmux-Workspace-Internal: ws9\r\n"
                                     "X-Cmux-Target-Internal: evil:1\r\nX-Cmux-Proxied: false\r\n"))
                        .json();
  CHECK(echoed_values(echo, "Host") == Strings{"localhost:3000"});
  for (const char* const name :
       {"X-Cmux-Port-Internal", "X-Cmux-Workspace-Internal", "X-Cmux-Target-Internal", "X-Cmux-Host-Override"})
    CHECK(echoed_values(echo, name).empty());
  check_own_answer(client.ask(request(machine.host(), "/echo", "X-Cmux-Host-Override: a b\r\n")), 400);
  CHECK(echoed_values(client.ask(request(machine.host())).json(), "Host") == Strings{machine.host()});
}

TEST_CASE("gateway names: X-Cmux-Proxied: true is a loop, through two gateways and back too") {
  Machine machine;
  Names names(machine);
  check_own_answer(names.connect().ask(request(machine.host(), "/", "X-Cmux-Proxied: True\r\n")), 508);
  // The dev server's port is the public gateway's.
  Client client = names.connect();
  check_own_answer(client.ask(request(fmt::format("cmux-abc-{}.gw.test", names.port()))), 508);
}

TEST_CASE("gateway names: bad labels are 400 with the reason; names of nobody here are 421") {
  Machine machine;
  Names names(machine);
  const auto seen = machine.server.requests();
  Client client = names.connect();
  for (const char* const label :
       {"www", "cmux-abc", "cmux--3000", "cmux-abc-0", "cmux-abc-65536", "cmux-abc-30x0", "cmux-abc--3000", "port-3000",
        "port-0-abc", "port-65536-abc", "abc-3000", "ws-0-abc", "-3000-abc", "cmux-a_b-3000", "a.cmux-abc-3000"})
    each(label, [&] { check_own_answer(client.ask(request(std::string(label) + ".gw.test")), 400); });
  for (const char* const host :
       {"cmux-abc-3000.gw.test.evil.com", "cmux-abc-3000.evilgw.test", "evil.com", "127.0.0.1", "[::1]", "localhost"})
    each(host, [&] { check_own_answer(client.ask(request(host)), 421); });
  for (const char* const raw :
       {"GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a.gw.test\r\nHost: b.gw.test\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: cmux-\xc3\xbc-3000.gw.test\r\n\r\n", "GET / HTTP/1.1\r\nHost: gw.test:0\r\n\r\n"})
    each(raw, [&] { check_own_answer(names.connect().ask(raw), 400); });
  CHECK(machine.server.requests() == seen);
  H2Client h2(names.connect());
  const Response differs =
      h2.open({{":method", "GET"}, {":scheme", "http"}, {":authority", machine.host()}, {":path", "/"}, {"host", "evil.gw.test"}})
          .read_response();
  CHECK(differs.status == 400);
}

TEST_CASE("gateway names: the apex answers 200, /health and /version; machines' paths of that name are theirs") {
  Machine machine;
  Names names(machine);
  Client client = names.connect();
  CHECK(client.ask(request("gw.test", "/")).status == 200);
  CHECK(client.ask(request("gw.test", "/health")).body == "ok\n");
  CHECK(text_in(client.ask(request("GW.test.:80", "/version?x")).json(), "name") == "cmuxproxy");
  CHECK(client.ask(request("gw.test", "/health", "", "HEAD"), "HEAD").status == 200);
  CHECK(client.ask(request("gw.test", "/other")).status == 404);
  const Response theirs = client.ask(request(machine.host(), "/health"));
  CHECK(theirs.status == 404);
  CHECK_FALSE(theirs.has("Proxy-Status"));
}

TEST_CASE("gateway names: preflights, CORS, CSP and repeated fields are the dev server's own, and nothing is put into pages") {
  Machine machine;
  Names names(machine);
  Client client = names.connect();
  const Response preflight = client.ask(
      request(machine.host(), "/headers?status=200&h=Access-Control-Allow-Origin:http://a&h=Access-Control-Allow-Origin:http://b",
              "Origin: http://x\r\n", "OPTIONS"));
  CHECK(preflight.headers("Access-Control-Allow-Origin") == Strings{"http://a", "http://b"});
  const Response page = client.ask(request(machine.host(), "/", "Accept: text/html\r\n"));
  Client direct(machine.server.http_port());
  CHECK(page.body == direct.ask(request(machine.host(), "/", "Accept: text/html\r\n")).body);
  const Response fields = client.ask(
      request(machine.host(), "/headers?h=Set-Cookie:a&h=Set-Cookie:b&h=Content-Security-Policy:x&h=X-Frame-Options:DENY"));
  CHECK(fields.headers("Set-Cookie") == Strings{"a", "b"});
  CHECK(fields.header("Content-Security-Policy") == "x");
  CHECK(fields.header("X-Frame-Options") == "DENY");
}

TEST_CASE("gateway names: a Location to loopback gets the public name of its port; others stay") {
  Machine machine;
  Names names(machine);
  Client client = names.connect();
  const auto location = [&](std::string_view to) {
    return client.ask(request(machine.host(), fmt::format("/redirect?to={}", to))).header("Location");
  };
  CHECK(location("http://localhost:5000/a?b") == "http://cmux-abc-5000.gw.test/a?b");
  CHECK(location("https://127.0.0.1:5000/") == "http://cmux-abc-5000.gw.test/");
  CHECK(location("//[::1]:5000/") == "//cmux-abc-5000.gw.test/");
  // The form of a name is the page's own: the cookies of that one are sent there.
  const std::string whole = fmt::format("cmux-abc-base-{}.gw.test", machine.server.http_port());
  CHECK(client.ask(request(whole, "/redirect?to=http://localhost:5000/")).header("Location") ==
        "http://cmux-abc-base-5000.gw.test/");
  for (const char* const other : {"/a", "http://localhost/", "https://example.com:5000/", "http://localhost.evil.com:5000/"})
    CHECK(location(other) == other);
}

TEST_CASE("gateway names: X-Forwarded-Host is believed from a trusted proxy alone") {
  Machine machine;
  const std::string fields = fmt::format("X-Forwarded-Host: {}\r\n", machine.host());
  Names names(machine);
  check_own_answer(names.connect().ask(request("inner.example", "/echo", fields)), 421);
  Names behind(machine, {"--trusted-proxy", "127.0.0.0/8"});
  CHECK(behind.connect().ask(request("inner.example", "/echo", fields)).status == 200);
  CHECK(behind.connect().ask(request(machine.host(), "/echo")).status == 200);
  // The last is the proxy's own, whatever its client has said before.
  const auto said = [&](std::string_view host) {
    return behind.connect().ask(request("inner.example", "/echo", fmt::format("X-Forwarded-Host: {}\r\n", host))).status;
  };
  CHECK(said("evil.example, " + machine.host()) == 200);
  CHECK(said("evil.example\r\nX-Forwarded-Host: " + machine.host()) == 200);
  CHECK(said(machine.host() + ", evil.example") == 421);
  Names elsewhere(machine, {"--trusted-proxy", "10.0.0.0/8"});
  check_own_answer(elsewhere.connect().ask(request("inner.example", "/echo", fields)), 421);
}

TEST_CASE(
    "gateway names: a machine that is not known or does not answer is told of, with a page that waits for who would see it") {
  Machine machine;
  Names names(machine, {"--refused-timeout", "0"});
  Client client = names.connect();
  check_own_answer(client.ask(request("cmux-other-3000.gw.test")), 503);
  CHECK(client.ask(request("cmux-other-3000.gw.test")).body.find("no machine other is known here") != std::string::npos);
  machine.gateway.process().stop();
  check_own_answer(client.ask(request(machine.host())), 502);
  const Response page = client.ask(request(machine.host(), "/", "Sec-Fetch-Mode: navigate\r\n"));
  CHECK(page.status == 502);
  CHECK(page.header("Content-Type").starts_with("text/html"));
  CHECK(page.has("Retry-After"));
}

TEST_CASE("gateway names: the table is read again when it changes; a bad one is not taken") {
  Machine machine;
  Names names(machine);
  Client client = names.connect();
  const std::string host = fmt::format("cmux-new-{}.gw.test", machine.server.http_port());
  CHECK(client.ask(request(host)).status == 503);
  write_file(machine.table(), fmt::format("new = \"h2c://127.0.0.1:{}\"\n", machine.gateway.port()));
  CHECK(eventually([&] { return client.ask(request(host)).status == 200; }));
  CHECK(client.ask(request(machine.host())).status == 503);
  write_file(machine.table(), "new = \"nowhere\"\n");
  CHECK(names.logs("the old goes on"));
  CHECK(client.ask(request(host)).status == 200);
}

TEST_CASE("gateway names: WebSockets, CONNECT, trailers, interim responses and the machine's token, over HTTP/2 on every leg") {
  TempDir dir;
  const std::string secret(32, 's');
  write_file(dir / "token", secret);
  Machine machine({"--token", dir / "token"});
  write_file(machine.table(), fmt::format("abc = \"h2c://127.0.0.1:{}\"\n", machine.gateway.port()));
  RawServer raw;
  Names names(machine, {"--machine-token", dir / "token"});
  H2Client h2(names.connect());
  const auto head = [&](const std::string& path, Fields more = {}) {
    Fields out{{":method", "GET"}, {":scheme", "http"}, {":authority", machine.host()}, {":path", path}};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  };
  const auto echo = h2.open(head("/echo")).read_response().json();
  CHECK(echoed_fields(echo) == Strings{"Host: " + machine.host(), "X-Cmux-Proxied: true"});
  CHECK(h2.open(head("/trailers", {{"te", "trailers"}})).read_response().trailers.find("x-count") != std::string::npos);
  const H2Stream interim = h2.open(head("/1xx?count=1&gap=0"));
  CHECK(interim.read_head().status == 103);
  CHECK(interim.read_response().status == 200);
  const H2Stream socket = h2.open({{":method", "CONNECT"},
                                   {":protocol", "websocket"},
                                   {":scheme", "http"},
                                   {":authority", machine.host()},
                                   {":path", "/ws"},
                                   {"sec-websocket-version", "13"}},
                                  false);
  CHECK(socket.read_head().status == 200);
  Client frames = socket.bytes();
  frames.send(frame(1, "through"));
  CHECK(frames.read_exactly(9) == plain_frame(1, "through"));

  const std::string target = fmt::format("cmux-abc-{}.gw.test:443", raw.port());
  const H2Stream tunnel = h2.open({{":method", "CONNECT"}, {":authority", target}}, false);
  CHECK(tunnel.read_head().status == 200);
  Client bytes = tunnel.bytes();
  CHECK_FALSE(bytes.read_some().empty());
  bytes.send("hello");
  CHECK(bytes.read_until("hello").find("hello") != std::string::npos);
  Client plain = names.connect();
  CHECK(plain.ask(fmt::format("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n\r\n", target), "CONNECT").status == 200);
  plain.send("again");
  CHECK(plain.read_until("again").find("again") != std::string::npos);
  WebSocket old(names.connect(), machine.host(), "/ws");
  CHECK(old.echo("hello") == "hello");
  // Without the machine's token it is the machine that says no.
  Names bare(machine);
  check_own_answer(bare.connect().ask(request(machine.host())), 403);
}

TEST_CASE("gateway names: TLS by its own certificate; the certificate is read again, a bad one is not taken") {
  Machine machine;
  TempDir dir;
  const auto copy = [&](const std::string& name) {
    write_file(dir / "key.pem", read_file(pki() + "/" + name + ".key"));
    write_file(dir / "cert.pem", read_file(pki() + "/" + name + ".crt"));
  };
  copy("srv");
  Names names(machine, {"--tls-cert", dir / "cert.pem", "--tls-key", dir / "key.pem"});
  // Of the names that the certificate is for, none is under the domain: the client asks for no name.
  const auto tls = [&](Strings alpn = {"h2", "http/1.1"}) {
    TlsWanted wanted;
    wanted.ca_file = pki() + "/ca.crt";
    wanted.alpn = std::move(alpn);
    return secure(names.connect(), wanted);
  };
  Secured h2 = tls();
  CHECK(h2.alpn == "h2");
  H2Client client(std::move(h2.client));
  CHECK(client.open({{":method", "GET"}, {":scheme", "https"}, {":authority", machine.host()}, {":path", "/echo"}})
            .read_response()
            .status == 200);
  Secured h1 = tls({"http/1.1"});
  CHECK(h1.client.ask(request(machine.host(), "/redirect?to=http://localhost:5000/")).header("Location") ==
        "https://cmux-abc-5000.gw.test/");
  // Whoever comes without TLS is sent there.
  const Response moved = names.connect().ask(request(machine.host(), "/a?b"));
  CHECK(moved.status == 308);
  CHECK(moved.header("Location") == "https://" + machine.host() + "/a?b");

  write_file(dir / "cert.pem", "no certificate");
  CHECK(names.logs("the old goes on"));
  CHECK(tls({"http/1.1"}).client.ask(request(machine.host())).status == 200);
  copy("wrongname");
  CHECK(names.logs("files read again"));
  TlsWanted other;
  other.ca_file = pki() + "/ca.crt";
  other.name = "wrong.example";
  CHECK_FALSE(secure(names.connect(), other).alpn.empty());
}

TEST_CASE("gateway names: a connection that was opened for one name is not for another") {
  Machine machine;
  Names names(machine, {"--domain", "cmux.test", "--tls-cert", pki() + "/srv.crt", "--tls-key", pki() + "/srv.key"});
  const auto port = machine.server.http_port();
  const std::string host = fmt::format("cmux-abc-base-{}.cmux.test", port);
  TlsWanted wanted;
  wanted.ca_file = pki() + "/ca.crt";
  wanted.name = host;
  wanted.alpn = {"http/1.1"};
  Secured secured = secure(names.connect(), wanted);
  CHECK(secured.client.ask(request(host)).status == 200);
  check_own_answer(secured.client.ask(request(fmt::format("cmux-other-base-{}.cmux.test", port))), 421);
  CHECK(secured.client.ask(request(host)).status == 200);
}

TEST_CASE("gateway names: bad flags name themselves") {
  Machine machine;
  write_file(machine.dir / "bad", "x");
  const Strings good{"--domain", "gw.test", "--machines", machine.table()};
  const struct {
    Strings flags;
    std::string said;
  } rows[] = {
      {{}, "--domain"},
      {{"--domain", "gw.test"}, "--machine-template, --machines or --store"},
      {{"--domain", "gw..test", "--machines", machine.table()}, "--domain"},
      {with(good, {"--machine-template", "https://a.test"}), "--machine-template: expected {id}"},
      {with(good, {"--port-template", "https://{id}.test"}), "--port-template: expected {port}"},
      {{"--domain", "gw.test", "--machines", machine.dir / "missing"}, "--machines"},
      {{"--domain", "gw.test", "--machines", machine.dir / "bad"}, "line 1"},
      {with(good, {"--tls-cert", pki() + "/srv.crt"}), "go together"},
      {with(good, {"--tls-cert", pki() + "/srv.crt", "--tls-key", pki() + "/ca.key"}), "--tls-cert"},
      {with(good, {"--tls-cert", pki() + "/expired.crt", "--tls-key", pki() + "/expired.key"}), "has expired"},
      {with(good, {"--trusted-proxy", "nobody"}), "--trusted-proxy"},
      {with(good, {"--keys", machine.dir / "bad"}), "--keys"},
  };
  for (const auto& row : rows)
    each(row.said, [&] {
      const Run done = run(with({binary(), "gateway", "names"}, row.flags), machine.gateway.environment());
      INFO(done.err);
      CHECK(done.exit == 2);
      CHECK(done.err.find(row.said) != std::string::npos);
    });
}

TEST_CASE("gateway names: files that are too large are not read to their end") {
  Machine machine;
  const std::size_t table_limit = 16 * 1024 * 1024, pem_limit = 1024 * 1024;
  const auto grow = [&](const std::string& name, std::string text, std::size_t size) {
    text.resize(size, '\n');
    write_file(machine.dir / name, text);
    return machine.dir / name;
  };
  const std::string table = read_file(machine.table());
  grow("machines.toml", table, table_limit);
  Names names(machine);
  CHECK(names.connect().ask(request(machine.host())).status == 200);
  const auto refused = [&](const Strings& flags, std::string_view flag, std::size_t limit) {
    const Run done = run(with({binary(), "gateway", "names", "--domain", "gw.test"}, flags), machine.gateway.environment());
    INFO(done.err);
    CHECK(done.exit == 2);
    CHECK(done.err.find(flag) != std::string::npos);
    CHECK(done.err.find(fmt::format("more than {} bytes", limit)) != std::string::npos);
  };
  refused({"--machines", grow("larger.toml", table, table_limit + 1)}, "--machines", table_limit);
  write_file(machine.table(), table);
  const std::string no_keys = "{\"keys\": []}";
  Names with_keys(machine, {"--keys", grow("keys", no_keys, pem_limit)});
  CHECK(with_keys.connect().ask(request(machine.host())).status == 401);
  refused({"--machines", machine.table(), "--keys", grow("more-keys", no_keys, pem_limit + 1)}, "--keys", pem_limit);
}
