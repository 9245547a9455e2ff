// time_text.hpp, log.hpp and error.hpp: what people and programs get to read.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cerrno>

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/time_text.hpp"

using namespace cmux;

TEST_CASE("times are RFC 3339 in UTC with milliseconds") {
  using namespace std::chrono;
  const auto at = [](std::int64_t ms) { return rfc3339(system_clock::time_point(milliseconds(ms))); };
  CHECK(at(0) == "1970-01-01T00:00:00.000Z");
  CHECK(at(1) == "1970-01-01T00:00:00.001Z");
  CHECK(at(951'782'400'999) == "2000-02-29T00:00:00.999Z");
  CHECK(at(1'700'000'000'050) == "2023-11-14T22:13:20.050Z");
  CHECK(at(4'102'444'799'999) == "2099-12-31T23:59:59.999Z");
  CHECK(at(-1) == "1969-12-31T23:59:59.999Z");
  CHECK(rfc3339(system_clock::time_point(microseconds(1'999))) == "1970-01-01T00:00:00.001Z");
}

TEST_CASE("times of RFC 3339 are read back, and nothing else is") {
  using namespace std::chrono;
  for (const std::int64_t ms : {0LL, 1LL, 951'782'400'999LL, 4'102'444'799'999LL}) {
    const system_clock::time_point time{milliseconds(ms)};
    CHECK(from_rfc3339(rfc3339(time)) == time);
  }
  for (const char* const text : {"", "2000-01-01", "2000-01-01T00:00:00Z", "2000-01-01T00:00:00.1Z", "2000-01-01T00:00:00.123Zx"})
    CHECK_FALSE(from_rfc3339(text).has_value());
}

TEST_CASE("what is printed keeps its characters and their order, and gives a terminal no orders") {
  for (const char* const text :
       {"", "plain \"text\" \\", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d",
        "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb", "\xc2\xa0", "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf"})
    CHECK(log::printable(text) == text);
  // RLO, LRI, RLM, ALM, BOM, zero width space, line separator, a tag, CSI, NUL; too long, a surrogate, too large, cut.
  for (const char* const text :
       {"\xe2\x80\xae", "\xe2\x81\xa6", "\xe2\x80\x8f", "\xd8\x9c", "\xef\xbb\xbf", "\xe2\x80\x8b", "\xe2\x80\xa8",
        "\xf3\xa0\x81\x81", "\xc2\x9b", "\x01", "\xe0\x82\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x80"}) {
    const std::string shown = log::printable(text);
    INFO(shown);
    CHECK(shown.starts_with("\\u00"));
    CHECK(std::all_of(shown.begin(), shown.end(), [](char c) { return c > 0x20 && c < 0x7f; }));
  }
}

TEST_CASE("the last lines of the log are kept, up to a bound, and who waits for them is told once") {
  const auto before = log::kept();
  const std::uint64_t last = before.empty() ? 0 : before.back().number;
  unsigned told = 0;
  log::on_line([&] { ++told; });
  log::info("one \x1b[2J");
  log::warn("two");
  CHECK(told == 1);
  auto lines = log::kept(last);
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].number == last + 1);
  CHECK(lines[0].level == log::Level::info);
  CHECK(lines[0].message == "one \\u001b[2J");
  CHECK(lines[1].level == log::Level::warn);
  log::info("three");
  CHECK(told == 2);
  log::on_line(nullptr);
  const int stderr_before = dup(STDERR_FILENO), nothing = open("/dev/null", O_WRONLY);
  dup2(nothing, STDERR_FILENO);
  for (int i = 0; i < 300; ++i) log::write(log::Level::debug, std::string(1024, 'x'));
  log::flush();
  dup2(stderr_before, STDERR_FILENO);
  close(stderr_before);
  close(nothing);
  lines = log::kept(last);
  CHECK(lines.size() < 256);
  CHECK(lines.size() > 200);
  CHECK(lines.back().number == last + 303);
  CHECK(told == 2);
}

TEST_CASE("secrets are redacted to what tells them apart") {
  CHECK(log::redact("0123456789abcdef") == "0123…");
  CHECK(log::redact("12345678") == "1234…");
  CHECK(log::redact("1234567") == "…");
  CHECK(log::redact("") == "…");
}

TEST_CASE("levels decide what is logged") {
  log::set_level(log::Level::warn);
  CHECK_FALSE(log::enabled(log::Level::info));
  CHECK(log::enabled(log::Level::warn));
  CHECK(log::enabled(log::Level::error));
  log::set_level(log::Level::off);
  CHECK_FALSE(log::enabled(log::Level::error));
  log::set_level(log::Level::info);
}

TEST_CASE("a peer's bytes stay on one line of the log") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const int kept = dup(STDERR_FILENO);
  dup2(ends[1], STDERR_FILENO);
  log::info("bad name '{}'", "a\r\nb\x1b[0m\x7f \xc2\x9b\xff\xed\xa0\x80\xe2\x82 \xe2\x82\xac\xf0\x9f\x98\x80\xc3\xa9");
  log::debug("not this");
  std::string text(4096, '\0');
  const ssize_t count = read(ends[0], text.data(), text.size());  // once the log's own thread has written it
  dup2(kept, STDERR_FILENO);
  close(kept);
  close(ends[1]);
  close(ends[0]);
  REQUIRE(count > 0);
  text.resize(static_cast<std::size_t>(count));
  // And nothing but UTF-8, whose characters beyond ASCII control nothing.
  CHECK(
      text.ends_with("bad name 'a\\u000d\\u000ab\\u001b[0m\\u007f \\u00c2\\u009b\\u00ff\\u00ed\\u00a0\\u0080\\u00e2\\u0082 "
                     "\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xa9'\n"));
  CHECK(text.find('\n') == text.size() - 1);
}

TEST_CASE("system errors become what the proxy answers with") {
  struct Row {
    int number;
    Errc code;
  };
  for (const Row& row :
       {Row{ECONNREFUSED, Errc::refused}, Row{ECONNRESET, Errc::reset}, Row{EPIPE, Errc::reset}, Row{ECONNABORTED, Errc::reset},
        Row{ENETUNREACH, Errc::unreachable}, Row{EHOSTUNREACH, Errc::unreachable}, Row{ETIMEDOUT, Errc::connect_timeout},
        Row{EMFILE, Errc::system}}) {
    CAPTURE(row.number);
    const Error error = from_errno(row.number, "connect to a");
    CHECK(error.code == row.code);
    CHECK(error.detail.starts_with("connect to a: "));
    CHECK(error.side == Side::local);
    CHECK_FALSE(error.retryable);
  }
}

TEST_CASE("every error has a name of its own, and a result without a value throws it") {
  std::vector<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(Errc::system); ++code) {
    const std::string_view name = name_of(static_cast<Errc>(code));
    CHECK(name != "unknown");
    CHECK(std::count(names.begin(), names.end(), name) == 0);
    names.push_back(name);
  }
  const Result<int> failed = make_error(Errc::config, "no such key");
  CHECK_THROWS_WITH(failed.value(), "config: no such key");
}
