#include "proxy/plan.hpp"

#include <catch2/catch.hpp>

using namespace cmux;
using namespace cmux::proxy;

namespace {

net::Authority target(std::string_view text) { return *net::parse_authority(text); }

policy::Context context(std::string origin = "http://127.0.0.1:39379") {
  policy::Context made;
  made.route.emplace();
  made.route->cmux_proxy_origin = std::move(origin);
  made.route->scope = "base";
  return made;
}

Plan plan(const policy::Context* context, std::string_view scheme, std::string_view authority) {
  auto made = make_plan(context, scheme, target(authority), authority, {});
  REQUIRE(made.has_value());
  return *made;
}

}  // namespace

TEST_CASE("without a route a request goes where it says") {
  const policy::Context plain;
  for (const policy::Context* who : {static_cast<const policy::Context*>(nullptr), &plain}) {
    const Plan http = plan(who, "http", "LOCALHOST:3000");
    CHECK(http.origin.text() == "http://localhost:3000");
    CHECK(http.authority == "LOCALHOST:3000");
    CHECK_FALSE(http.routed);
    CHECK_FALSE(http.tunnels);
    CHECK(http.headers.empty());
    CHECK(plan(who, "https", "a.test").origin.text() == "https://a.test:443");
    CHECK(plan(who, "http", "a.test").origin.text() == "http://a.test:80");
    CHECK(plan(who, "http", "[::1]:8080").origin.text() == "http://[::1]:8080");
  }
}

TEST_CASE("loopback targets follow the route, others do not") {
  const policy::Context routed = context();
  const Plan local = plan(&routed, "http", "localhost:3000");
  CHECK(local.routed);
  CHECK(local.tunnels);
  CHECK(local.origin.text() == "http://127.0.0.1:39379");
  const auto has = [&](std::string_view name, std::string_view value) {
    for (const auto& [key, text] : local.headers)
      if (key == name) return text == value;
    return false;
  };
  CHECK(has("X-Cmux-Port-Internal", "3000"));
  CHECK(has("X-Cmux-Host-Override", "localhost:3000"));
  CHECK_FALSE(plan(&routed, "http", "example.com").routed);
  CHECK_FALSE(plan(&routed, "http", "127.0.0.1.nip.io").routed);
  CHECK(plan(&routed, "https", "[::1]").routed);
}

TEST_CASE("is_routed needs a route, a loopback target, and no cmux domain") {
  const policy::Context routed = context(), plain;
  CHECK(is_routed(routed, target("localhost:1"), {}));
  CHECK_FALSE(is_routed(plain, target("localhost:1"), {}));
  CHECK_FALSE(is_routed(routed, target("example.com"), {}));
  CHECK_FALSE(is_routed(routed, target("a.cmux.localhost"), {}));
  const std::string more[] = {"mine.localhost"};
  CHECK(is_routed(routed, target("a.mine.localhost"), {}));
  CHECK_FALSE(is_routed(routed, target("a.mine.localhost"), more));
}

TEST_CASE("a route that cannot be used is an error") {
  policy::Context broken = context("ftp://x");
  CHECK(make_plan(&broken, "http", target("localhost:1"), "localhost:1", {}).has_error());
}

TEST_CASE("reaches_itself asks for the address, or for both of localhost") {
  std::vector<std::string> asked;
  std::string own;
  const auto is_own = [&](const net::Endpoint& endpoint) {
    asked.push_back(endpoint.text());
    return endpoint.text() == own;
  };
  CHECK_FALSE(reaches_itself(target("localhost"), 80, is_own));
  CHECK(asked == std::vector<std::string>{"127.0.0.1:80", "[::1]:80"});
  asked.clear();
  CHECK_FALSE(reaches_itself(target("127.0.0.2:9"), 9, is_own));
  CHECK(asked == std::vector<std::string>{"127.0.0.2:9"});
  own = "[::1]:80";
  CHECK(reaches_itself(target("app.localhost"), 80, is_own));
  CHECK(reaches_itself(target("[::1]"), 80, is_own));
  CHECK_FALSE(reaches_itself(target("[::1]"), 81, is_own));
  CHECK_FALSE(reaches_itself(target("localhost"), 80, {}));
}

TEST_CASE("a session cancels what goes on under it") {
  struct One final : Active {
    explicit One(bool is) : tunnel(is) {}
    void cancel(Errc why) noexcept override {
      code = why;
      unlink();  // it may leave the list at once
    }
    bool is_tunnel() const override { return tunnel; }
    bool tunnel;
    std::optional<Errc> code;
  };
  Session session;
  One request(false), tunnel(true), gone(true);
  for (One* one : {&request, &tunnel, &gone}) one->link_after(session.active);
  gone.unlink();
  session.cancel(Errc::reset, true);
  CHECK(tunnel.code == Errc::reset);
  CHECK_FALSE(request.code.has_value());
  session.cancel(Errc::cancelled, false);
  CHECK(request.code == Errc::cancelled);
  CHECK(tunnel.code == Errc::reset);
  CHECK_FALSE(gone.code.has_value());
}
