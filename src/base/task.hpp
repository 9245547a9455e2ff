// Task<T>: a lazy coroutine that is awaited by exactly one other. The awaiting frame owns the task, a task always runs to its
// end (teardown makes its waits fail, it never destroys a suspended frame), and all of it happens on one thread.
//
// Why not Asio's awaitable: a call that completes without waiting costs only its frame here, and frames come from a recycling
// allocator of any size.
//
// Two traps of GCC 12. It destroys unnamed aggregates and capturing lambdas inside a co_await expression twice: name them first,
// then move. And a co_await in the condition of an if or while shifts the whole frame, so that the coroutine never runs: give the
// result a name first (check_frame() catches it in debug builds).
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace cmux {

// Frames of finished coroutines, kept for the next ones; one free list a size class and thread.
void* allocate_frame(std::size_t size);
// Frees those that this thread keeps for the next ones.
void drop_recycled_frames() noexcept;
void release_frame(void* frame, std::size_t size) noexcept;

namespace detail {

// Aborts where a handle does not point at the start of a frame.
inline void check_frame([[maybe_unused]] const void* frame) {
#ifndef NDEBUG
  if (reinterpret_cast<std::uintptr_t>(frame) % __STDCPP_DEFAULT_NEW_ALIGNMENT__ != 0) std::abort();
#endif
}

struct PromiseBase {
  std::coroutine_handle<> continuation;
  bool suspended = false;  // the child has waited, so its end must resume the parent
  std::exception_ptr exception;

  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* frame, std::size_t size) noexcept { release_frame(frame, size); }

  struct Final {
    bool await_ready() const noexcept { return false; }
    template <class P>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<P> self) const noexcept {
      PromiseBase& promise = self.promise();
      return promise.suspended ? promise.continuation : std::noop_coroutine();
    }
    void await_resume() const noexcept {}
  };
  std::suspend_always initial_suspend() const noexcept { return {}; }
  Final final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { exception = std::current_exception(); }
};

template <class T>
struct Promise : PromiseBase {
  std::optional<T> value;
  template <class U>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
  T take() {
    if (exception) std::rethrow_exception(exception);
    return std::move(*value);
  }
};

template <>
struct Promise<void> : PromiseBase {
  void return_void() const noexcept {}
  void take() const {
    if (exception) std::rethrow_exception(exception);
  }
};

}  // namespace detail

template <class T = void>
class [[nodiscard]] Task {
 public:
  struct promise_type : detail::Promise<T> {
    Task get_return_object() {
      const auto handle = std::coroutine_handle<promise_type>::from_promise(*this);
      detail::check_frame(handle.address());
      return Task(handle);
    }
  };

  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  // Runs the child up to its first wait on this stack; a child that never waits costs no trip through the run queue, and a loop
  // of such children does not grow the stack.
  bool await_suspend(std::coroutine_handle<> parent) {
    handle_.promise().continuation = parent;
    handle_.resume();
    if (handle_.done()) return false;
    handle_.promise().suspended = true;
    return true;
  }
  T await_resume() { return handle_.promise().take(); }

 private:
  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

}  // namespace cmux
