// Logging to stderr, as text for people or as JSON lines. Thread-safe, and nobody waits for stderr: it may be a pipe that is
// never read (base/line_writer.hpp). What is in the queue when the program ends gets kLastWait. Callers never pass credentials,
// header values or bodies; redact() is for the few places where a value must be told apart without being told. The last lines are
// kept in memory besides, for who asks the instance what it has logged.
#pragma once

#include <fmt/core.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/wheel.hpp"

namespace cmux::log {

enum class Level { trace, debug, info, warn, error, off };
enum class Format { text, json };

void configure(Level level, Format format);
void set_level(Level level);
bool enabled(Level level);
std::string_view name_of(Level level);
// Whatever the level is. `members`: more members of the line's object where lines are JSON, as `"key":value`; none in text.
void write(Level level, std::string_view message, std::string_view members = {});
// Do lines have members?
bool is_json();

// As write() shows it: one line of UTF-8 that a terminal takes no orders from.
std::string printable(std::string_view text);

// A line that was written, since the beginning; counted from 1.
struct Line {
  std::uint64_t number;
  std::chrono::system_clock::time_point at;
  Level level;
  std::string message;  // printable
};
inline constexpr std::size_t kMostKept = 256 * 1024;  // bytes of lines
// Those that are still kept of the ones behind `after`.
std::vector<Line> kept(std::uint64_t after = 0);
// `told` is called, on any thread and not to log itself, when there are lines that kept() has not shown yet: once until the next
// kept(). Null ends it.
void on_line(std::function<void()> told);

// For what was logged to reach a stderr that is read, where it is: at the end of the program.
inline constexpr milliseconds kLastWait{200};
// For those who leave by _exit(2); exit(3) and the end of main() do it themselves.
void flush();
// Lines that stderr did not take, since the beginning.
std::uint64_t dropped();

// "abcd…" for a secret: enough to recognise, not enough to use.
std::string redact(std::string_view secret);

template <class... Args>
void at(Level level, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(level)) write(level, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  at(Level::debug, format, std::forward<Args>(args)...);
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  at(Level::info, format, std::forward<Args>(args)...);
}
template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  at(Level::warn, format, std::forward<Args>(args)...);
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  at(Level::error, format, std::forward<Args>(args)...);
}

}  // namespace cmux::log
