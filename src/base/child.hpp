// Child: a command of the operator's, run by the system's shell in a process group of its own. It reads nothing, and what it says
// goes to standard error. On the loop that is current; one coroutine waits for it.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/event.hpp"
#include "base/process.hpp"

namespace cmux {

class Child {
 public:
  // `variables` are set in its environment, beside what stands in ours. Errc::system where there is no process to be had.
  static Result<std::unique_ptr<Child>> start(const std::string& command,
                                              const std::vector<std::pair<std::string, std::string>>& variables);
  // Kills what has not ended.
  ~Child();
  Child(const Child&) = delete;

  // Its exit status; 128 and the number of a signal that has ended it, as shells count.
  Task<int> wait();
  // Ends it at once, with all that it has started.
  void kill();

 private:
  explicit Child(pid_t pid);
  int reap();

  const pid_t pid_;
  bool reaped_ = false;
  Event ended_;
  ProcessWatch watch_;
};

}  // namespace cmux
