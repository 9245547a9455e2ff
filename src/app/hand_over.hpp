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
  void cancel() { pollable_.readable.set(); }
  // They are in use from now on.
  void acknowledge();

 private:
  explicit HandOver(net::Socket socket);
  net::Socket socket_;
  Pollable pollable_;
};

// What they are good for: TCP sockets listen, UDP sockets take queries for names.
Result<Doors::Bound> bound_from(std::vector<net::Socket> sockets);

}  // namespace cmux::app
