// Loop: what a thread runs. An Asio io_context does all waiting: for sockets (base/readiness), signals, look-ups, posts of other
// threads and whatever else Asio can wait for (base/await.hpp). What is the project's own is the order of a turn: coroutines that
// became ready run one after the other until none is left, then those that wait for the turn's end, then the system is asked for
// news. So what many produce in one turn leaves in one system call.
// Everything but post() and stop() belongs to the loop's own thread; nothing here is shared, so the data path takes no lock.
#pragma once

#include <atomic>
#include <coroutine>
#include <functional>
#include <memory>
#include <vector>

#include "base/event.hpp"
#include "base/readiness.hpp"
#include "base/wheel.hpp"

namespace cmux {

class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // The loop of this thread: the one that runs, or else the first that was made on it. Transports, timers and Asio's objects
  // belong to the loop that is current when they are made.
  static Loop& current();

  // Runs until stop(). May be called again.
  void run();
  // Runs until the task is done; for tools and tests.
  void run(Task<void> task);

  // Thread-safe. The loop must outlive the call, even where what is posted ends it.
  void stop();
  void post(std::function<void()> work);

  void resume_soon(std::coroutine_handle<> handle) { ready_.push_back(handle); }
  void resume_last(std::coroutine_handle<> handle) { last_.push_back(handle); }

  // For Asio's objects. Whoever starts an operation of theirs without `awaited` says so as long as it is open.
  boost::asio::io_context& context() { return *context_; }
  void asio_began() { ++asio_waits_; }
  void asio_ended() { --asio_waits_; }
  Readiness& readiness() { return readiness_; }
  Wheel& wheel() { return wheel_; }

  // The time at which the loop last woke up: good enough for timeouts, free to ask.
  Clock::time_point now() const { return now_; }

 private:
  void run_ready();
  void wait();
  bool wait_alone(bool more);
  bool take_without_asio();

  std::unique_ptr<boost::asio::io_context> context_;
  Readiness readiness_;
  std::vector<std::coroutine_handle<>> ready_, running_, last_;
  Clock::time_point now_;
  Wheel wheel_;
  bool busy_ = false;        // the last look at the sockets found more than one
  unsigned skipped_ = 0;     // turns since Asio was asked
  unsigned asio_waits_ = 0;  // open operations
  std::atomic<unsigned> posts_{0};
  std::atomic<bool> alone_{false};
  bool stop_ = false;
};

// Waits for `delay`; for the few places that really wait for time.
Task<void> sleep_for(milliseconds delay);

}  // namespace cmux
