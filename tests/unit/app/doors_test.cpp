#include "app/doors.hpp"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "base/run.hpp"

using namespace cmux;
using namespace cmux::app;

namespace {

net::Endpoint at(std::string_view ip, std::uint16_t port) { return *net::Endpoint::from_ip(ip, port); }

bool has_ipv6() { return net::Listener::bind(at("::1", 0)).has_value(); }

struct World {
  Loop loop;
  Doors::Workers workers;
  Doors doors{workers};
  policy::ContextRequest request;
};

}  // namespace

TEST_CASE("doors: what leads to a listener, by every spelling of its address") {
  for (const char* ip :
       {"127.0.0.1", "::ffff:127.0.0.1", "::ffff:127.0.0.1%1", "::ffff:127.0.0.1%lo", "0.0.0.0", "::ffff:0.0.0.0"}) {
    const auto endpoint = net::Endpoint::from_ip(ip, 80);
    if (!endpoint) continue;  // no interface of that name here
    CAPTURE(ip);
    CHECK(leads_to(at("127.0.0.1", 80), *endpoint));
    CHECK_FALSE(leads_to(at("127.0.0.1", 81), *endpoint));
  }
  for (const char* ip : {"::1", "::1%1", "0::1", "::"}) CHECK(leads_to(at("::1", 80), at(ip, 80)));
  for (const char* ip : {"127.0.0.2", "::1", "192.0.2.1"}) CHECK_FALSE(leads_to(at("127.0.0.1", 80), at(ip, 80)));
  for (const char* ip : {"127.0.0.1", "127.9.9.9", "::ffff:127.0.0.1%1"}) CHECK(leads_to(at("0.0.0.0", 80), at(ip, 80)));
  CHECK_FALSE(leads_to(at("0.0.0.0", 80), at("192.0.2.1", 80)));
  for (const net::Endpoint& own : net::reachable_as(at("0.0.0.0", 80))) CHECK(leads_to(at("0.0.0.0", 80), own));
  CHECK_FALSE(leads_to(*net::Endpoint::from_unix("/a"), at("127.0.0.1", 80)));
}

TEST_CASE("doors: each port is on both loopback addresses under one number") {
  World world;
  world.request.dedicated_port = 0;
  world.request.forwards = {{3000, 0}, {4000, 0}};
  const auto bound = world.doors.bind(world.request);
  REQUIRE(bound.has_value());
  std::vector<std::pair<Doors::Port, std::uint16_t>> ports = {{bound->dedicated, *world.request.dedicated_port}};
  REQUIRE(bound->forwards.size() == 2);
  for (std::size_t i = 0; i < 2; ++i) ports.emplace_back(bound->forwards[i], world.request.forwards[i].local);
  for (const auto& [port, number] : ports) {
    REQUIRE(port.size() == (has_ipv6() ? 2 : 1));
    CHECK(port[0]->endpoint().text() == fmt::format("127.0.0.1:{}", number));
    if (port.size() == 2) CHECK(port[1]->endpoint().text() == fmt::format("[::1]:{}", number));
  }
}

TEST_CASE("doors: a port that is taken on either address is refused, by its field's name") {
  World world;
  if (!has_ipv6()) return;
  for (const char* ip : {"127.0.0.1", "::1"}) {
    CAPTURE(ip);
    const auto taken = *net::Listener::bind(at(ip, 0));
    world.request.dedicated_port.reset();
    world.request.forwards = {{3000, taken->endpoint().port()}};
    auto bound = world.doors.bind(world.request);
    REQUIRE(bound.has_error());
    CHECK(bound.error().status == 409);
    CHECK(bound.error().detail.starts_with("forwards: "));
    world.request.forwards.clear();
    world.request.dedicated_port = taken->endpoint().port();
    bound = world.doors.bind(world.request);
    REQUIRE(bound.has_error());
    CHECK(bound.error().detail.starts_with("dedicatedPort: "));
  }
}
