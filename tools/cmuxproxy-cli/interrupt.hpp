// SIGINT and SIGTERM as a callback on the running loop, once; a second signal ends the program as usual.
#pragma once

#include <functional>

#include "base/signals.hpp"

namespace cmux::cli {

class Interrupt {
 public:
  explicit Interrupt(std::function<void()> callback);
  int signal() const { return signal_; }  // 0: none came
  // Ends the watch; before the loop ends.
  Task<void> stop();

 private:
  std::function<void()> callback_;
  Signals signals_{SIGINT, SIGTERM};
  Scope scope_;
  int signal_ = 0;
};

}  // namespace cmux::cli
