// Event: a latched flag that one coroutine waits for. Scope: spawn children and join them.
// Both belong to one loop's thread. Setting an event never runs the waiter on the setter's stack: it is queued.
#pragma once

#include <coroutine>
#include <utility>

#include "base/task.hpp"

namespace cmux {

// Queues a coroutine on the running thread's loop (base/loop.hpp).
void resume_soon(std::coroutine_handle<> handle);
// ... behind everything else that is or becomes ready.
void resume_last(std::coroutine_handle<> handle);

class Event {
 public:
  Event() = default;
  explicit Event(bool set) : set_(set) {}
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void set() {
    set_ = true;
    if (waiter_) resume_soon(std::exchange(waiter_, nullptr));
  }
  // Forgets that it was set. A waiter that is already queued still runs: it must look again at what it waits for.
  void clear() { set_ = false; }
  bool is_set() const { return set_; }

  struct Awaiter {
    Event* event;
    bool await_ready() const noexcept { return event->set_; }
    void await_suspend(std::coroutine_handle<> waiter) const noexcept { event->waiter_ = waiter; }
    void await_resume() const noexcept {}
  };
  Awaiter operator co_await() noexcept { return {this}; }

 private:
  bool set_ = false;
  std::coroutine_handle<> waiter_;
};

// co_await Yield{}: lets the others run first.
struct Yield {
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> self) const { resume_soon(self); }
  void await_resume() const noexcept {}
};

// co_await EndOfTurn{}: goes on when nobody else is ready any more, before the loop asks the system for news. What many produce
// in one turn can then leave in one system call.
struct EndOfTurn {
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> self) const { resume_last(self); }
  void await_resume() const noexcept {}
};

// The owner must join() before the scope is destroyed. An exception that leaves a child is a bug: it is logged, the others go on.
class Scope {
 public:
  Scope() = default;
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  // Starts the child on this stack, up to its first wait.
  void spawn(Task<void> child);
  Task<void> join();
  unsigned running() const { return running_; }

 private:
  struct Detached;
  Detached drive(Task<void> child);

  unsigned running_ = 0;
  Event idle_{true};
};

}  // namespace cmux
