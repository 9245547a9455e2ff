// Signals as callbacks on the main loop: SIGINT, SIGTERM and SIGHUP, through a pipe, as a handler may do nothing else.
#pragma once

#include <functional>

#include "base/loop.hpp"

namespace cmux::app {

// One at a time in a process; restores the former handlers.
class Signals {
 public:
  explicit Signals(std::function<void(int)> callback);
  ~Signals();
  Signals(const Signals&) = delete;

  // Calls back until close().
  Task<void> run();
  void close();

 private:
  std::function<void(int)> callback_;
  Pollable pollable_;
  bool closed_ = false;
};

}  // namespace cmux::app
