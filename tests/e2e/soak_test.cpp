// After load, and after everything that can be cut off was cut off, the proxy is what it was: the same descriptors, the same
// memory.
#include <array>
#include <random>

#include "support.hpp"

namespace e2e {
namespace {

constexpr std::size_t kSlackKb = 2'000;

struct Setup {
  Workspace workspace;
  Proxy proxy{{"--log-level", "error"}, &workspace};
  Context plain = proxy.context({"--cmux-proxy-origin", fmt::format("http://127.0.0.1:{}", workspace.http_port()), "--morph-id",
                                 "abc", "--scope", "base", "--domain-suffix", "cmux.test"});
  Context secured = proxy.routed();
  std::int64_t fds = 0;
  std::size_t memory = 0;

  std::string request(std::string_view path, bool tls = false) const {
    return request_text("GET", fmt::format("http://localhost:3000{}", path), tls ? secured : plain);
  }
  boost::json::object status() const { return proxy.api("GET", "/v1/status").json(); }

  // Connections that wait in the pool for the next request are no leak.
  std::int64_t open_fds() {
    const auto idle = number_in(status().at("upstream").as_object(), "idle");
    return static_cast<std::int64_t>(proxy.process().fds()) - idle;
  }
  bool is_quiet() const {
    const auto now = status();
    return number_in(now.at("connections").as_object(), "open") == 0 && number_in(now.at("requests").as_object(), "open") == 0;
  }
  void measure() {
    REQUIRE(eventually([&] { return is_quiet(); }));
    fds = open_fds();
    REQUIRE(eventually([&] { return std::exchange(fds, open_fds()) == fds; }));  // the question's own connection ends as well
    memory = proxy.process().anonymous_kb();
  }
  void check() {
    CHECK(eventually([&] { return is_quiet(); }));
    INFO(boost::json::serialize(status()));
    CHECK(eventually([&] { return open_fds() == fds; }));
    CHECK(eventually([&] { return counter(workspace, "tunnels") == 0; }));
    if (slow()) return;
    eventually([&] { return proxy.process().anonymous_kb() <= memory + kSlackKb; }, 3s);
    CHECK(proxy.process().anonymous_kb() <= memory + kSlackKb);
  }
};

// 32 connections, 50 requests in one write each, over and over.
void load(Setup& setup, std::int64_t count) {
  constexpr std::int64_t kBurst = 50;
  std::array<Client, 32> clients;
  for (Client& client : clients) client.connect(setup.proxy.port());
  const std::string request = setup.request("/");
  const Response one = clients[0].ask(request);
  std::string burst, expected;
  for (int i = 0; i < kBurst; ++i) burst += request, expected += one.head + one.body;
  for (std::int64_t done = 0; done < count; done += kBurst * static_cast<std::int64_t>(clients.size())) {
    for (Client& client : clients) client.send(burst);
    for (Client& client : clients)
      if (client.read_exactly(expected.size()) != expected) FAIL("an answer is not as the first one");
  }
}

// A client that has got to some stage of its life.
Client begin(Setup& setup, unsigned stage, unsigned wait) {
  Client client = setup.proxy.connect();
  const std::string connect =
      fmt::format("CONNECT localhost:5432 HTTP/1.1\r\nHost: localhost:5432\r\n{}\r\n", setup.plain.auth_line());
  switch (stage) {
    case 0: break;
    case 1: client.send(setup.request("/").substr(0, 40)); break;  // within the head
    case 2: client.send(setup.request("/hang")); break;
    case 3:  // within a response
      client.send(setup.request("/bytes/1000000"));
      if (wait) client.read_some();
      break;
    case 4: {  // within an upload
      std::string head = setup.request("/upload");
      client.send("POST" + head.substr(3, head.size() - 5) + "Content-Length: 100000\r\n\r\n" + std::string(5000, 'x'));
      break;
    }
    case 5:  // a raw tunnel
      client.send(connect + std::string(wait, '\1'));
      client.read_response("CONNECT");
      if (wait) client.read_exactly(wait);
      break;
    case 6:  // requests in a tunnel, pipelined
      client.send(connect + "GET / HTTP/1.1\r\nHost: localhost:5432\r\n\r\nGET /hang HTTP/1.1\r\nHost: localhost:5432\r\n\r\n");
      if (wait) client.read_response("CONNECT"), client.read_response();
      break;
    case 7: {  // a WebSocket
      std::string head = setup.request("/ws");
      client.send(head.substr(0, head.size() - 2) +
                  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                  "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
      if (wait) client.read_response();
      break;
    }
    case 8:  // events without an end, over TLS
      client.send(setup.request("/sse?count=0&gap=1", true));
      if (wait) client.read_until("event 1");
      break;
    default: client.send("CONNECT localhost:2222 HTTP/1.1\r\n"); break;
  }
  return client;
}

void abort_clients(Setup& setup, std::int64_t count) {
  std::mt19937 random(1);
  std::vector<Client> clients;
  for (std::int64_t i = 0; i < count; ++i) {
    clients.push_back(begin(setup, static_cast<unsigned>(random() % 10), static_cast<unsigned>(random() % 3)));
    if (clients.size() < 50 && i + 1 < count) continue;
    for (Client& client : clients) {
      if (random() % 2) client.abort();
      else client.close();
    }
    clients.clear();
  }
}

void abort_upstreams(Setup& setup, std::int64_t count) {
  static constexpr const char* kPaths[] = {"reset",         "close", "half-head", "short", "half-reset", "half-chunk",
                                           "no-last-chunk", "chunk", "garbage",   "cl-te", "switch"};
  Client client = setup.proxy.connect();
  for (std::int64_t i = 0; i < count; ++i) {
    client.send(setup.request(fmt::format("/broken/{}", kPaths[static_cast<std::size_t>(i) % std::size(kPaths)]), i % 20 == 0));
    const std::string start = client.read_some();
    if (start.starts_with("HTTP/1.1 502 ")) continue;  // came in one write
    if (!client.closed_by_peer()) FAIL("neither 502 nor closed: " << start);
    client.connect(setup.proxy.port());
  }
}

}  // namespace

TEST_CASE("soak: 100 000 requests leave nothing behind") {
  Setup setup;
  load(setup, scaled(20'000));
  setup.measure();
  load(setup, scaled(100'000));
  setup.check();
}

TEST_CASE("soak: 5000 clients that leave at any stage leave nothing behind") {
  Setup setup;
  // As many to warm up: how much the allocator keeps depends on how many were there at once, and they leave in the same order.
  abort_clients(setup, scaled(5'000));
  setup.measure();
  abort_clients(setup, scaled(5'000));
  setup.check();
  CHECK(setup.proxy.get(setup.plain, "http://localhost:3000/").status == 200);
}

TEST_CASE("soak: 5000 upstreams that break leave nothing behind") {
  Setup setup;
  abort_upstreams(setup, scaled(1'000));
  setup.measure();
  abort_upstreams(setup, scaled(5'000));
  setup.check();
  CHECK(setup.proxy.get(setup.secured, "http://localhost:3000/").status == 200);
}

TEST_CASE("soak: 1000 contexts made and released leave nothing behind") {
  Setup setup;
  const auto cycle = [&] {
    const auto before = number_in(setup.status(), "contexts");
    Strings ids;
    for (std::int64_t i = 0; i < scaled(1'000); ++i) {
      const Response made = setup.proxy.api(
          "POST", "/v1/contexts", R"({"webContentsId":7,"route":{"morphId":"abc","scope":"base","domainSuffix":"cmux.test"}})");
      if (made.status != 201) FAIL(made.head << made.body);
    }
    CHECK(number_in(setup.status(), "contexts") == before + scaled(1'000));
    CHECK(setup.proxy.api("DELETE", "/v1/contexts?webContentsId=7").json().at("released").as_array().size() ==
          static_cast<std::size_t>(scaled(1'000)));
    CHECK(number_in(setup.status(), "contexts") == before);
  };
  cycle();
  setup.measure();
  cycle();
  setup.check();
}

}  // namespace e2e
