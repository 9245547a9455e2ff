// The seam to the system's readiness call: epoll(7) on Linux, poll(2) elsewhere. Private to Loop.
#pragma once

#include <memory>

#include "base/loop.hpp"

namespace cmux {

class Poller {
 public:
  static std::unique_ptr<Poller> create();
  virtual ~Poller() = default;
  virtual void add(Pollable& pollable) = 0;
  virtual void remove(Pollable& pollable) noexcept = 0;
  // Waits for at most `limit` milliseconds (-1: without limit, 0: not at all) and sets the events of what became ready.
  virtual void wait(int limit) = 0;

 protected:
  static void report(Pollable& pollable, bool readable, bool writable, bool hung_up) {
    if (hung_up && !pollable.hung_up) {
      pollable.hung_up = true;
      if (pollable.on_hang_up) pollable.on_hang_up(pollable.hang_up_argument);
    }
    if (readable || hung_up) pollable.readable.set();
    if (writable) pollable.writable.set();
  }
};

}  // namespace cmux
