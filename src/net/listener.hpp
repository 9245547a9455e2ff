// Listener: a bound TCP or Unix socket and the loop that accepts from it. One accepts and hands out: SO_REUSEPORT would let a
// second instance share the port in silence.
#pragma once

#include <functional>

#include "net/socket.hpp"

namespace cmux::net {

// The addresses under which a listener's endpoint is reached on this machine: itself, and for 0.0.0.0 or :: every interface's
// too.
std::vector<Endpoint> reachable_as(const Endpoint& endpoint);

class Listener {
 public:
  // Binds and listens; on a thread that has a loop. With `attempts` above 1, a busy port moves on to the next one. A Unix path
  // that nobody answers on is replaced.
  static Result<std::unique_ptr<Listener>> bind(const Endpoint& endpoint, unsigned attempts = 1);
  // One that somebody else has bound and that listens: descriptor inherited, or handed over. Its Unix path stays theirs.
  static Result<std::unique_ptr<Listener>> adopt(Socket socket);
  ~Listener();

  const Endpoint& endpoint() const { return endpoint_; }
  // Accepts until close(); on the loop's thread. The callback takes the socket.
  Task<void> run(std::function<void(Socket)> take);
  // While paused, who connects waits in the backlog. Any time before close(), on the loop's thread.
  void pause(bool on);
  // Stops accepting. Connections that wait in the backlog are reset by the system.
  void close();

 private:
  Listener(Socket socket, Endpoint endpoint) : socket_(std::move(socket)), endpoint_(endpoint) {}
  Socket socket_;
  Endpoint endpoint_;
  Pollable pollable_;  // on the loop of run()
  Event resumed_{true};
  bool closed_ = false;
  bool adopted_ = false;
};

}  // namespace cmux::net
