// The second half of net/address.hpp: socket addresses.
#include <net/if.h>
#include <netinet/in.h>

#include <array>

#include <catch2/catch.hpp>

#include "net/address.hpp"

using namespace cmux;
using namespace cmux::net;

TEST_CASE("endpoints from IP addresses") {
  struct Row {
    std::string_view ip;
    int family;
    std::string_view canonical, text;
    bool any, loopback;
  };
  const Row rows[] = {
      {"127.0.0.1", AF_INET, "127.0.0.1", "127.0.0.1:80", false, true},
      {"127.9.8.7", AF_INET, "127.9.8.7", "127.9.8.7:80", false, true},
      {"0.0.0.0", AF_INET, "0.0.0.0", "0.0.0.0:80", true, false},
      {"192.0.2.1", AF_INET, "192.0.2.1", "192.0.2.1:80", false, false},
      {"::1", AF_INET6, "::1", "[::1]:80", false, true},
      {"::", AF_INET6, "::", "[::]:80", true, false},
      {"0:0:0:0:0:0:0:1", AF_INET6, "::1", "[::1]:80", false, true},
      {"2001:DB8::A", AF_INET6, "2001:db8::a", "[2001:db8::a]:80", false, false},
      {"::ffff:127.0.0.1", AF_INET6, "::ffff:127.0.0.1", "[::ffff:127.0.0.1]:80", false, true},
      {"::ffff:7f00:1", AF_INET6, "::ffff:127.0.0.1", "[::ffff:127.0.0.1]:80", false, true},
      {"::ffff:0.0.0.0", AF_INET6, "::ffff:0.0.0.0", "[::ffff:0.0.0.0]:80", true, false},
      {"::ffff:10.0.0.1", AF_INET6, "::ffff:10.0.0.1", "[::ffff:10.0.0.1]:80", false, false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.ip);
    const auto endpoint = Endpoint::from_ip(row.ip, 80);
    REQUIRE(endpoint.has_value());
    CHECK(endpoint->storage.ss_family == row.family);
    CHECK(endpoint->size == (row.family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6)));
    CHECK(endpoint->ip() == row.canonical);
    CHECK(endpoint->text() == row.text);
    CHECK(endpoint->port() == 80);
    CHECK(endpoint->is_any() == row.any);
    CHECK(endpoint->is_loopback() == row.loopback);
    CHECK_FALSE(endpoint->is_unix());
    Endpoint other = *endpoint;
    other.set_port(65535);
    CHECK(other.port() == 65535);
    CHECK(other.ip() == row.canonical);
    CHECK(endpoint->port() == 80);
  }
}

TEST_CASE("endpoints need a whole IP address") {
  using namespace std::string_view_literals;
  for (const std::string_view ip :
       {""sv, "localhost"sv, "127.1"sv, "127.0.0.1:80"sv, "[::1]"sv, "127.0.0.1 "sv, "127.0.0.1\0"sv, "::1\0"sv, "1::2::3"sv,
        "fe80::1%"sv, "fe80::1%no-such-if"sv, "fe80::1%0"sv, "fe80::1%1x"sv, "fe80::1%99999999999"sv, "127.0.0.1%lo"sv}) {
    CAPTURE(ip);
    CHECK_FALSE(Endpoint::from_ip(ip, 80).has_value());
  }
}

TEST_CASE("zones are interface names or numbers") {
  const auto numbered = Endpoint::from_ip("fe80::1%4000000", 80);
  REQUIRE(numbered.has_value());
  CHECK(numbered->ip() == "fe80::1%4000000");
  std::array<char, IF_NAMESIZE> name{};
  if (!if_indextoname(1, name.data())) return;
  const auto named = Endpoint::from_ip(std::string("fe80::1%") + name.data(), 80);
  REQUIRE(named.has_value());
  CHECK(named->text() == std::string("[fe80::1%") + name.data() + "]:80");
}

TEST_CASE("endpoints from Unix paths") {
  const auto endpoint = Endpoint::from_unix("/run/x.sock");
  REQUIRE(endpoint.has_value());
  CHECK(endpoint->is_unix());
  CHECK(endpoint->text() == "unix:/run/x.sock");
  CHECK(endpoint->ip().empty());
  CHECK(endpoint->port() == 0);
  CHECK_FALSE(endpoint->is_any());
  CHECK_FALSE(endpoint->is_loopback());
  Endpoint same = *endpoint;
  same.set_port(80);
  CHECK(same.text() == "unix:/run/x.sock");

  const std::string longest(107, 'p');
  REQUIRE(Endpoint::from_unix(longest).has_value());
  CHECK(Endpoint::from_unix(longest)->text() == "unix:" + longest);
  using namespace std::string_view_literals;
  for (const std::string_view path : {std::string_view(""), "a\0b"sv})
    CHECK(Endpoint::from_unix(path).error().code == Errc::config);
  CHECK(Endpoint::from_unix(longest + "p").error().code == Errc::config);
}

TEST_CASE("a default endpoint is nothing") {
  const Endpoint endpoint;
  CHECK(endpoint.port() == 0);
  CHECK(endpoint.ip().empty());
  CHECK_FALSE(endpoint.is_any());
  CHECK_FALSE(endpoint.is_loopback());
}

TEST_CASE("endpoints: one address by all its spellings") {
  const auto at = [](std::string_view ip) { return *Endpoint::from_ip(ip, 80); };
  for (const char* spelling : {"127.0.0.1", "::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:127.0.0.1%1"}) {
    CAPTURE(spelling);
    CHECK(at("127.0.0.1").same_ip(at(spelling)));
    CHECK(at(spelling).same_ip(at("127.0.0.1")));
    CHECK_FALSE(at("127.0.0.2").same_ip(at(spelling)));
    CHECK_FALSE(at("::1").same_ip(at(spelling)));
  }
  CHECK(at("::1").same_ip(at("::1%1")));
  CHECK(at("::1").same_ip(at("0:0:0:0:0:0:0:1")));
  // Each link has a fe80::1 of its own.
  CHECK(at("fe80::1%1").same_ip(at("fe80::1%1")));
  CHECK_FALSE(at("fe80::1%1").same_ip(at("fe80::1%2")));
  const Endpoint path = *Endpoint::from_unix("/a");
  CHECK_FALSE(path.same_ip(path));
  CHECK_FALSE(path.same_ip(at("127.0.0.1")));
}
