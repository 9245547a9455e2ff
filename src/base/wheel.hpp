// Deadlines: the timers of connections, coarse and nearly free. Every message pushes a few of them further, so that is a store;
// an Asio timer costs a heap operation and a cancelled wait each time (961 ns against 39 for an event,
// docs/decisions/0005-tasks.md).
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace cmux {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

class Wheel;

// A coarse timer (Wheel::kTick precision). Pushing it further is a store; it may be re-armed at every message. Not movable.
// Belongs to the loop that is current when it is used.
class Deadline {
 public:
  using Callback = void (*)(void*);
  Deadline(Callback callback, void* argument) : callback_(callback), argument_(argument) {}
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  ~Deadline() {
    if (link_) unlink();
  }

  // Calls back once after `delay`, counted from when the loop last woke up, on the loop's thread; replaces what was set before.
  // Zero or less: never.
  void after(milliseconds delay);
  void cancel() { tick_ = 0; }
  bool armed() const { return tick_ != 0; }

 private:
  friend class Wheel;
  void unlink();

  Callback callback_;
  void* argument_;
  std::uint64_t tick_ = 0;         // when to fire; 0: not armed
  std::uint64_t linked_tick_ = 0;  // the slot it is linked in; may be earlier than tick_
  Deadline* next_ = nullptr;
  Deadline** link_ = nullptr;  // what points at it; null: in no slot
  Wheel* wheel_ = nullptr;     // ... of this wheel, which may be another thread's that has ended
};

// One turn of the wheel is kSlots ticks. A slot's deadlines are looked at when its tick comes: those that were pushed further
// meanwhile are linked anew, cancelled ones are dropped.
class Wheel {
 public:
  static constexpr milliseconds kTick{10};

  explicit Wheel(Clock::time_point start) : start_(start) {}
  ~Wheel();
  Wheel(const Wheel&) = delete;
  void set(Deadline& deadline, Clock::time_point due);
  // Calls back what is due at `now`.
  void fire(Clock::time_point now);
  // How long nothing will be due, at the least; negative: nothing is armed.
  milliseconds left(Clock::time_point now) const;
  void invariants() const;

 private:
  friend class Deadline;
  static constexpr std::size_t kSlots = 1024;  // 10.24 s
  void link(Deadline& deadline);

  Clock::time_point start_;
  std::uint64_t tick_ = 1;  // the last tick that was fired
  std::array<Deadline*, kSlots> slots_{};
  std::size_t linked_ = 0;
  mutable std::uint64_t earliest_ = 0;  // no slot before it holds anything
};

}  // namespace cmux
