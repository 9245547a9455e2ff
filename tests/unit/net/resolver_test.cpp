#include "net/resolver.hpp"

#include <catch2/catch.hpp>

#include "base/run.hpp"

using namespace cmux;
using namespace cmux::net;

namespace {

Task<void> ask(Resolver& resolver, std::string host, std::uint16_t port, std::string& out) {
  auto found = co_await resolver.resolve(host, port);
  if (!found) {
    out = std::string(name_of(found.error().code)) + ": " + found.error().detail;
    co_return;
  }
  out.clear();
  for (const Endpoint& endpoint : *found) out += (out.empty() ? "" : " ") + endpoint.text();
}

std::string resolved(Resolver& resolver, std::string host, std::uint16_t port) {
  Loop loop;
  std::string out;
  run(loop, ask(resolver, std::move(host), port, out));
  return out;
}

Task<void> ask_twice(Resolver& resolver, std::string host, std::string& first, std::string& second) {
  Scope scope;
  scope.spawn(ask(resolver, host, 1, first));
  scope.spawn(ask(resolver, host, 2, second));
  co_await scope.join();
}

Override rule(std::string_view text) {
  auto parsed = parse_override(text);
  REQUIRE(parsed.has_value());
  return *parsed;
}

}  // namespace

TEST_CASE("globs match whole names") {
  struct Row {
    std::string_view pattern, text;
    bool matches;
  };
  const Row rows[] = {
      {"a.test", "a.test", true},
      {"a.test", "b.a.test", false},
      {"a.test", "a.tes", false},
      {"*", "", true},
      {"*", "anything", true},
      {"", "", true},
      {"", "x", false},
      {"*.cmux.test", "a.cmux.test", true},
      {"*.cmux.test", "a.b.cmux.test", true},
      {"*.cmux.test", "cmux.test", false},
      {"*.cmux.test", ".cmux.test", true},
      {"*.cmux.test", "a.cmux.test.evil", false},
      {"?.test", "a.test", true},
      {"?.test", ".test", false},
      {"?.test", "ab.test", false},
      {"a*b*c", "aXbYbZc", true},
      {"a*b*c", "acb", false},
      {"a**c", "ac", true},
      {"*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.pattern, row.text);
    CHECK(matches_glob(row.pattern, row.text) == row.matches);
  }
}

TEST_CASE("overrides are parsed") {
  struct Row {
    std::string_view text, pattern, ip;
    std::uint16_t port;
  };
  const Row rows[] = {
      {"*.cmux.test=127.0.0.1:8443", "*.cmux.test", "127.0.0.1", 8443},
      {"*.CMUX.test=127.0.0.1", "*.cmux.test", "127.0.0.1", 0},
      {"a=::1", "a", "::1", 0},
      {"a=[::1]", "a", "::1", 0},
      {"a=[::1]:65535", "a", "::1", 65535},
      {"?=10.0.0.1:1", "?", "10.0.0.1", 1},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto parsed = parse_override(row.text);
    REQUIRE(parsed.has_value());
    CHECK(parsed->pattern == row.pattern);
    CHECK(parsed->ip == row.ip);
    CHECK(parsed->port == row.port);
  }
}

TEST_CASE("what is no override is refused with what was expected") {
  for (const std::string_view text : {"", "a", "=127.0.0.1", "a=", "a=b", "a=localhost:80", "a=127.0.0.1:", "a=127.0.0.1:0",
                                      "a=127.0.0.1:65536", "a=127.0.0.1:x", "a=:80", "a=[::1", "a=127.1"}) {
    CAPTURE(text);
    const auto parsed = parse_override(text);
    REQUIRE(parsed.has_error());
    CHECK(parsed.error().code == Errc::config);
    CHECK(parsed.error().detail.find("PATTERN=ADDR") != std::string::npos);
  }
}

TEST_CASE("the first override that matches wins, over literals and localhost too") {
  Resolver resolver({rule("a.test=127.0.0.2:1"), rule("*.test=127.0.0.3"), rule("10.*=127.0.0.4:4"), rule("localhost=::1")});
  CHECK(resolved(resolver, "a.test", 80) == "127.0.0.2:1");
  CHECK(resolved(resolver, "b.test", 80) == "127.0.0.3:80");
  CHECK(resolved(resolver, "10.0.0.1", 80) == "127.0.0.4:4");
  CHECK(resolved(resolver, "localhost", 80) == "[::1]:80");
}

TEST_CASE("literals and localhost need no look-up") {
  Resolver resolver;
  CHECK(resolved(resolver, "192.0.2.1", 80) == "192.0.2.1:80");
  CHECK(resolved(resolver, "2001:db8::1", 443) == "[2001:db8::1]:443");
  CHECK(resolved(resolver, "localhost", 3000) == "127.0.0.1:3000 [::1]:3000");
  CHECK(resolved(resolver, "app.localhost", 3000) == "127.0.0.1:3000 [::1]:3000");
  CHECK(resolved(resolver, "a.b.localhost", 1) == "127.0.0.1:1 [::1]:1");
}

TEST_CASE("a name that does not resolve is an error for everybody who waits for it") {
  Loop loop;
  Resolver resolver;
  const std::string name = std::string(70, 'x') + ".invalid";  // a label too long for DNS: no server is asked
  std::string first, second;
  run(loop, ask_twice(resolver, name, first, second));
  CHECK(first.starts_with("dns: cannot resolve " + name));
  CHECK(second == first);
}
