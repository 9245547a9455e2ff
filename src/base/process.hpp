// Watching another process for its end: a pidfd on Linux, polling elsewhere.
#pragma once

#include <sys/types.h>

#include "base/loop.hpp"

namespace cmux {

bool process_runs(pid_t pid);

// Calls back once on the loop's thread when the process has ended; at the latest a second later. Destroying it ends the watch.
class ProcessWatch {
 public:
  ProcessWatch(pid_t pid, void (*callback)(void*), void* argument);
  ~ProcessWatch();
  ProcessWatch(const ProcessWatch&) = delete;

 private:
  static void poll(void* self);
  pid_t pid_;
  void (*callback_)(void*);
  void* argument_;
  Deadline again_;
  int descriptor_ = -1;
};

}  // namespace cmux
