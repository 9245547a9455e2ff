// NameRelay: lets names resolve in a namespace whose only way out is an instance. A query that a program there sends, by UDP to
// port 53 of whatever address its resolv.conf names, goes to that address from a socket outside, and the answer comes back from
// it. Nothing in them is looked at. Linux alone (IP_PKTINFO, ip(7)); elsewhere nobody has sockets for it.
//
// Belongs to the loop that runs it. Bounded: kMostQueries at once, others are dropped, as UDP may; each for kPatience.
#pragma once

#include <memory>
#include <set>
#include <vector>

#include "base/event.hpp"
#include "base/readiness.hpp"
#include "net/socket.hpp"

namespace cmux::app {

class NameRelay {
 public:
  static constexpr std::size_t kMostQueries = 256;
  static constexpr milliseconds kPatience{10'000};

  // UDP sockets that are bound to port 53 in the namespace and tell what they were addressed as (IP_PKTINFO, IPV6_RECVPKTINFO).
  explicit NameRelay(std::vector<net::Socket> sockets);
  // Until close(), which only begins the end.
  Task<void> run();
  void close();

 private:
  struct Door;
  struct Query;
  Task<void> serve(Door& door);
  Task<void> ask(Door& door, std::unique_ptr<Query> query);

  std::vector<std::unique_ptr<Door>> doors_;
  std::set<Event*> waited_for_;  // by all that waits; close() sets them
  std::size_t queries_ = 0;
  bool closed_ = false;
  Scope scope_;

 public:
  ~NameRelay();
};

}  // namespace cmux::app
