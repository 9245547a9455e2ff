// SIGINT and SIGTERM as a callback on the running loop, once; a second signal ends the program as usual.
#pragma once

#include <functional>

#include "base/loop.hpp"

namespace cmux::cli {

class Interrupt {
 public:
  explicit Interrupt(std::function<void()> callback);
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  int signal() const { return signal_; }  // 0: none came
  // Ends the watch; before the loop ends.
  Task<void> stop();

 private:
  Task<void> run();
  std::function<void()> callback_;
  Pollable pollable_;
  Scope scope_;
  int signal_ = 0;
  bool stopped_ = false;
};

}  // namespace cmux::cli
