// Runs a coroutine on a loop to its end, and the test program to its end where the coroutine does not come to one.
#pragma once

#include <cstdio>
#include <cstdlib>

#include "base/loop.hpp"

namespace cmux {

inline void run(Loop& loop, Task<void> task) {
  Deadline stuck(
      [](void*) {
        std::fputs("a coroutine under test hangs\n", stderr);
        std::abort();
      },
      nullptr);
  stuck.after(milliseconds(60'000));
  loop.run(std::move(task));
}

}  // namespace cmux
