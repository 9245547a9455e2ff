#include "app/parent_setting.hpp"

#include "app/settings_world.hpp"

using namespace cmux;
using namespace cmux::app;

namespace {

// "requests tunnels bypass", as status shows them.
std::string found(const World& world, const std::string& setting) {
  const auto parents = find_parents(setting, world.environment());
  if (!parents) return parents.error().detail;
  return boost::json::serialize(parents_json(*parents));
}

}  // namespace

TEST_CASE("upstream-proxy: auto is what the environment says") {
  World world;
  CHECK(found(world, "auto") == "null");
  CHECK(found(world, "") == "null");
  world.variables = {{"ALL_PROXY", "socks5://all.test"}, {"NO_PROXY", "a.test,10.0.0.0/8"}};
  CHECK(
      found(world, "auto") ==
      R"({"requests":"socks5://all.test:1080","tunnels":"socks5://all.test:1080","bypass":"a.test,10.0.0.0/8","notUnderstood":[]})");
  world.variables["HTTPS_PROXY"] = "secure.test:3128";
  world.variables["http_proxy"] = "http://u:s3cret@plain.test:8080/";
  world.variables["HTTP_PROXY"] = "http://upper.test";
  world.variables["no_proxy"] = "*";
  CHECK(found(world, "auto") ==
        R"({"requests":"http://plain.test:8080","tunnels":"http://secure.test:3128","bypass":"*","notUnderstood":[]})");
  world.variables = {{"https_proxy", "http://only.test:1"}, {"http_proxy", ""}};
  CHECK(found(world, "auto") == R"({"requests":null,"tunnels":"http://only.test:1","bypass":null,"notUnderstood":[]})");
  world.variables = {{"https_proxy", "ftp://u:s3cret@x.test"}};
  CHECK(found(world, "auto").starts_with("https_proxy: expected http://"));
  CHECK(found(world, "auto").find("s3cret") == std::string::npos);
}

TEST_CASE("upstream-proxy: from every source, and NO_PROXY is for auto alone") {
  World world;
  world.variables = {{"NO_PROXY", "*"}, {"PARENT", "https://u:s3cret@in.test"}};
  CHECK(found(world, "env:PARENT") ==
        R"({"requests":"https://in.test:443","tunnels":"https://in.test:443","bypass":null,"notUnderstood":[]})");
  CHECK(found(world, "env:MISSING") == "there is no variable MISSING");
  CHECK(world.refusal({{"upstream-proxy", {"env:MISSING"}}}) == "upstream-proxy: there is no variable MISSING");
  CHECK(world.refusal({{"upstream-proxy", {"s3cret"}}}).starts_with("--upstream-proxy: expected http://"));
  CHECK(world.refusal({{"upstream-proxy", {"s3cret"}}}).find("s3cret") == std::string::npos);
  CHECK(world.file_refusal("upstream-proxy = 3128\n").find("expected a string such as \"http://proxy.example:3128\"") !=
        std::string::npos);
  world.variables["CMUXPROXY_UPSTREAM_PROXY"] = "socks5://u:s3cret@there.test";
  const auto settings = world.load();
  REQUIRE(settings.has_value());
  CHECK(settings->parents.tunnels->text() == "socks5://there.test:1080");
  CHECK(to_toml(*settings).find("upstream-proxy = \"socks5://***@there.test:1080\"") != std::string::npos);
}
