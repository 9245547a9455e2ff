#include "app/settings_world.hpp"

#include <catch2/catch.hpp>

using namespace cmux;
using namespace cmux::app;
using namespace std::chrono_literals;
using Catch::Contains;
using Catch::StartsWith;

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
  REQUIRE(setting_table().size() == 51);
  for (const SettingInfo& info : setting_table()) {
    CAPTURE(info.name);
    CHECK_FALSE(info.help.empty());
    CHECK(info.help.find('\n') == std::string::npos);
    CHECK(info.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos);
    const bool negated = info.name == "http2" || info.name == "intercept" || info.name.starts_with("rewrite-");
    CHECK(info.negated_flag == negated);
    CHECK(info.repeatable ==
          (info.name == "resolve" || info.name == "domains" || info.name == "upstream-h2c" || info.name == "never-route"));
    const bool is_switch = negated || info.name == "allow-remote" || info.name == "insecure-upstream" || info.name == "via" ||
                           info.name == "access-log" || info.name == "watch-config" || info.name == "dumpable";
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

TEST_CASE("settings: all that is wrong is told at once, a line each, in the order of the sources") {
  World world;
  world.variables = {{"CMUXPROXY_THREDS", "2"}, {"CMUXPROXY_VIA", "perhaps"}};
  const auto config = world.write("config.toml", "drain-timeuot = \"5s\"\nthreads = true\nmax-url = \"1\"\n");
  const std::string said = world.refusal({{"admin", {"192.0.2.1:1"}}}, config);
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < said.size();) {
    const std::size_t end = std::min(said.find('\n', at), said.size());
    lines.push_back(said.substr(at, end - at));
    at = end + 1;
  }
  REQUIRE(lines.size() == 6);
  CHECK_THAT(lines[0], StartsWith(config + ":1: drain-timeuot"));
  CHECK_THAT(lines[1], StartsWith(config + ":2: threads"));
  CHECK_THAT(lines[2], StartsWith(config + ":3: max-url"));
  CHECK_THAT(lines[3], StartsWith("CMUXPROXY_THREDS: unknown variable (did you mean CMUXPROXY_THREADS?)"));
  CHECK_THAT(lines[4], StartsWith("CMUXPROXY_VIA: expected true or false"));
  CHECK_THAT(lines[5], StartsWith("--admin: 192.0.2.1:1 is not a loopback address"));
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
      {"upstream-ca", world.write("garbage.pem", "garbage"), "a file of certificates (PEM)"},
      {"upstream-ca", world.write("empty.pem", ""), "a file of certificates (PEM)"},
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
      {"owner-pid", "0", "a number from 1"},
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
  const std::string ca = world.write("ca.pem", kCertificate);
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
