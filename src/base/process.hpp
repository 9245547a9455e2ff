// Watching another process for its end: Linux tells through a pidfd, other systems are asked at intervals.
#pragma once

#include <sys/types.h>

#include <memory>

namespace cmux {

bool process_runs(pid_t pid);

// Calls back once on the loop's thread when the process has ended, never within the constructor; where the system is asked at
// intervals, half a second later at the most. Destroying it ends the watch.
class ProcessWatch {
 public:
  ProcessWatch(pid_t pid, void (*callback)(void*), void* argument);
  ~ProcessWatch();
  ProcessWatch(const ProcessWatch&) = delete;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace cmux
