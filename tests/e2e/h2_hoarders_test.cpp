// Clients that make the proxy hold what they do not take: it is bounded, in bytes and in time.
#include "h2_floods.hpp"

using namespace e2e;
using namespace e2e::h2;
using namespace std::string_literals;
using Setup = FloodSetup;

TEST_CASE("h2: idle connections do not hold the memory of the large headers they have seen") {
  Setup setup;
  const Lines lines = setup.get("/") + Lines(4, {"x-a", std::string(15'000, 'x')});
  std::string bytes;
  for (std::uint32_t id = 1; id < 64; id += 2) bytes += long_headers(id, lines);
  std::vector<std::unique_ptr<ClientSide>> clients;
  const auto add = [&] {
    clients.push_back(std::make_unique<ClientSide>(setup.proxy.port()));
    clients.back()->send(bytes);
    for (std::uint32_t id = 1; id < 64; id += 2) CHECK(clients.back()->message(id).status() == 200);
  };
  add();
  const std::size_t before = setup.proxy.process().anonymous_kb();
  for (int i = 0; i < 10; ++i) add();
  if (!slow()) CHECK(setup.proxy.process().anonymous_kb() < before + 6'000);
}

TEST_CASE("h2: who does not read holds a bounded amount") {
  Setup setup;
  const std::size_t grown = setup.growth([&] {
    Client raw;
    raw.receive_buffer(4'096);
    raw.connect(setup.proxy.port());
    ClientSide client(std::move(raw), settings({{kInitialWindow, 0x7fffffff}}) + window(0, 0x7fff0000 - 65'535));
    client.send(Setup::repeated(20, [&](std::uint32_t id) { return headers(id, setup.get("/bytes/100000000")); }));
    for (int i = 0; i < 50; ++i) CHECK(setup.serves());
    client.send(many(ping(), static_cast<std::size_t>(scaled(20'000))));  // and their answers are not read either
    CHECK(eventually([&] { return !client.send(ping()); }));
  });
  CHECK(grown < 16'000);
  CHECK(setup.is_quiet());
}

TEST_CASE("h2: who gives no window loses its streams in time, and the connection that it does not read") {
  Setup setup({"--send-timeout", "300ms"});
  ClientSide client(setup.proxy.port(), settings({{kInitialWindow, 0}}));
  // A body that is held back, one that waits, one that goes on and on, and an answer of the proxy's own.
  client.send(headers(1, setup.get("/")) + headers(3, setup.get("/bytes/1000000")) + headers(5, setup.get("/bytes/100000000")) +
              headers(7, without(setup.get("/"), "proxy-authorization")));
  for (std::uint32_t id = 1; id <= 7; id += 2) {
    CHECK(client.message(id).reset.value_or(99) == kCancel);
    CHECK(client.streams[id].status() == (id == 7 ? 407 : 200));
  }
  CHECK(
      eventually([&] { return number_in(setup.proxy.api("GET", "/v1/status").json().at("requests").as_object(), "open") == 0; }));
  client.send(headers(9, setup.get("/slow?head=600")) + window(9, 100));  // nothing waits for this one meanwhile
  CHECK(client.message(9).status() == 200);
  CHECK_FALSE(client.code);
  Client raw;
  raw.receive_buffer(4'096);
  raw.connect(setup.proxy.port());
  ClientSide deaf(std::move(raw), settings({{kInitialWindow, 0x7fffffff}}) + window(0, 0x7fff0000 - 65'535));
  deaf.send(headers(1, setup.get("/bytes/100000000")));
  CHECK(eventually([&] { return !deaf.send(ping()); }));
  client.client.close();
  CHECK(setup.is_quiet());
}

TEST_CASE("h2: what all streams together hold is bounded, and goes back to the system") {
  Setup setup;
  REQUIRE(setup.serves());
  const std::size_t before = setup.proxy.process().anonymous_kb();
  const std::size_t grown = setup.growth([&] {
    std::vector<std::unique_ptr<ClientSide>> clients;
    for (int i = 0; i < 20; ++i) {
      clients.push_back(std::make_unique<ClientSide>(setup.proxy.port(), settings({{kInitialWindow, 0}})));
      clients.back()->send(Setup::repeated(30, [&](std::uint32_t id) { return headers(id, setup.get("/bytes/10000000")); }));
    }
    for (auto& client : clients)
      for (std::uint32_t id = 1; id <= 59; id += 2)
        client->until([&] { return client->streams[id].over() || !client->streams[id].heads.empty(); });
    for (int i = 0; i < 50; ++i) CHECK(setup.serves());  // the bodies have come meanwhile, as far as they are taken
  });
  CHECK(grown < 110'000);
  CHECK(setup.is_quiet());
  if (!slow()) CHECK(eventually([&] { return setup.proxy.process().anonymous_kb() < before + 30'000; }));
}

TEST_CASE("h2: large heads that came in few bytes are bounded together, and the rest refused") {
  Setup setup;
  // One field in the peers' table, and then as many references to it as a head may hold.
  const std::string field = "\x40" + integer(3, 7, 0) + "x-b" + integer(3'900, 7, 0) + std::string(3'900, 'x');
  const std::string plain = block(setup.get("/hang"));
  const std::size_t grown = setup.growth([&] {
    ClientSide client(setup.proxy.port());
    client.send(frame(kHeaders, kWhole, 1, plain + field));
    const std::uint32_t last = 2 * 300 + 1;
    for (std::uint32_t id = 3; id <= last; id += 2) client.send(frame(kHeaders, kWhole, id, plain + std::string(15, '\xbe')));
    client.exchange_pings();
    client.exchange_pings();  // answers overtake resets
    std::size_t refused = 0;
    for (auto& [id, message] : client.streams) refused += message.reset == kRefusedStream;
    INFO(client.streams.size() << " streams, ended " << client.ended << " code " << client.code.value_or(99));
    CHECK(refused > 100);
    CHECK(refused < 290);
    CHECK_FALSE(client.ended);
    for (std::uint32_t id = 1; id <= last; id += 2)
      if (!client.streams[id].reset) client.send(reset(id));
    std::uint32_t next = last;
    CHECK(eventually([&] {
      client.send(headers(next += 2, setup.get("/")));
      return client.message(next).status() == 200;
    }));
  });
  CHECK(grown < 80'000);
  CHECK(setup.is_quiet());
}
