// The settings as a file: reading, printing, finding it, and the page that describes them.
#include "app/settings_world.hpp"

#include <catch2/catch.hpp>
#include <cctype>

#include "source.hpp"

using namespace cmux;
using namespace cmux::app;
using namespace std::chrono_literals;
using Catch::Contains;
using Catch::EndsWith;
using Catch::StartsWith;

TEST_CASE("settings: the file's errors name file, line, key and what is allowed") {
  const World world;
  const std::string file = world.path("config.toml");
  struct Refused {
    std::string text, where, says;
  };
  const Refused table[] = {
      {"via = true\ndrain-timeout = \"soon\"\n", ":2: drain-timeout: ", "expected a time such as 5s"},
      {"drain-timeout = 5\n", ":1: drain-timeout: ", "expected a string such as \"5s\", not an integer"},
      {"http2 = \"no\"\n", ":1: http2: ", "expected true or false, not a string"},
      {"port-attempts = \"5\"\n", ":1: port-attempts: ", "expected an integer, not a string"},
      {"port-attempts = 5.5\n", ":1: port-attempts: ", "expected an integer, not a floating-point number"},
      {"port-attempts = 1979-05-27\n", ":1: port-attempts: ", "not a date or time"},
      {"threads = true\n", ":1: threads: ", "expected an integer or a string such as \"auto\", not a boolean"},
      {"threads = -1\n", ":1: threads: ", "a number from 1 to 64, or auto, not '-1'"},
      {"resolve = \"a=127.0.0.1\"\n", ":1: resolve: ", "expected an array of strings"},
      {"resolve = [\"a=127.0.0.1\",\n  7]\n", ":2: resolve: ", "not an array that holds an integer"},
      {"resolve = [\"a=b\"]\n", ":1: resolve: ", "PATTERN=ADDR[:PORT]"},
      {"listen = [\"127.0.0.1:1\"]\n", ":1: listen: ", "not an array"},
      {"\nlisten-on = \"127.0.0.1:1\"\n", ":2: listen-on: ", "unknown key"},
      {"drain_timeout = \"5s\"\n", ":1: drain_timeout: ", "did you mean drain-timeout?"},
      {"tread = 2\n", ":1: tread: ", "did you mean threads?"},
      {"[serve]\nvia = true\n", ":1: serve: ", "allowed are listen, port-attempts, admin"},
      {"via = true\nvia = false\n", ":2: not TOML: ", ""},
      {"via = true\n\nlisten =\n", ":3: not TOML: ", ""},
  };
  for (const Refused& row : table) {
    CAPTURE(row.text);
    const std::string refusal = world.file_refusal(row.text);
    CHECK_THAT(refusal, StartsWith(file + row.where));
    CHECK_THAT(refusal, Contains(row.says));
  }
  CHECK_THAT(world.file_refusal("zzzzzzzzzz = 1\n"), !Contains("did you mean"));
  CHECK_THAT(world.file_refusal("z = 1\n"), EndsWith("dumpable"));
}

TEST_CASE("settings: an empty file is fine; one that is missing or a folder is not") {
  const World world;
  CHECK(world.load({}, world.write("empty.toml", "")).has_value());
  CHECK(world.load({}, world.write("comment.toml", "# nothing yet\n")).has_value());
  CHECK(world.refusal({}, world.path("missing.toml")) ==
        world.path("missing.toml") + ": cannot be read: No such file or directory");
  CHECK_THAT(world.refusal({}, world.path("")), EndsWith("it is a folder"));
}

TEST_CASE("settings: a file names other files from where it lies") {
  const World world;
  const std::string ca = world.write("deep/ca.pem", kCertificate);
  const auto settings = world.load({}, world.write("deep/config.toml", "upstream-ca = \"ca.pem\"\n"));
  REQUIRE(settings.has_value());
  CHECK(settings->upstream_ca == ca);
}

TEST_CASE("settings: what to_toml prints is read back as the same") {
  const World world;
  CHECK_THAT(to_toml(Settings()), Contains("\nport-attempts = 50\n") && Contains("# upstream-ca is not set"));
  const auto settings = world.load({{"listen", {"[::1]:1"}},
                                    {"admin", {"unix:/tmp/a \"b\"\\c\n.sock"}},
                                    {"threads", {"3"}},
                                    {"http2", {"false"}},
                                    {"via", {"true"}},
                                    {"upstream-ca", {world.write("ca.pem", kCertificate)}},
                                    {"resolve", {"*.a.test=[::1]:1", "b?.test=::1", "*=127.0.0.1", "c=127.0.0.1:2"}},
                                    {"domains", {"a.example", "b.example"}},
                                    {"log-level", {"error"}},
                                    {"log-format", {"json"}},
                                    {"drain-timeout", {"1500ms"}},
                                    {"idle-timeout", {"2d"}},
                                    {"tls-timeout", {"0"}},
                                    {"max-url", {"1500"}},
                                    {"max-body", {"2g"}},
                                    {"max-requests", {"7"}},
                                    {"ready-fd", {"7"}}});
  REQUIRE(settings.has_value());
  const std::string text = to_toml(*settings);
  INFO(text);
  const auto again = world.load({}, world.write("again.toml", text));
  REQUIRE(again.has_value());
  CHECK(to_toml(*again) == text);
  CHECK(again->drain_timeout == 1500ms);
  CHECK(again->max_body == 2ull * 1024 * 1024 * 1024);
  CHECK(again->max_requests == 7);
  CHECK(again->admin.text() == settings->admin.text());
  CHECK_THAT(text, Contains("resolve = [\"*.a.test=[::1]:1\", \"b?.test=::1\", \"*=127.0.0.1\", \"c=127.0.0.1:2\"]"));
  CHECK_THAT(text, Contains("idle-timeout = \"2d\"") && Contains("tls-timeout = \"0\"") && Contains("max-header = \"64k\""));
}

TEST_CASE("settings: which file is read") {
  World world;
  const auto asked = [&](const std::optional<std::string>& flag = std::nullopt) {
    return config_path(flag, world.environment()).value_or("(none)");
  };
  CHECK(asked() == "(none)");
  world.variables["HOME"] = world.path("home");
  CHECK(asked() == "(none)");
  const std::string at_home = world.write("home/.config/cmuxproxy/config.toml", "");
  CHECK(asked() == at_home);
  world.variables["XDG_CONFIG_HOME"] = "relative";
  CHECK(asked() == at_home);
  world.variables["XDG_CONFIG_HOME"] = world.path("xdg");
  CHECK(asked() == "(none)");
  const std::string in_xdg = world.write("xdg/cmuxproxy/config.toml", "");
  CHECK(asked() == in_xdg);
  world.variables["CMUXPROXY_CONFIG"] = "/missing.toml";
  CHECK(asked() == "/missing.toml");
  CHECK(asked("given.toml") == "given.toml");
}

TEST_CASE("settings: docs/configuration.md has a row for each, with its default") {
  std::ifstream file(source("docs/configuration.md"));
  REQUIRE(file.good());
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  const std::string defaults = to_toml(Settings());
  for (const SettingInfo& info : setting_table()) {
    std::string flag = (info.negated_flag ? "--no-" : "--") + info.name + (info.argument.empty() ? "" : " " + info.argument);
    for (std::size_t bar = flag.find('|'); bar != std::string::npos; bar = flag.find('|', bar + 2)) flag.insert(bar, "\\");
    std::string variable = "CMUXPROXY_";
    for (const char c : info.name) variable += c == '-' ? '_' : static_cast<char>(std::toupper(c));
    const std::string key = info.name + " = ";
    const std::size_t at = ("\n" + defaults).find("\n" + key);
    const std::string value = at == std::string::npos
                                  ? "not set"
                                  : "`" + defaults.substr(at + key.size(), defaults.find('\n', at) - at - key.size()) + "`";
    CHECK_THAT(page, Contains("| `" + flag + "` | `" + variable + "` | `" + info.name + "` | " + value + " |"));
  }
}
