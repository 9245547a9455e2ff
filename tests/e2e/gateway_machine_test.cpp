// `gateway machine`: the request's fields say where, and never reach the dev server. FACTS of the original proxy in the machine,
// but for its defects.
#include <fmt/format.h>

#include "gateway.hpp"
#include "h2_client.hpp"
#include "rows.hpp"
#include "websocket.hpp"

using namespace e2e;

namespace {

// A dev server on an address of its machine.
struct DevServer : Workspace {
  explicit DevServer(const std::string& address = "127.0.0.1", Strings more = {})
      : Workspace([&] {
          more.insert(more.end(), {"--sniff-port-header", "--bind", address});
          return more;
        }()) {}
  std::string port_field() const { return fmt::format("X-Cmux-Port-Internal: {}\r\n", http_port()); }
};

std::string request(std::string_view fields, std::string_view path = "/echo", std::string_view host = "machine.test") {
  return fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\n{}\r\n", path, host, fields);
}

}  // namespace

TEST_CASE("gateway machine: the port's field leads to 127.0.0.1, Host goes through, and nothing is added or left of the fields") {
  DevServer server;
  Gateway gateway({"machine"});
  CHECK(text_in(gateway.ready, "service") == "gateway machine");
  Client client = gateway.connect();
  const auto echo = client.ask(request(server.port_field() + "X-Mine: 1\r\nX-Mine: 2\r\nCookie: a=b\r\n")).json();
  CHECK(echoed_fields(echo) == Strings{"Host: machine.test", "X-Mine: 1", "X-Mine: 2", "Cookie: a=b"});
  // The field is trimmed, and the connection is kept.
  const auto again = client.ask(request(fmt::format("x-cmux-port-internal:   {} \t\r\n", server.http_port()))).json();
  CHECK(echoed_fields(again) == Strings{"Host: machine.test"});
}

TEST_CASE("gateway machine: a dev server on ::1 alone is found, as requests and as bytes") {
  DevServer server("::1");
  const auto h2c = GENERATE(Strings{}, Strings{"--upstream-h2c", "127.0.0.1"});
  Gateway gateway({"machine"}, h2c);
  Client client = gateway.connect();
  const auto echo = client.ask(request(server.port_field())).json();
  CHECK(text_in(echo, "version") == (h2c.empty() ? "HTTP/1.1" : "HTTP/2"));
  CHECK(client.ask(fmt::format("CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n{}\r\n", server.port_field()), "CONNECT").status == 200);
  client.send("GET /echo HTTP/1.1\r\nHost: bytes.test\r\n\r\n");
  CHECK(client.read_response().status == 200);
}

TEST_CASE("gateway machine: X-Cmux-Host-Override is the dev server's Host, where it is not empty") {
  DevServer server;
  Gateway gateway({"machine"});
  Client client = gateway.connect();
  const auto with = client.ask(request(server.port_field() + "X-Cmux-Host-Override: localhost:3000\r\n")).json();
  CHECK(echoed_fields(with) == Strings{"Host: localhost:3000"});
  const auto other = client.ask(request(server.port_field() + "X-Cmux-Host-Override: [::1]:3000\r\n")).json();
  CHECK(echoed_fields(other) == Strings{"Host: [::1]:3000"});
  const auto empty = client.ask(request(server.port_field() + "X-Cmux-Host-Override:\r\n")).json();
  CHECK(echoed_fields(empty) == Strings{"Host: machine.test"});
}

TEST_CASE("gateway machine: a workspace's name is an address: its digits, or a hash of it") {
  DevServer seventh("127.18.0.7"), hashed("127.18.176.32"), far("127.18.1.2");
  Gateway gateway({"machine"});
  const auto server_of = [&](const DevServer& server, std::string_view workspace) {
    const Response response = gateway.connect().ask(
        request(server.port_field() + fmt::format("X-Cmux-Workspace-Internal: {}\r\n", workspace), "/echo"));
    INFO(response.head << response.body);
    CHECK(response.status == 200);
    if (response.status == 200) CHECK(echoed_fields(response.json()) == Strings{"Host: machine.test"});
  };
  server_of(seventh, "ws7");
  server_of(seventh, "workspace-7");
  server_of(seventh, "/root/ws7");  // the last component of a path
  server_of(seventh, "/root/ws007/");
  server_of(far, "258");                 // 1 * 256 + 2
  server_of(far, "a16777474");           // what is above 16 bits is not looked at
  server_of(hashed, "workspace-a");      // FNV-1a 0x4fe7b020
  server_of(hashed, "/x9/WORKSPACE-A");  // in lower case
  // An address of its own: 127.0.0.1 is another.
  const Response missed = gateway.connect().ask(request(seventh.port_field()));
  check_own_answer(missed, 502);
}

TEST_CASE("gateway machine: without the field, Host <workspace>-<port>.localhost says both") {
  DevServer seventh("127.18.0.7");
  Gateway gateway({"machine"});
  const auto port = seventh.http_port();
  for (const std::string& host : {fmt::format("ws7-{}.localhost", port), fmt::format("my-ws-7-{}.LOCALHOST.", port),
                                  fmt::format("ws7-{}.localhost:39379", port)})
    each(host, [&] {
      const auto echo = gateway.connect().ask(request("", "/echo", host)).json();
      CHECK(echoed_values(echo, "Host") == Strings{host});
    });
  // The field wins, and names its own workspace.
  DevServer plain;
  const auto echo = gateway.connect().ask(request(plain.port_field(), "/echo", "ws7-1.localhost")).json();
  CHECK(echoed_values(echo, "Host") == Strings{"ws7-1.localhost"});
}

TEST_CASE("gateway machine: bad fields are answered 400 with the reason, and nothing is connected to") {
  DevServer server;
  Gateway gateway({"machine"});
  const std::string port = server.port_field();
  const struct {
    std::string fields, host, reason;
  } rows[] = {
      {"", "machine.test", "missing required header"},
      {"", "localhost", "missing required header"},
      {"", "ws7-0.localhost", "missing required header"},
      {"", "ws7-65536.localhost", "missing required header"},
      {"", "-3000.localhost", "missing required header"},
      {"", "a.ws7-3000.localhost", "missing required header"},
      {"", "ws7-3000.localhost.evil.com", "missing required header"},
      {"X-Cmux-Port-Internal:\r\n", "machine.test", "from 1 to 65535"},
      {"X-Cmux-Port-Internal: 0\r\n", "machine.test", "from 1 to 65535"},
      {"X-Cmux-Port-Internal: 65536\r\n", "machine.test", "from 1 to 65535"},
      {"X-Cmux-Port-Internal: +80\r\n", "machine.test", "from 1 to 65535"},
      {"X-Cmux-Port-Internal: 80x\r\n", "machine.test", "from 1 to 65535"},
      {"X-Cmux-Port-Internal: -1\r\n", "machine.test", "from 1 to 65535"},
      {"X-Cmux-Port-Internal: 99999999999999999999\r\n", "machine.test", "from 1 to 65535"},
      {port + port, "machine.test", "is there twice"},
      {port + "X-Cmux-Workspace-Internal:\r\n", "machine.test", "a workspace's name"},
      {port + "X-Cmux-Workspace-Internal: /\r\n", "machine.test", "a workspace's name"},
      {port + "X-Cmux-Workspace-Internal: ws4294967296\r\n", "machine.test", "a workspace's name"},
      {port + "X-Cmux-Host-Override: a b\r\n", "machine.test", "<host>[:<port>]"},
      {port + "X-Cmux-Host-Override: user@localhost\r\n", "machine.test", "<host>[:<port>]"},
      {port + "X-Cmux-Host-Override: localhost:3000, evil\r\n", "machine.test", "<host>[:<port>]"},
      {port + "X-Cmux-Host-Override: a\r\nX-Cmux-Host-Override: b\r\n", "machine.test", "is there twice"},
      {port + "X-Cmux-Target-Internal: api.internal:80\r\n", "machine.test", "exclude each other"},
      {"X-Cmux-Target-Internal: api.internal\r\n", "machine.test", "<host>:<port>"},
  };
  Client client = gateway.connect();
  const auto seen = server.requests();
  for (const auto& row : rows)
    each(row.fields + row.host, [&] {
      const Response response = client.ask(request(row.fields, "/echo", row.host));
      check_own_answer(response, 400);
      CHECK(response.body.find(row.reason) != std::string::npos);
    });
  const Response user = client.ask(fmt::format("GET http://a@machine.test/ HTTP/1.1\r\nHost: machine.test\r\n{}\r\n", port));
  check_own_answer(user, 400);
  CHECK(user.body.find("user info is not allowed") != std::string::npos);
  CHECK(server.requests() == seen);
  CHECK(client.ask(request(port)).status == 200);
}

TEST_CASE("gateway machine: a port where nothing listens is 502 with the reason; the machine itself is a loop") {
  Gateway gateway({"machine"}, {"--refused-timeout", "0"});
  std::uint16_t dead = 0;
  {
    Upstream gone;
    dead = gone.port();
  }
  const Response response = gateway.connect().ask(request(fmt::format("X-Cmux-Port-Internal: {}\r\n", dead)));
  check_own_answer(response, 502);
  CHECK(response.body.find(fmt::format("connect to 127.0.0.1:{0} and [::1]:{0}: Connection refused", dead)) != std::string::npos);
  check_own_answer(gateway.connect().ask(request(fmt::format("X-Cmux-Port-Internal: {}\r\n", gateway.port()))), 508);
}

TEST_CASE("gateway machine: CONNECT ignores its target, dials before it answers 200, and carries bytes") {
  RawServer raw;
  Gateway gateway({"machine"}, {"--refused-timeout", "0"});
  Client client = gateway.connect();
  const auto connect = [](std::uint16_t port, std::string_view target = "elsewhere.test:1") {
    return fmt::format("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\nX-Cmux-Port-Internal: {1}\r\n\r\n", target, port);
  };
  std::uint16_t dead = 0;
  {
    Upstream gone;
    dead = gone.port();
  }
  const Response refused = client.ask(connect(dead), "CONNECT");
  check_own_answer(refused, 502);
  CHECK(client.ask(connect(raw.port()), "CONNECT").status == 200);
  CHECK_FALSE(client.read_some().empty());  // it speaks first
  client.send("hello");
  CHECK(client.read_until("hello").find("hello") != std::string::npos);
  // Without the field it is not a way to anywhere.
  check_own_answer(gateway.connect().ask("CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: x\r\n\r\n", "CONNECT"), 400);
}

TEST_CASE("gateway machine: HTTP/2 by prior knowledge, with WebSockets both ways, trailers and interim responses") {
  DevServer server;
  Gateway gateway({"machine"});
  H2Client h2(gateway.connect());
  CHECK(h2.setting(8) == 1);  // SETTINGS_ENABLE_CONNECT_PROTOCOL
  const auto head = [&](const std::string& path, Fields more = {}) {
    Fields out{{":method", "GET"}, {":scheme", "http"}, {":authority", "machine.test"}, {":path", path}};
    out.emplace_back("x-cmux-port-internal", std::to_string(server.http_port()));
    out.emplace_back("x-cmux-host-override", "localhost:3000");
    out.insert(out.end(), more.begin(), more.end());
    return out;
  };
  const auto echo = h2.open(head("/echo")).read_response().json();
  CHECK(echoed_fields(echo) == Strings{"Host: localhost:3000"});
  const auto trailers = h2.open(head("/trailers", {{"te", "trailers"}}));
  CHECK(trailers.read_response().trailers.find("x-count") != std::string::npos);
  const auto interim = h2.open(head("/1xx?count=2&gap=0"));
  CHECK(interim.read_head().status == 103);
  CHECK(interim.read_head().status == 103);
  CHECK(interim.read_response().status == 200);
  Fields connect{{":method", "CONNECT"},
                 {":protocol", "websocket"},
                 {":scheme", "http"},
                 {":authority", "machine.test"},
                 {":path", "/ws"},
                 {"sec-websocket-version", "13"},
                 {"x-cmux-port-internal", std::to_string(server.http_port())}};
  const H2Stream socket = h2.open(connect, false);
  CHECK(socket.read_head().status == 200);
  Client bytes = socket.bytes();
  bytes.send(frame(1, "over h2"));
  CHECK(bytes.read_exactly(9) == plain_frame(1, "over h2"));
}

TEST_CASE("gateway machine: upgrades of any protocol; a refused one's status, fields and body reach the client") {
  DevServer server;
  Gateway gateway({"machine"});
  WebSocket socket(gateway.connect(), "machine.test", "/ws", {fmt::format("X-Cmux-Port-Internal: {}", server.http_port())});
  CHECK(socket.echo("hello") == "hello");
  Client client = gateway.connect();
  const Response upgraded =
      client.ask(request(server.port_field() + "Connection: upgrade\r\nUpgrade: strange\r\n", "/upgrade/strange"));
  CHECK(upgraded.status == 101);
  client.send("bytes");
  CHECK(client.read_exactly(5) == "bytes");
  const Response refused =
      gateway.connect().ask(request(server.port_field() + "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
                                                          "13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
                                    "/ws-refuse"));
  CHECK(refused.status == 403);
  CHECK_FALSE(refused.body.empty());
}

TEST_CASE("gateway machine: te: trailers survives, fields that Connection names do not, repeated response fields do") {
  DevServer server;
  Gateway gateway({"machine"});
  Client client = gateway.connect();
  const auto echo = client.ask(request(server.port_field() + "TE: trailers\r\nConnection: te, x-hop\r\nX-Hop: 1\r\n")).json();
  CHECK(echoed_values(echo, "TE") == Strings{"trailers"});
  CHECK(echoed_values(echo, "X-Hop").empty());
  const Response cookies = client.ask(request(server.port_field(), "/headers?h=Set-Cookie:a=1&h=Set-Cookie:b=2&h=X-R:1&h=X-R:2"));
  CHECK(cookies.headers("Set-Cookie") == Strings{"a=1", "b=2"});
  CHECK(cookies.headers("X-R") == Strings{"1", "2"});
}

TEST_CASE("gateway machine: X-Cmux-Target-Internal leads to the hosts that --allow-hosts names, and to no others") {
  DevServer api("127.18.0.9");
  Gateway gateway({"machine"}, {"--allow-hosts", "*.internal", "--resolve", "api.internal=127.18.0.9"});
  const auto target = [&](std::string_view host) {
    return fmt::format("X-Cmux-Target-Internal: {}:{}\r\n", host, api.http_port());
  };
  Client client = gateway.connect();
  const auto echo = client.ask(request(target("API.internal"))).json();
  CHECK(echoed_values(echo, "Host") == Strings{fmt::format("API.internal:{}", api.http_port())});
  CHECK(echoed_values(echo, "X-Cmux-Target-Internal").empty());
  for (const char* const host : {"127.18.0.9", "api.internal.evil.com", "localhost", "169.254.169.254"})
    each(host, [&] {
      const Response response = client.ask(request(target(host)));
      check_own_answer(response, 403);
      CHECK(response.body.find("--allow-hosts") != std::string::npos);
    });
  Gateway closed({"machine"});
  check_own_answer(closed.connect().ask(request(target("127.18.0.9"))), 403);
}

TEST_CASE("gateway machine: with --token requests must carry it; a new one is taken from the file, a bad one is not") {
  DevServer server;
  TempDir dir;
  const std::string file = dir / "token", first(32, 'a'), second(40, 'b');
  write_file(file, first + "\n");
  Gateway gateway({"machine"}, {"--token", file});
  Client client = gateway.connect();
  const auto with = [&](std::string_view token) {
    return client.ask(request(server.port_field() + fmt::format("X-Cmux-Token: {}\r\n", token)));
  };
  for (const std::string& bad : {std::string(), first + "a", first.substr(1), std::string(32, 'b')})
    check_own_answer(with(bad), 403);
  const Response missing = client.ask(request(server.port_field()));
  check_own_answer(missing, 403);
  CHECK(missing.body.find("X-Cmux-Token") != std::string::npos);
  check_own_answer(client.ask(request(server.port_field() + fmt::format("X-Cmux-Token: {0}\r\nX-Cmux-Token: {0}\r\n", first))),
                   403);
  check_own_answer(client.ask("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n" + server.port_field() + "\r\n", "CONNECT"), 403);
  const auto echo = with(first).json();
  CHECK(echoed_fields(echo) == Strings{"Host: machine.test"});

  write_file(file, second);
  CHECK(eventually([&] { return with(second).status == 200; }));
  CHECK(with(first).status == 403);
  write_file(file, "short");
  CHECK(gateway.logs("the old token stays"));
  CHECK(with(second).status == 200);
  CHECK(gateway.process().stderr_text().find(first) == std::string::npos);
  CHECK(gateway.process().stderr_text().find(second) == std::string::npos);
}

TEST_CASE("gateway machine: X-Cmux-Proxied goes on, so that a way in circles is seen") {
  DevServer server;
  Gateway gateway({"machine"});
  const auto echo = gateway.connect().ask(request(server.port_field() + "X-Cmux-Proxied: true\r\n")).json();
  CHECK(echoed_values(echo, "X-Cmux-Proxied") == Strings{"true"});
}

TEST_CASE("gateway machine: an instance like any other: status, metrics, drain, limits; no contexts, TLS or SOCKS") {
  DevServer server;
  Gateway gateway({"machine"}, {"--max-header", "4k"});
  CHECK(gateway.connect().ask(request(server.port_field())).status == 200);
  CHECK(number_in(gateway.cli({"status", "--json"}).json().as_object().at("requests").as_object(), "total") == 1);
  const Run made = gateway.cli({"ctx", "create"});
  CHECK(made.exit != 0);
  CHECK(made.err.find("a gateway machine has no contexts") != std::string::npos);
  check_own_answer(gateway.connect().ask(request(server.port_field() + "X-Big: " + std::string(5000, 'x') + "\r\n")), 431);
  Client tls = gateway.connect();
  tls.send(std::string("\x16\x03\x01\x00\x05hello", 10));
  CHECK(tls.read_all_until_close().starts_with("\x15\x03"));
  Client socks = gateway.connect();
  socks.send(std::string("\x05\x01\x00\r\n\r\n", 7));
  CHECK(socks.read_all_until_close().starts_with("HTTP/1.1 400"));
  // Stops when the request that is under way has ended.
  Client client = gateway.connect();
  client.send(request(server.port_field(), "/slow?head=300&body=10&pieces=2"));
  CHECK(eventually([&] {
    return number_in(gateway.cli({"status", "--json"}).json().as_object().at("requests").as_object(), "open") == 1;
  }));
  gateway.process().signal(SIGTERM);
  CHECK(client.read_response().status == 200);
  CHECK(gateway.process().wait() == 0);
}

TEST_CASE("gateway machine: listens on both families by default flags, with one port; bad flags name themselves") {
  Gateway gateway({"machine"}, {"--listen", "127.0.0.1:0", "--listen", "[::1]:0"});
  CHECK(gateway.ready.at("listen").as_array().size() == 2);
  CHECK(gateway.ready.at("listen").as_array().at(1).as_string() == fmt::format("[::1]:{}", gateway.port()));
  TempDir dir;
  write_file(dir / "short", "abc");
  for (const Strings& bad : {Strings{"--listen", "nowhere"}, Strings{"--listen", "127.0.0.1:1", "--listen", "[::1]:2"},
                             Strings{"--token", dir / "missing"}, Strings{"--token", dir / "short"}, Strings{"--token", dir.path},
                             Strings{"--allow-hosts", "a b"}, Strings{"--no-intercept"}}) {
    Strings argv{binary(), "gateway", "machine"};
    argv.insert(argv.end(), bad.begin(), bad.end());
    const Run done = run(argv, gateway.environment());
    INFO(done.err);
    CHECK(done.exit == 2);
    CHECK(done.err.find(bad.front()) != std::string::npos);
  }
}
