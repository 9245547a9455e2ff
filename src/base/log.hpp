// Logging to stderr, as text for people or as JSON lines. Thread-safe, and nobody waits for stderr: it may be a pipe that is
// never read (base/line_writer.hpp). What is in the queue when the program ends gets kLastWait. Callers never pass credentials,
// header values or bodies; redact() is for the few places where a value must be told apart without being told.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/wheel.hpp"

namespace cmux::log {

enum class Level { trace, debug, info, warn, error, off };
enum class Format { text, json };

// Not thread-safe against logging: called before the workers start, and by a reload on the main thread for the level alone.
void configure(Level level, Format format);
void set_level(Level level);
bool enabled(Level level);
void write(Level level, std::string_view message);

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
