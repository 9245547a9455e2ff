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
    for (const PlannedField& field : local.headers)
      if (field.name == name) return field.value == value;
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
  const policy::HostRules rules{{"mine.localhost"}, {"127.0.0.*", "dev.localhost"}};
  CHECK(is_routed(routed, target("a.mine.localhost"), {}));
  CHECK_FALSE(is_routed(routed, target("a.mine.localhost"), rules));
}

TEST_CASE("never-route goes before every route") {
  policy::Context routed = context();
  routed.route->hosts = {"*.internal", "10.0.0.7"};
  const policy::HostRules rules{{}, {"127.0.0.*", "dev.localhost", "secret.internal"}};
  for (const std::string_view host : {"127.0.0.1:3000", "dev.localhost:1", "secret.internal", "example.com"})
    CHECK(way_of(routed, target(host), rules) == policy::Way::direct);
  for (const std::string_view host : {"localhost:3000", "127.1.0.1", "[::1]:1", "a.dev.localhost"})
    CHECK(way_of(routed, target(host), rules) == policy::Way::loopback);
  for (const std::string_view host : {"api.internal:8080", "a.secret.internal", "10.0.0.7"})
    CHECK(way_of(routed, target(host), rules) == policy::Way::network);
  CHECK_FALSE(make_plan(&routed, "http", target("127.0.0.1:3000"), "127.0.0.1:3000", rules)->routed);
}

TEST_CASE("a host of the workspace's network goes to the cmuxProxyOrigin, which is told which") {
  policy::Context routed = context();
  routed.route->hosts = {"*.internal", "*.cmux.app", "fd00::7"};
  routed.route->headers = {{"X-Token", "t"}};
  const policy::HostRules rules;
  const auto plan_of = [&](std::string_view scheme, std::string_view authority) {
    auto made = make_plan(&routed, scheme, target(authority), authority, rules);
    REQUIRE(made.has_value());
    return *made;
  };
  const Plan plan = plan_of("http", "api.internal:8080");
  CHECK(plan.origin.text() == "http://127.0.0.1:39379");
  CHECK(plan.authority == "127.0.0.1:39379");
  CHECK(plan.routed);
  CHECK(plan.tunnels);
  CHECK(plan.opaque);
  const auto fields_of = [](const Plan& planned) {
    std::string out;
    for (const auto& [name, value, known, secret] : planned.headers)
      out += name + ": " + value + (secret ? " (secret)" : "") + "\n";
    return out;
  };
  CHECK(fields_of(plan) ==
        "X-Cmux-Target-Internal: api.internal:8080\nX-Cmux-Host-Override: api.internal:8080\nX-Token: t (secret)\n");
  CHECK(fields_of(plan_of("http", "API.internal")) ==
        "X-Cmux-Target-Internal: api.internal:80\nX-Cmux-Host-Override: api.internal\nX-Token: t (secret)\n");
  CHECK(plan_of("http", "[fd00::7]:5432").headers.front().value == "[fd00::7]:5432");
  // The machine would speak plain HTTP to it.
  CHECK(make_plan(&routed, "https", target("api.internal"), "api.internal", rules).has_error());
  CHECK_FALSE(plan_of("http", "a.cmux.app").routed);  // a cmux domain's names are never rewritten
  CHECK_FALSE(plan_of("http", "localhost:1").opaque);
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
