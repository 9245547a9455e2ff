// Readiness: which of the watched descriptors can be read or written, as events. Sockets are watched here and not by Asio one by
// one, which would cost a system call for every wait: on Linux they stand in one edge-triggered epoll(7) descriptor, which Asio
// watches while Asio waits for anything else, and which is waited in directly while it does not. Elsewhere, and with
// CMUX_PORTABLE, each is an Asio descriptor that is waited for.
// Private to Loop, net/socket and net/listener. One thread, but for ring(); docs/decisions/0001-asio.md has the figures.
#pragma once

#include <memory>

#include "base/event.hpp"
#include "base/platform.hpp"

namespace boost::asio {
class io_context;
}

namespace cmux {

// A descriptor's readiness: a flag is set when the system says so, and cleared by whoever finds that there is nothing left to
// read or no room to write. The descriptor's owner keeps it in place while it is watched.
struct Pollable {
  int fd = -1;
  Event readable, writable;
  bool hung_up = false;  // the peer has sent its FIN or a reset; latched. Portable: only once all before it has been read
  // Called once when hung_up turns true; must not destroy the Pollable.
  void (*on_hang_up)(void*) = nullptr;
  void* hang_up_argument = nullptr;
#if CMUX_LINUX
  void await_readable() { readable.clear(); }
  void await_writable() { writable.clear(); }
#else
  // Clears the flag and asks the system to be told. `readable` then only says that a look is worth its while.
  void await_readable();
  void await_writable();
  std::shared_ptr<struct Waits> waits;
  void (*on_readable)(void*) = nullptr;  // called whenever `readable` was set
  void* readable_argument = nullptr;
#endif
  void hang_up() {
    if (std::exchange(hung_up, true)) return;
    if (on_hang_up) on_hang_up(hang_up_argument);
  }
};

class Readiness {
 public:
  // Throws std::system_error where the system has no descriptor left.
  explicit Readiness(boost::asio::io_context& context);
  ~Readiness();
  // Before the context ends. What is destroyed with the context may still be unwatched after that.
  void detach();

  // Starts and ends watching; throws std::system_error when the system has no room for it.
  void watch(Pollable& pollable);
  void unwatch(Pollable& pollable) noexcept;

  // May take() be waited in instead of the context? Then ring(), from any thread, ends the wait.
  static constexpr bool kStandsAlone = CMUX_LINUX;
  void ring() noexcept;
  // Has every pollable heard of what has happened by now before any waiter runs? Elsewhere Asio tells of one a turn: who must
  // know has to ask.
  static constexpr bool kTellsAllAtOnce = CMUX_LINUX;

  // Before the context is run: it shall come back when a descriptor has become ready.
  void arm();
  // Sets the events of all that is ready, and says how many descriptors that were. Waits for at most `limit` milliseconds for the
  // first (0: not at all, -1: without limit).
  int take(int limit);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cmux
