// Loop: what a worker thread runs. It waits for sockets, timers and posts, and resumes the coroutines that wait for them.
// Everything but post() and stop() belongs to the loop's own thread; nothing here is shared, so the data path takes no lock.
#pragma once

#include <array>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/event.hpp"

namespace cmux {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

class Poller;

// A descriptor's readiness, edge-triggered: a flag is set when the system says so, and cleared by whoever finds that there is
// nothing left to read or no room to write. The descriptor's owner keeps it in place while it is watched.
struct Pollable {
  int fd = -1;
  Event readable, writable;
  bool hung_up = false;  // the peer has sent its FIN or a reset; latched
  // Called once when hung_up turns true; must not destroy the Pollable.
  void (*on_hang_up)(void*) = nullptr;
  void* hang_up_argument = nullptr;
  std::size_t slot = 0;  // the poller's own
};

// A coarse timer (kTick precision). Pushing it further is a store; it may be re-armed at every message. Not movable.
class Deadline {
 public:
  using Callback = void (*)(void*);
  Deadline(Callback callback, void* argument) : callback_(callback), argument_(argument) {}
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  ~Deadline() { unlink(); }

  // Calls back once after `delay`, counted from when the loop last woke up, on the loop's thread; replaces what was set before.
  // Zero or less: never.
  void after(milliseconds delay);
  void cancel() { tick_ = 0; }
  bool armed() const { return tick_ != 0; }

 private:
  friend class Loop;
  void unlink();

  Callback callback_;
  void* argument_;
  std::uint64_t tick_ = 0;         // when to fire; 0: not armed
  std::uint64_t linked_tick_ = 0;  // the slot it is linked in; may be earlier than tick_
  Deadline* next_ = nullptr;
  Deadline** link_ = nullptr;  // what points at it; null: in no slot
};

class Loop {
 public:
  static constexpr milliseconds kTick{10};

  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // The loop of this thread: the one that runs, or else the first that was made on it. Transports and timers belong to the loop
  // that is current when they are made.
  static Loop& current();

  // Runs until stop(). May be called again.
  void run();
  // Runs until the task is done; for tools and tests.
  void run(Task<void> task);

  // Thread-safe.
  void stop();
  void post(std::function<void()> work);

  void resume_soon(std::coroutine_handle<> handle) { ready_.push_back(handle); }
  void resume_last(std::coroutine_handle<> handle) { last_.push_back(handle); }

  // Starts and ends watching; throws std::system_error when the system has no room for it.
  void watch(Pollable& pollable);
  void unwatch(Pollable& pollable) noexcept;

  // The time at which the loop last woke up: good enough for timeouts, free to ask.
  Clock::time_point now() const { return now_; }

 private:
  friend class Deadline;
  static constexpr std::size_t kSlots = 1024;  // one turn of the wheel: 10.24 s

  void link(Deadline& deadline);
  void fire_due();
  int wait_limit() const;
  void run_ready();
  void run_posted();
  void update_now();

  std::unique_ptr<Poller> poller_;
  std::vector<std::coroutine_handle<>> ready_, running_, last_;
  Clock::time_point start_, now_;
  std::uint64_t tick_ = 1;  // the last tick that was fired
  std::array<Deadline*, kSlots> wheel_{};
  std::size_t armed_ = 0;
  bool stop_ = false;

  std::mutex posted_mutex_;
  std::vector<std::function<void()>> posted_;
  Pollable wake_read_;
  int wake_write_ = -1;
};

// Waits for `delay`; for the few places that really wait for time.
Task<void> sleep_for(milliseconds delay);

}  // namespace cmux
