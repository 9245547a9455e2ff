#include "base/event.hpp"

#include "base/log.hpp"

namespace cmux {

struct Scope::Detached {
  struct promise_type {
    static void* operator new(std::size_t size) { return allocate_frame(size); }
    static void operator delete(void* frame, std::size_t size) noexcept { release_frame(frame, size); }
    Detached get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
  };
};

Scope::Detached Scope::drive(Task<void> child) {
  try {
    co_await child;
  } catch (const std::exception& bug) { log::error("a task failed: {}", bug.what()); }
  if (--running_ == 0) idle_.set();
}

void Scope::spawn(Task<void> child) {
  ++running_;
  idle_.clear();
  drive(std::move(child));
}

Task<void> Scope::join() {
  while (running_ != 0) co_await idle_;
}

}  // namespace cmux
