// The signals of the process, as callbacks on the loop that is current where this is made.
#pragma once

#include <signal.h>

#include <functional>
#include <initializer_list>
#include <memory>

#include "base/event.hpp"

namespace cmux {

class Signals {
 public:
  // From here on they do not have their usual effect. Throws std::system_error.
  explicit Signals(std::initializer_list<int> numbers);
  ~Signals();
  Signals(const Signals&) = delete;

  // Calls back until close(), which gives the signals their usual effect again. One call at a time.
  Task<void> run(std::function<void(int)> callback);
  void close();
  // ... or else no effect: for who is about to end anyway, and cleans up.
  void close_ignoring();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// While one exists, threads that are started take no signals: the one that made it, or none, has Signals. A signal that a thread
// blocked in the system takes is seen late, and not at all by a sanitizer that waits for that thread.
class SignalsBlocked {
 public:
  SignalsBlocked();
  ~SignalsBlocked();
  SignalsBlocked(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace cmux
