#include "app/settings.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace cmux;
using namespace cmux::app;
using namespace std::chrono_literals;
using Catch::Contains;
using Catch::EndsWith;
using Catch::StartsWith;

namespace {

// A folder of its own for files, and variables of its own in place of the environment.
class World {
 public:
  World() {
    std::string name = (std::filesystem::temp_directory_path() / "cmux-settings-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    folder_ = name;
  }
  ~World() { std::filesystem::remove_all(folder_); }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
    return path(name);
  }
  Environment environment() const {
    return [this](const char* name) -> const char* {
      const auto found = variables.find(name);
      return found == variables.end() ? nullptr : found->second.c_str();
    };
  }
  Result<Settings> load(const FlagValues& flags = {}, const std::optional<std::string>& config = std::nullopt) const {
    std::vector<std::string> names;
    for (const auto& [name, value] : variables) names.push_back(name);
    return load_settings(flags, environment(), names, config);
  }
  // The error, or what says that there was none.
  std::string refusal(const FlagValues& flags = {}, const std::optional<std::string>& config = std::nullopt) const {
    const auto loaded = load(flags, config);
    if (loaded) return "(accepted)";
    CHECK(loaded.error().code == Errc::config);
    return loaded.error().detail;
  }
  std::string file_refusal(const std::string& text) const { return refusal({}, write("config.toml", text)); }

  std::map<std::string, std::string> variables;

 private:
  std::filesystem::path folder_;
};

}  // namespace

TEST_CASE("settings: the defaults") {
  const World world;
  const auto settings = world.load();
  REQUIRE(settings.has_value());
  CHECK(settings->listen.text() == "127.0.0.1:39385");
  CHECK(settings->admin.text() == "127.0.0.1:0");
  CHECK(settings->port_attempts == 50);
  CHECK(settings->threads == 1);
  CHECK(settings->http2);
  CHECK(settings->intercept);
  CHECK(settings->drain_timeout == 5s);
  CHECK(settings->max_header == 65536);
}

TEST_CASE("settings: each has a flag's name, an argument unless it is a switch, and a help line") {
  REQUIRE(setting_table().size() == 27);
  for (const SettingInfo& info : setting_table()) {
    CAPTURE(info.name);
    CHECK_FALSE(info.help.empty());
    CHECK(info.help.find('\n') == std::string::npos);
    CHECK(info.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos);
    const bool negated = info.name == "http2" || info.name == "intercept";
    CHECK(info.negated_flag == negated);
    CHECK(info.repeatable == (info.name == "resolve" || info.name == "domains"));
    const bool is_switch = negated || info.name == "allow-remote" || info.name == "insecure-upstream" || info.name == "via" ||
                           info.name == "access-log";
    CHECK(info.argument.empty() == is_switch);
  }
}

TEST_CASE("settings: flags go before variables, variables before the file, the file before the defaults") {
  World world;
  const auto config =
      world.write("config.toml", "port-attempts = 2\nlog-level = \"debug\"\ndrain-timeout = \"1m\"\nvia = true\n");
  auto settings = world.load({}, config);
  REQUIRE(settings.has_value());
  CHECK(settings->port_attempts == 2);
  CHECK(settings->log_level == log::Level::debug);
  CHECK(settings->drain_timeout == 1min);
  CHECK(settings->via);
  CHECK(settings->instance == "default");

  world.variables = {{"CMUXPROXY_PORT_ATTEMPTS", "3"}, {"CMUXPROXY_LOG_LEVEL", "warn"}, {"CMUXPROXY_VIA", "no"}};
  settings = world.load({{"port-attempts", {"4"}}}, config);
  REQUIRE(settings.has_value());
  CHECK(settings->port_attempts == 4);
  CHECK(settings->log_level == log::Level::warn);
  CHECK(settings->drain_timeout == 1min);
  CHECK_FALSE(settings->via);
}

TEST_CASE("settings: a bad value is refused even where a stronger source overrides it") {
  World world;
  world.variables["CMUXPROXY_THREADS"] = "many";
  CHECK(world.refusal({{"threads", {"2"}}}) == "CMUXPROXY_THREADS: expected a number from 1 to 64, or auto, not 'many'");
}

TEST_CASE("settings: repeatable ones replace the weaker source's list and keep their order") {
  World world;
  const auto config = world.write(
      "config.toml", "resolve = [\n  \"a.test=127.0.0.1\",\n  \"*.test=[::1]:9\",\n]\ndomains = [\"Mine.Example\"]\n");
  auto settings = world.load({}, config);
  REQUIRE(settings.has_value());
  REQUIRE(settings->resolve.size() == 2);
  CHECK(settings->resolve[0].pattern == "a.test");
  CHECK(settings->resolve[0].port == 0);
  CHECK(settings->resolve[1].ip == "::1");
  CHECK(settings->resolve[1].port == 9);
  CHECK(settings->domains == std::vector<std::string>{"mine.example"});

  world.variables["CMUXPROXY_RESOLVE"] = "b.test=127.0.0.2, c.test=127.0.0.3:1";
  settings = world.load({}, config);
  REQUIRE(settings.has_value());
  REQUIRE(settings->resolve.size() == 2);
  CHECK(settings->resolve[1].pattern == "c.test");

  settings = world.load({{"resolve", {"d.test=127.0.0.4"}}}, config);
  REQUIRE(settings.has_value());
  REQUIRE(settings->resolve.size() == 1);
  CHECK(settings->resolve[0].ip == "127.0.0.4");
}

TEST_CASE("settings: switches from flags, negated ones too; the last of several values counts") {
  const World world;
  const auto settings = world.load({{"http2", {"false"}}, {"access-log", {"true"}}, {"instance", {"a", "b.c_d-1"}}});
  REQUIRE(settings.has_value());
  CHECK_FALSE(settings->http2);
  CHECK(settings->intercept);
  CHECK(settings->access_log);
  CHECK(settings->instance == "b.c_d-1");
}

TEST_CASE("settings: an empty variable is as good as none") {
  World world;
  world.variables = {{"CMUXPROXY_LISTEN", ""}, {"CMUXPROXY_HTTP2", ""}};
  const auto settings = world.load();
  REQUIRE(settings.has_value());
  CHECK(settings->listen.port() == 39385);
  CHECK(settings->http2);
}

TEST_CASE("settings: bad values name where they stand and what is allowed") {
  World world;
  std::ofstream(world.path("ca.pem")) << "x";
  struct Refused {
    std::string name, value, says;
  };
  const Refused table[] = {
      {"listen", "39385", "expected IP:PORT"},
      {"listen", ":39385", "expected IP:PORT"},
      {"listen", "127.0.0.1", "expected IP:PORT"},
      {"listen", "127.0.0.1:", "expected IP:PORT"},
      {"listen", "127.0.0.1:65536", "expected IP:PORT"},
      {"listen", "127.0.0.1:-1", "expected IP:PORT"},
      {"listen", "127.0.0.1:1x", "expected IP:PORT"},
      {"listen", "[127.0.0.1]:1", "expected IP:PORT"},
      {"listen", "::1:1", "expected IP:PORT"},
      {"listen", "example.com:1", "expected IP:PORT"},
      {"listen", "unix:/tmp/x", "expected IP:PORT"},
      {"listen", "0.0.0.0:1", "--allow-remote"},
      {"listen", "[::]:1", "--allow-remote"},
      {"listen", "192.0.2.1:1", "--allow-remote"},
      {"admin", "0.0.0.0:1", "not a loopback address"},
      {"admin", "unix:", "unix:"},
      {"admin", "unix:" + std::string(200, 'x'), "longer than"},
      {"admin", "somewhere", "or unix:PATH"},
      {"port-attempts", "0", "a number from 1 to 65535"},
      {"threads", "0", "1 to 64, or auto"},
      {"threads", "65", "1 to 64, or auto"},
      {"threads", "-1", "1 to 64, or auto"},
      {"instance", "", "letters"},
      {"instance", "a/b", "letters"},
      {"instance", std::string(65, 'a'), "64"},
      {"upstream-ca", world.path("missing.pem"), "a file that can be read"},
      {"upstream-ca", world.path(""), "a file that can be read"},
      {"resolve", "a.test", "PATTERN=ADDR[:PORT]"},
      {"resolve", "a.test=elsewhere.test", "PATTERN=ADDR[:PORT]"},
      {"domains", "-a.example", "a DNS name"},
      {"domains", "a..example", "a DNS name"},
      {"domains", "localhost", "a DNS name"},
      {"domains", "127.0.0.1", "a DNS name"},
      {"via", "perhaps", "true or false"},
      {"log-level", "loud", "one of trace, debug, info, warn, error, off"},
      {"log-format", "xml", "one of text, json"},
      {"drain-timeout", "5", "a time such as 5s"},
      {"idle-timeout", "-5s", "a time such as 5s"},
      {"max-header", "64kb", "a size in bytes"},
      {"max-header", "1", "from 1k to 1m"},
      {"max-url", "2m", "from 1k to 1m"},
      {"max-body", "99999999999999g", "a size in bytes"},
      {"max-requests", "0", "a number from 1"},
      {"ready-fd", "stdout", "a number from 0"},
  };
  for (const Refused& row : table) {
    CAPTURE(row.name, row.value);
    const bool negated = row.name == "http2" || row.name == "intercept";
    const std::string refusal = world.refusal({{row.name, {row.value}}});
    CHECK_THAT(refusal, StartsWith("--" + std::string(negated ? "no-" : "") + row.name + ": "));
    CHECK_THAT(Catch::toLower(refusal), Contains(Catch::toLower(row.says)));
  }
  CHECK_THAT(world.refusal({{"speed", {"1"}}}), StartsWith("--speed: unknown flag"));
  CHECK_THAT(world.refusal({{"http2", {"maybe"}}}), StartsWith("--no-http2: "));
}

TEST_CASE("settings: good values") {
  World world;
  const std::string ca = world.write("ca.pem", "x");
  const auto settings = world.load({{"listen", {"[::1]:0"}},
                                    {"admin", {"unix:/tmp/x.sock"}},
                                    {"threads", {"64"}},
                                    {"upstream-ca", {ca}},
                                    {"log-level", {"OFF"}},
                                    {"log-format", {"json"}},
                                    {"max-header", {"1M"}},
                                    {"max-url", {"2048"}},
                                    {"connect-timeout", {"0"}},
                                    {"ready-fd", {"3"}}});
  REQUIRE(settings.has_value());
  CHECK(settings->listen.text() == "[::1]:0");
  CHECK(settings->admin.text() == "unix:/tmp/x.sock");
  CHECK(settings->threads == 64);
  CHECK(settings->upstream_ca == ca);
  CHECK(settings->log_level == log::Level::off);
  CHECK(settings->log_format == log::Format::json);
  CHECK(settings->max_header == 1024 * 1024);
  CHECK(settings->max_url == 2048);
  CHECK(settings->connect_timeout == 0ms);
  CHECK(settings->ready_fd == 3);

  CHECK(world.load({{"listen", {"localhost:80"}}})->listen.text() == "127.0.0.1:80");
  CHECK(world.load({{"listen", {"127.9.9.9:80"}}}).has_value());
  CHECK(world.load({{"listen", {"0.0.0.0:80"}}, {"allow-remote", {"true"}}})->listen.is_any());
  const auto threads = world.load({{"threads", {"auto"}}});
  REQUIRE(threads.has_value());
  CHECK(threads->threads >= 1);
  CHECK(threads->threads <= 64);
}

TEST_CASE("settings: the admin address stays loopback whatever is allowed") {
  const World world;
  CHECK_THAT(world.refusal({{"admin", {"0.0.0.0:1"}}, {"allow-remote", {"true"}}}), StartsWith("--admin: "));
}

TEST_CASE("settings: checks over two settings name the one that is wrong, by its source") {
  World world;
  CHECK_THAT(world.file_refusal("via = true\n\nlisten = \"0.0.0.0:1\"\n"),
             StartsWith(world.path("config.toml") + ":3: listen: "));
  world.variables["CMUXPROXY_LISTEN"] = "0.0.0.0:1";
  CHECK_THAT(world.refusal(), StartsWith("CMUXPROXY_LISTEN: "));
  world.variables["CMUXPROXY_ALLOW_REMOTE"] = "1";
  CHECK(world.load().has_value());
}

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
  CHECK_THAT(world.file_refusal("z = 1\n"), EndsWith("max-requests"));
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
  const std::string ca = world.write("deep/ca.pem", "x");
  const auto settings = world.load({}, world.write("deep/config.toml", "upstream-ca = \"ca.pem\"\n"));
  REQUIRE(settings.has_value());
  CHECK(settings->upstream_ca == ca);
}

TEST_CASE("settings: unknown variables are refused, those for other purposes are not") {
  World world;
  world.variables = {{"CMUXPROXY_CONFIG", "x"}, {"CMUXPROXY_RUNTIME_DIR", "x"}, {"CMUXPROXY_STATE_DIR", "x"},
                     {"CMUXPROXY_BIN", "x"},    {"CMUXPROXY_CONTEXT", "x"},     {"CMUXPROXY_INSTANCE", "mine"},
                     {"PATH", "/bin"},          {"OTHER_CMUXPROXY_X", "x"}};
  const auto settings = world.load();
  REQUIRE(settings.has_value());
  CHECK(settings->instance == "mine");
  world.variables["CMUXPROXY_LOGLEVEL"] = "debug";
  CHECK_THAT(world.refusal(),
             StartsWith("CMUXPROXY_LOGLEVEL: unknown variable (did you mean CMUXPROXY_LOG_LEVEL?); allowed are "));
}

TEST_CASE("settings: what to_toml prints is read back as the same") {
  const World world;
  CHECK_THAT(to_toml(Settings()), Contains("\nport-attempts = 50\n") && Contains("# upstream-ca is not set"));
  const auto settings = world.load({{"listen", {"[::1]:1"}},
                                    {"admin", {"unix:/tmp/a \"b\"\\c\n.sock"}},
                                    {"threads", {"3"}},
                                    {"http2", {"false"}},
                                    {"via", {"true"}},
                                    {"upstream-ca", {world.write("ca.pem", "x")}},
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

TEST_CASE("durations") {
  const std::pair<const char*, milliseconds> good[] = {{"0", 0ms},   {"0s", 0ms}, {"300ms", 300ms}, {"5s", 5s},
                                                       {"1m", 1min}, {"1h", 1h},  {"2d", 48h},      {"365d", 365 * 24h}};
  for (const auto& [text, time] : good) {
    CAPTURE(text);
    const auto parsed = parse_duration(text);
    REQUIRE(parsed.has_value());
    CHECK(*parsed == time);
  }
  for (const char* text : {"", "5", "s", "-1s", "+1s", " 5s", "5 s", "5s ", "1.5s", "5S", "5sec", "1h30m", "366d",
                           "99999999999999999999d", "0x5s"}) {
    CAPTURE(text);
    const auto parsed = parse_duration(text);
    REQUIRE_FALSE(parsed.has_value());
    CHECK_THAT(parsed.error().detail, Contains("a time such as 5s") && Contains("not '" + std::string(text) + "'"));
  }
}

TEST_CASE("settings: docs/configuration.md has a row for each, with its default") {
  const auto path = std::filesystem::path(__FILE__).parent_path() / "../../../docs/configuration.md";
  std::ifstream file(path);
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
