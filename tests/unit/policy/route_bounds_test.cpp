// What a route may hold, and what is no route however hard it tries.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <random>

#include "policy/context.hpp"
#include "policy/hosts.hpp"
#include "policy/route_url.hpp"

using namespace cmux;
using namespace cmux::policy;
using Catch::StartsWith;

namespace {

Route plain() {
  Route route;
  route.cmux_proxy_origin = "http://127.0.0.1:1";
  return route;
}

std::string refusal(const Route& route) {
  const auto checked = check_route(route);
  return checked ? std::string("(accepted)") : checked.error().detail;
}

}  // namespace

TEST_CASE("route: headers are bounded in number and in bytes") {
  Route route = plain();
  for (std::size_t i = 0; i < kMostHeaders; ++i) route.headers.emplace_back(fmt::format("X-{}", i), "v");
  CHECK(refusal(route) == "(accepted)");
  route.headers.emplace_back("X-More", "v");
  CHECK_THAT(refusal(route), StartsWith("headers: "));
  route.headers = {{"X-Big", std::string(kMostHeaderBytes - 5, 'v')}};
  CHECK(refusal(route) == "(accepted)");
  route.headers.front().second += 'v';
  CHECK_THAT(refusal(route), StartsWith("headers: "));
  CHECK(refusal(route).find("vv") == std::string::npos);
}

TEST_CASE("route: every text is bounded, and refused by its name") {
  const std::pair<const char*, std::string Route::*> texts[] = {
      {"morphId", &Route::morph_id},
      {"scope", &Route::scope},
      {"domainSuffix", &Route::domain_suffix},
      {"morphDomainSuffix", &Route::morph_domain_suffix},
      {"cmuxProxyOrigin", &Route::cmux_proxy_origin},
      {"template", &Route::url_template},
      {"suffix", &Route::suffix},
  };
  for (const auto& [name, member] : texts) {
    CAPTURE(name);
    Route route = plain();
    route.*member = member == &Route::url_template ? "http://127.0.0.1:{port}/" : "";
    route.*member += std::string(kLongestText + 1 - (route.*member).size(), 'a');
    const std::string detail = refusal(route);
    CHECK(detail == fmt::format("{}: has {} bytes, {} are allowed", name, kLongestText + 1, kLongestText));
  }
}

TEST_CASE("contexts: all together hold only so much") {
  Loop loop;
  ContextStore store([](ContextStore::Change, const ContextPtr&, std::string_view) {});
  ContextRequest request;
  request.route = plain();
  request.route->headers = {{"X-Big", std::string(16'000, 'v')}};
  ContextPtr last;
  Result<ContextPtr> made = store.create(request);
  for (; made; made = store.create(request)) last = *made;
  CHECK(made.error().code == Errc::limit);
  CHECK(store.size() * 16'000 <= ContextStore::kMostBytes);
  CHECK(store.size() * 17'000 >= ContextStore::kMostBytes);
  // A smaller route makes room, a larger one needs it.
  REQUIRE(store.reroute(last->id, plain()).has_value());
  CHECK(store.create(request).has_value());
  CHECK(store.reroute(last->id, request.route).error().code == Errc::limit);
  REQUIRE(store.release(last->id, "asked for"));
  store.release_all(std::nullopt, "asked for");
  CHECK(store.create(request).has_value());
  store.release_all(std::nullopt, "asked for");
  loop.stop();
  loop.run();
}

// A debug build ends in Boost.URL's assertions where one of these reaches it.
TEST_CASE("route: hostile texts in the place of URLs are refused") {
  const auto feed = [](const std::string& text) {
    CAPTURE(text);
    CHECK(route_from_url(text, {}).has_error());
    Route route;
    route.cmux_proxy_origin = text;
    const bool accepted = check_route(route).has_value();
    if (accepted) CHECK(text.find("://") != std::string::npos);
    route.cmux_proxy_origin.clear();
    route.url_template = text + "{port}";
    static_cast<void>(check_route(route));
    route.url_template = "http://" + text + ":{port}/" + text;
    static_cast<void>(check_route(route));
  };
  for (const char* text :
       {"AAE:\x06", "http:#",  "http:?",   "http:[",     "http:{",   "http:]",    "http:}",   "http: ", "a:\x7f", ":",
        "://",      "http://", "http://[", "http://[::", "http://@", "http://a:", "http://%", "http:%", "",       "\xff"})
    feed(text);
  feed(std::string("http:\0", 6));
  feed(std::string("http://a\0b", 10));
  static constexpr char kText[] = "AaHhTtPp1:/?#[]@%.-+~! \x06\x80\xff\0{}";
  constexpr std::string_view kLetters(kText, sizeof kText - 1);
  std::mt19937 random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string text = i % 3 == 0 ? "http:" : i % 3 == 1 ? "http://" : "";
    for (auto left = random() % 12; left > 0; --left) text += kLetters[random() % kLetters.size()];
    feed(text);
  }
}

TEST_CASE("route: hosts are bounded in number") {
  Route route = plain();
  for (std::size_t i = 0; i < kMostHosts; ++i) route.hosts.push_back(fmt::format("h{}.internal", i));
  CHECK(refusal(route) == "(accepted)");
  route.hosts.emplace_back("more.internal");
  CHECK_THAT(refusal(route), StartsWith("hosts: "));
}
