// HandOver: the listeners that `run --transparent` has made in a namespace, on their way to the instance: it connects to a Unix
// socket of run's, on which they come, once the namespace is there. On the main thread's loop.
#pragma once

#include "app/doors.hpp"
#include "base/readiness.hpp"

namespace cmux::app {

class HandOver {
 public:
  static constexpr milliseconds kPatience{10'000};

  // Null: an empty path, nothing is to come. Errors name the field ("transparent").
  static Result<std::unique_ptr<HandOver>> connect(const std::string& path);
  ~HandOver();
  HandOver(const HandOver&) = delete;

  Task<Result<std::vector<net::Socket>>> receive();
  // Nobody wants them any more.
  void cancel();
  // They are in use from now on.
  void acknowledge();

 private:
  explicit HandOver(net::Socket socket);
  net::Socket socket_;
  Pollable pollable_;
  bool cancelled_ = false;
};

// Opens the context's doors with what comes, and relays its queries for names, until the doors are closed. `under_way`: what it
// is on while nothing has come. All outlive it.
Task<void> take_over(std::string context, std::unique_ptr<HandOver> from, const policy::ContextStore& contexts, Doors& doors,
                     std::set<HandOver*>& under_way);

}  // namespace cmux::app
