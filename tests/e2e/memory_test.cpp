// Connections that only wait hold little, and what a load has needed goes back to the system after it.
#include "support.hpp"

namespace e2e {
namespace {

struct Setup {
  Workspace workspace;
  Proxy proxy{{"--threads", "1", "--header-timeout", "10m"}, &workspace};
  Context context =
      proxy.context({"--cmux-proxy-origin", fmt::format("http://127.0.0.1:{}", workspace.http_port()), "--morph-id", "abc"});
  Context direct = proxy.context();

  std::size_t memory() { return proxy.process().anonymous_kb(); }
};

constexpr std::size_t kMany = 400;

}  // namespace

TEST_CASE("memory: who only waits holds no buffers") {
  if (slow()) return;
  struct Row {
    std::string_view what;
    std::size_t most;  // bytes each
    Client (*open)(Setup&);
  };
  const Row rows[] = {
      {"half a head", 6'000,
       [](Setup& setup) {
         const std::string get = request_text("GET", "http://localhost:3000/", setup.context);
         Client client = setup.proxy.connect();
         client.send(get.substr(0, get.size() - 10));
         return client;
       }},
      {"a tunnel", 15'500,
       [](Setup& setup) {
         Client client = tunnel(setup.proxy, setup.direct, fmt::format("127.0.0.1:{}", setup.workspace.http_port()));
         client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
         client.read_response();
         return client;
       }},
      {"an upgrade", 14'000,
       [](Setup& setup) {
         Client client = setup.proxy.connect();
         const std::string upgrade =
             request_text("GET", "http://localhost:3000/upgrade/echo", setup.context, "Connection: Upgrade\r\nUpgrade: echo\r\n");
         CHECK(client.ask(upgrade).status == 101);
         client.send("x");
         CHECK(client.read_exactly(1) == "x");
         return client;
       }},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    Setup setup;  // of its own: what one row's clients have given back would be had by the next
    std::vector<Client> clients;
    for (int i = 0; i < 20; ++i) clients.push_back(row.open(setup));
    // Whoever is answered has come behind all others: what they have sent was read.
    Client last = setup.proxy.connect();
    const auto all_read = [&] { CHECK(last.ask(request_text("GET", "http://localhost:3000/", setup.context)).status == 200); };
    all_read();
    const std::size_t before = setup.memory();
    for (std::size_t i = 0; i < kMany; ++i) clients.push_back(row.open(setup));
    all_read();
    std::size_t now = 0;
    const bool held = eventually([&] { return (now = setup.memory()) < before + kMany * row.most / 1024; });
    CAPTURE(before, now);
    CHECK(held);
  }
}

TEST_CASE("memory: what a load has needed goes back to the system") {
  if (slow()) return;
  Setup setup;
  const std::string get = request_text("GET", "http://localhost:3000/", setup.context);
  CHECK(setup.proxy.connect().ask(get).status == 200);
  const std::size_t before = setup.memory();
  std::size_t peak = 0;
  {
    std::vector<Client> clients;
    for (std::size_t i = 0; i < kMany; ++i) {  // and as many upstream: select(2), on other systems, knows 1,023 descriptors
      clients.push_back(setup.proxy.connect());
      clients.back().send(get);
    }
    for (Client& client : clients) CHECK(client.read_response().status == 200);
    peak = setup.memory();
  }
  std::size_t now = 0;
  const bool gone = eventually([&] { return (now = setup.memory()) < before + (peak - before) * 2 / 3; }, 30s);
  CAPTURE(before, peak, now);
  CHECK(gone);
}

}  // namespace e2e
