// probe over HTTP/2, probe --fail, and probe without a URL, which asks every context's route.
#include "support.hpp"

namespace e2e {
namespace {

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

boost::json::object route_check(const boost::json::object& all, std::string_view part) {
  for (const auto& check : all.at("checks").as_array())
    if (check.at("name") == "route" && contains(text_in(check.as_object(), "detail"), part)) return check.as_object();
  FAIL("no check of " << std::string(part) << " in " << boost::json::serialize(all));
  return {};
}

}  // namespace

TEST_CASE("probe --h2 speaks HTTP/2 to the proxy, on one connection") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  const Run probed = proxy.cli(
      {"probe", "http://localhost:3000/echo", "--ctx", context.id, "--h2", "--count", "2", "--json", "-H", "X-Mine: yes"});
  INFO(probed.out << probed.err);
  CHECK(probed.exit == 0);
  const auto requests = probed.json().at("requests").as_array();
  REQUIRE(requests.size() == 2);
  CHECK(requests[0].at("downstream") == "h2");
  CHECK(requests[0].at("status") == 200);
  CHECK(requests[0].at("bytes").as_int64() > 0);
  CHECK(requests[0].at("proxyConnectionReused") == false);
  CHECK(requests[1].at("proxyConnectionReused") == true);
  CHECK(proxy.cli({"probe", "https://localhost:3443/", "--ctx", context.id, "--h2"}).exit == 0);
  const Run refused = proxy.cli({"probe", "http://does-not-exist.invalid/", "--h2", "--json"});
  CHECK(refused.exit == 5);
  CHECK(refused.json().at("requests").at(0).at("error") == "dns_error");
  for (const char* const other : {"--ws", "--socks", "--connect"})
    CHECK(proxy.cli({"probe", "http://localhost:3000/", "--h2", other}).exit == 2);
  CHECK(proxy.cli({"probe", "--h2"}).exit == 2);
}

TEST_CASE("probe --h2 against an instance without HTTP/2 says that it got none") {
  Proxy proxy({"--no-http2"});
  const Run probed = proxy.cli({"probe", "http://127.0.0.1:1/", "--h2"});
  CHECK(probed.exit == 5);
  CHECK(contains(probed.out, "no response"));
}

TEST_CASE("probe --fail: a status of 400 or more is exit 5") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  const auto exit_of = [&](const std::string& path, const Strings& more) {
    Strings argv{"probe", "http://localhost:3000" + path, "--ctx", context.id};
    argv.insert(argv.end(), more.begin(), more.end());
    return proxy.cli(argv).exit;
  };
  CHECK(exit_of("/status/404", {}) == 0);
  CHECK(exit_of("/status/404", {"--fail"}) == 5);
  CHECK(exit_of("/status/399", {"--fail"}) == 0);
  CHECK(exit_of("/status/500", {"--fail", "--h2"}) == 5);
}

TEST_CASE("probe without a URL asks every context's route, and has a fix for what it finds") {
  Workspace workspace;
  Proxy proxy({"--refused-timeout", "0"}, &workspace);
  const Context good = proxy.routed(), same = proxy.routed();
  const Context dead = proxy.context({"--cmux-proxy-origin", "http://127.0.0.1:1"});
  const Context nowhere = proxy.context({"--template", "https://{port}.does-not-exist.invalid"});
  const Context plain = proxy.context();
  const std::int64_t before = workspace.requests();
  const Run checked = proxy.cli({"probe", "--json"});
  INFO(checked.out << checked.err);
  CHECK(checked.exit == 5);
  const auto all = checked.json().as_object();
  CHECK(all.at("ok") == false);
  const auto reached = route_check(all, good.id);
  CHECK(text_in(reached, "verdict") == "ok");
  CHECK(contains(text_in(reached, "detail"), same.id));  // which shares it
  CHECK(contains(text_in(reached, "detail"), "TLS "));
  CHECK(workspace.requests() == before + 1);
  const auto refused = route_check(all, dead.id);
  CHECK(text_in(refused, "verdict") == "failed");
  CHECK(contains(text_in(refused, "hint"), "nothing listens at the destination"));
  CHECK(contains(text_in(route_check(all, nowhere.id), "hint"), "does not resolve"));
  CHECK_FALSE(contains(checked.out, plain.id));
  // Its own contexts are gone, and those that there are have not noticed.
  const auto contexts = proxy.api("GET", "/v1/contexts").json().at("contexts").as_array();
  CHECK(contexts.size() == 5);
  for (const auto& context : contexts) CHECK(context.at("usage").at("requests") == 0);
}

}  // namespace e2e
