// LineWriter: lines for a descriptor that perhaps nobody reads, such as the log's on stderr. Who has a line leaves it in a
// bounded queue and never waits; a thread of the writer's own waits for the descriptor. What finds no room is dropped and
// counted, and the gap is told where it was, once there is room again (docs/decisions/0006-log-writer.md). The descriptor's flags
// are left as they are: they belong to all who share its open file. Where somebody has made it non-blocking it is waited for. Any
// thread may call.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/wheel.hpp"

namespace cmux {

class LineWriter {
 public:
  static constexpr std::size_t kMost = 256 * 1024;     // bytes that wait; what is more is dropped
  static constexpr std::size_t kReserved = 64 * 1024;  // ... of lines that are more important than others, beyond that
  static constexpr milliseconds kGather{10};           // after a write, for what comes next to leave in one write

  enum class Rank : std::uint8_t { usual, important };

  // `gap` makes the line that tells of so many dropped ones; called on the writer's thread. `owned`: the descriptor is closed
  // when all is written.
  using Gap = std::function<std::string(std::uint64_t dropped)>;
  explicit LineWriter(int descriptor, Gap gap = {}, bool owned = false);
  // Never waits: the thread writes what is left for as long as the process lives.
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;

  // With its line end.
  void add(std::string_view line, Rank rank = Rank::usual);
  // Waits until what was added before is written, but not longer than `limit`. False: it is not.
  bool flush(milliseconds limit);
  // Lines, since the beginning.
  std::uint64_t dropped() const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // the thread's too
};

}  // namespace cmux
