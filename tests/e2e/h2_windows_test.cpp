// Flow control as a client steers it (RFC 9113 sections 6.5.3 and 6.9).
#include "h2_floods.hpp"

namespace e2e::h2 {

TEST_CASE("h2: what a client sets and gives holds for open streams too, also below zero") {
  FloodSetup setup;
  ClientSide client(setup.proxy.port(), settings({{kInitialWindow, 1'000}}));
  client.gives_windows = false;
  client.send(headers(1, setup.get("/bytes/100000")));
  Message& message = client.streams[1];
  // Nothing more comes than the window allows, and all of that does.
  const auto holds = [&](std::size_t size) {
    CHECK(client.until([&] { return message.body.size() >= size; }));
    client.exchange_pings();
    CHECK(message.body.size() == size);
  };
  holds(1'000);
  client.acknowledged = false;
  client.send(settings({{kInitialWindow, 0}}));  // 1,000 below zero
  CHECK(client.until([&] { return client.acknowledged; }));
  client.send(window(1, 1'000));
  holds(1'000);
  client.send(window(1, 1));
  holds(1'001);
  client.send(settings({{kInitialWindow, 50}, {kInitialWindow, 20}}));  // the last value of several counts
  holds(1'021);
  client.send(settings({{kInitialWindow, 100'000}}) + window(0, 100'000));
  CHECK(client.message(1).ended);
  CHECK(message.body.size() == 100'000);
  CHECK_FALSE(client.code);
}

}  // namespace e2e::h2
