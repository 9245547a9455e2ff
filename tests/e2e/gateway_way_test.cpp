// The whole way: client, serve, gateway names, gateway machine, dev server, HTTP/2 on every leg. That all behaviours of the
// matrix hold over it is said by the matrix itself ($CMUX_E2E_WAY); here is what only the whole way has.
#include <fmt/format.h>

#include "gateway.hpp"
#include "h2_client.hpp"
#include "matrix.hpp"
#include "websocket.hpp"

using namespace e2e;

namespace {

struct Everything {
  Everything()
      : server({"--sniff-port-header"}),
        machine({"machine"}, {"--upstream-h2c", "127.0.0.1", "--access-log"}),
        names({"names"},
              [&] {
                write_file(dir / "machines.toml", fmt::format("abc = \"h2c://127.0.0.1:{}\"\n", machine.port()));
                return Strings{"--domain",         "cmux.test", "--machines",       dir / "machines.toml", "--tls-cert",
                               pki() + "/srv.crt", "--tls-key", pki() + "/srv.key", "--access-log"};
              }()),
        proxy({"--resolve", fmt::format("cmux-abc-*.cmux.test=127.0.0.1:{}", names.port()), "--access-log"}, &server),
        context(proxy.routed()),
        client(proxy.connect()) {}
  Fields head(std::string_view method, std::string_view path, const Fields& more = {}) const {
    Fields out{{":method", std::string(method)}, {":scheme", "http"}, {":authority", target()}, {":path", std::string(path)}};
    out.emplace_back("proxy-authorization", "Basic " + base64(context.username + ":" + context.password));
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
  std::string target() const { return fmt::format("localhost:{}", server.http_port()); }

  TempDir dir;
  Workspace server;
  Gateway machine, names;
  Proxy proxy;
  Context context;
  H2Client client;
};

// A line of the access log that names the path, and HTTP/2 for both sides of the program.
bool says_h2(const std::string& log, std::string_view path) {
  for (std::size_t at = log.find(path); at != log.npos; at = log.find(path, at + 1))
    if (log.substr(at, log.find('\n', at) - at).find("protocols=h2,h2") != log.npos) return true;
  return false;
}

}  // namespace

TEST_CASE("gateway way: a WebSocket is HTTP/2 on every leg (RFC 8441), and so is a request") {
  Everything all;
  const auto echo = all.client.open(all.head("GET", "/echo")).read_response().json();
  CHECK(text_in(echo, "version") == "HTTP/2");
  CHECK(text_in(echo.at("pseudo").as_object(), ":authority") == all.target());
  Fields head = all.head("CONNECT", "/ws?mark", {{"sec-websocket-version", "13"}});
  head.insert(head.begin() + 1, {":protocol", "websocket"});
  const H2Stream socket = all.client.open(head, false);
  REQUIRE(socket.read_head().status == 200);
  Client frames = socket.bytes();
  for (int i = 0; i < 10; ++i) {
    frames.send(frame(1, "through"));
    CHECK(frames.read_exactly(9) == plain_frame(1, "through"));
  }
  CHECK(counter(all.server, "tunnels") == 1);
  CHECK(counter(all.server, "h2Open") == 1);
  frames.send(frame(8, "\x03\xe8"));
  CHECK(frames.closed_by_peer());
  frames.half_close();
  for (Process* const process : {&all.proxy.process(), &all.names.process(), &all.machine.process()}) {
    INFO(process->stderr_text());
    CHECK(eventually([&] { return says_h2(process->stderr_text(), "/ws"); }));
    CHECK(says_h2(process->stderr_text(), "/echo"));
  }
}

TEST_CASE("gateway way: a gigabyte down and one up, and others meanwhile") {
  Everything all;
  const std::uint64_t size = slow() ? 100'000'000 : 1'000'000'000;
  const H2Stream down = all.client.open(all.head("GET", fmt::format("/bytes/{}", size)));
  REQUIRE(down.read_head().status == 200);
  std::uint64_t got = 0;
  bool same = true;
  const std::string period = pattern(89 * 1000);
  for (std::string piece = down.read_some(); !piece.empty(); piece = down.read_some()) {
    for (std::size_t at = 0; at < piece.size();) {
      const std::size_t from = (got + at) % 89, count = std::min(piece.size() - at, period.size() - from);
      same = same && piece.compare(at, count, period, from, count) == 0;
      at += count;
    }
    if (got / 100'000'000 != (got + piece.size()) / 100'000'000)
      CHECK(all.client.open(all.head("GET", "/echo")).read_response().status == 200);
    got += piece.size();
  }
  CHECK(got == size);
  CHECK(same);
  CHECK(down.ended());

  const H2Stream up = all.client.open(all.head("POST", "/upload"), false);
  for (std::uint64_t sent = 0; sent < size; sent += period.size())
    REQUIRE(up.send(std::string_view(period).substr(0, std::min<std::uint64_t>(period.size(), size - sent))));
  up.finish();
  CHECK(number_in(up.read_response().json(), "length") == static_cast<std::int64_t>(size));
}

TEST_CASE("gateway way: who gives up is noticed by the dev server, and a slow reader holds up nobody") {
  Everything all;
  const auto before = aborted(all.server);
  const H2Stream waits = all.client.open(all.head("GET", "/hang"));
  CHECK(eventually([&] { return all.server.requests() > 0; }));
  waits.reset();
  CHECK(eventually([&] { return aborted(all.server) == before + 1; }));
  const H2Stream unread = all.client.open(all.head("GET", "/bytes/50000000"));
  unread.withhold_credit();
  REQUIRE(unread.read_head().status == 200);
  for (int i = 0; i < 50; ++i) REQUIRE(all.client.open(all.head("GET", "/bytes/100000")).read_response().body.size() == 100'000);
  for (Process* const process : {&all.proxy.process(), &all.names.process(), &all.machine.process()})
    if (!slow()) CHECK(process->anonymous_kb() < 30'000);
  unread.reset();
  CHECK(all.client.open(all.head("GET", "/echo")).read_response().status == 200);
}

TEST_CASE("gateway way: a raw tunnel from a context to a server in the machine that speaks first") {
  RawServer raw;
  TempDir dir;
  const std::string secret(32, 's');
  write_file(dir / "token", secret);
  Gateway machine({"machine"}, {"--token", dir / "token"});
  Proxy proxy;
  for (const char* const scheme : {"http", "h2c"}) {
    const Context context =
        proxy.context({"--morph-id", "abc", "--scope", "base", "--domain-suffix", "cmux.test", "--cmux-proxy-origin",
                       fmt::format("{}://127.0.0.1:{}", scheme, machine.port()), "--header", "X-Cmux-Token: " + secret});
    Client client = tunnel(proxy, context, fmt::format("localhost:{}", raw.port()));
    CHECK_FALSE(client.read_some().empty());
    client.send("hello");
    CHECK(client.read_until("hello").find("hello") != std::string::npos);
    client.half_close();
    client.read_all_until_close();
    CHECK_FALSE(client.was_reset());
  }
}

TEST_CASE("gateway way: hosts of a route are the machine's, where it allows them") {
  Workspace api({"--sniff-port-header", "--bind", "127.18.0.9"});
  Gateway machine({"machine"}, {"--allow-hosts", "*.internal", "--resolve", "api.internal=127.18.0.9"});
  Proxy proxy;
  const Context context =
      proxy.context({"--morph-id", "abc", "--scope", "base", "--domain-suffix", "cmux.test", "--cmux-proxy-origin",
                     fmt::format("http://127.0.0.1:{}", machine.port()), "--host", "*.internal", "--host", "db.lan"});
  const auto echo = proxy.get(context, fmt::format("http://api.internal:{}/echo", api.http_port())).json();
  CHECK(echoed_values(echo, "Host") == Strings{fmt::format("api.internal:{}", api.http_port())});
  const Response refused = proxy.get(context, "http://db.lan:80/");
  CHECK(refused.status == 403);
  CHECK(refused.body.find("--allow-hosts") != std::string::npos);
}
