#include "app/reload.hpp"

#include <sys/stat.h>

#include "app/file_watch.hpp"
#include "app/settings_table.hpp"
#include "app/settings_world.hpp"

using namespace cmux;
using namespace cmux::app;

TEST_CASE("reload: what only a start can change stays as it is, and is told") {
  const World world;
  const Settings running;
  auto read = world.load({{"listen", {"127.0.0.1:1"}},
                          {"port-attempts", {"2"}},
                          {"admin", {"127.0.0.1:1"}},
                          {"instance", {"other"}},
                          {"threads", {"2"}},
                          {"allow-remote", {"true"}},
                          {"ready-fd", {"3"}},
                          {"owner-pid", {"1"}},
                          {"max-descriptors", {"100"}},
                          {"dumpable", {"true"}},
                          {"via", {"true"}},
                          {"max-url", {"2k"}}});
  REQUIRE(read.has_value());
  const auto fixed = keep_fixed(running, *read);
  std::vector<std::string> expected;
  for (const SettingInfo& info : setting_table())
    if (info.fixed) expected.push_back(info.name);
  CHECK(fixed == expected);  // every one of them was changed above
  CHECK(differing(running, *read) == std::vector<std::string>{"via", "max-url"});
  CHECK(keep_fixed(running, *read).empty());
}

TEST_CASE("reload: a parent's password alone is a change, wherever it stands") {
  World world;
  world.variables = {{"PARENT", "http://me:one@proxy.example:3128"}};
  const auto given = [&](const char* text) {
    auto settings = world.load({{"upstream-proxy", {text}}});
    REQUIRE(settings.has_value());
    return std::move(*settings);
  };
  const Settings one = given("http://me:one@proxy.example:3128"), by_name = given("env:PARENT");
  CHECK(differing(one, given("http://me:two@proxy.example:3128")) == std::vector<std::string>{"upstream-proxy"});
  CHECK(differing(one, given("http://me:one@proxy.example:3128")).empty());
  world.variables["PARENT"] = "http://me:two@proxy.example:3128";
  CHECK(differing(by_name, given("env:PARENT")) == std::vector<std::string>{"upstream-proxy"});
}

TEST_CASE("reload: an error's lines") {
  CHECK(lines_of("one") == std::vector<std::string>{"one"});
  CHECK(lines_of("one\ntwo") == std::vector<std::string>{"one", "two"});
}

TEST_CASE("a file that is watched is told of once it rests, and not before") {
  World world;
  const std::string path = world.write("config.toml", "via = true\n");
  Loop loop;
  unsigned told = 0;
  const auto wait = [&]() -> Task<void> {
    const auto end = Clock::now() + std::chrono::seconds(30);
    while (told == 0 && Clock::now() < end) co_await sleep_for(milliseconds(20));
  };
  FileWatch watch(path, [&] { ++told; });
  world.write("config.toml", "via = false\n");
  loop.run(wait());
  CHECK(told == 1);
}
