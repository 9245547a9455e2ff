// Report: what a run tells the process that started it, in memory that both share, so that it is there whatever ends the run. A
// run's trace is hashed as it is made; its text is written only where somebody reads it.
#pragma once

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <string_view>

namespace sim {

// Everything that goes wrong on purpose, or that the program is to reach. A census row each: census.cpp says what they are.
enum class Mark : std::uint8_t;
constexpr std::size_t kMostMarks = 192;

struct Report {
  std::uint64_t hash, events;
  std::array<std::uint32_t, kMostMarks> marks;
  bool failed, faulty;
  char oracle[64], text[1536];
};

// The process's own; its parent sees it too once share_report() was called.
Report& report();
void share_report(Report* shared);

// One line of the trace: what happened, and to which descriptor or request.
extern bool tracing;
void trace_hash(std::string_view what, std::int64_t a, std::int64_t b, std::int64_t c);
void trace_line(std::string_view what, std::string_view line);

template <class... Args>
void trace(std::string_view what, std::int64_t a, std::int64_t b, std::int64_t c, fmt::format_string<Args...> format,
           Args&&... args) {
  trace_hash(what, a, b, c);
  if (!tracing) return;
  // No memory is asked for: who looks must not change what is seen.
  static char line[1024];
  trace_line(what, {line, fmt::format_to_n(line, sizeof line, format, std::forward<Args>(args)...).out});
}
inline void trace(std::string_view what, std::int64_t a = 0, std::int64_t b = 0, std::int64_t c = 0) {
  trace(what, a, b, c, "{} {} {}", a, b, c);
}
// ... of free text; all of it counts for the hash.
void note(std::string_view what, std::string_view text);

// Ends the run: an oracle does not hold.
[[noreturn]] void fail(std::string_view oracle, std::string_view text);
template <class... Args>
[[noreturn]] void fail_with(std::string_view oracle, fmt::format_string<Args...> format, Args&&... args) {
  fail(oracle, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace sim
