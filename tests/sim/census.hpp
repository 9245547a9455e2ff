// Census: what can go wrong on purpose in a run, and what the program is to reach by it. Each row is counted over all runs; one
// that stays at nought fails them, as then nothing has been tested there.
#pragma once

#include <array>
#include <string_view>

#include "report.hpp"

namespace sim {

enum class Mark : std::uint8_t {
#define CMUX_MARK(name, text, what) name,
#include "census.inc"
#undef CMUX_MARK
  count_
};

struct MarkInfo {
  std::string_view name, what;
};
constexpr std::array kMarks{
#define CMUX_MARK(name, text, what) MarkInfo{text, what},
#include "census.inc"
#undef CMUX_MARK
};
static_assert(kMarks.size() <= kMostMarks);

constexpr std::string_view name_of(Mark mark) { return kMarks[static_cast<std::size_t>(mark)].name; }
inline void hit(Mark mark) { ++report().marks[static_cast<std::size_t>(mark)]; }
// By its name; false: there is none.
bool hit_named(std::string_view group, std::string_view name);

}  // namespace sim
