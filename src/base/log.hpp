// Logging to stderr, as text for people or as JSON lines. Thread-safe. Callers never pass credentials, header values or bodies;
// redact() is for the few places where a value must be told apart without being told.
#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>

namespace cmux::log {

enum class Level { trace, debug, info, warn, error, off };
enum class Format { text, json };

// Not thread-safe against logging: called before the workers start, and by a reload on the main thread for the level alone.
void configure(Level level, Format format);
void set_level(Level level);
bool enabled(Level level);
void write(Level level, std::string_view message);

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
