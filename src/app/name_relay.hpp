// NameRelay: lets names resolve in a namespace whose only way out is an instance. A query that a program there sends, by UDP to
// port 53 of whatever address its resolv.conf names, goes to that address from a socket outside, and the answer comes back from
// it. Nothing in them is looked at. Linux alone (IP_PKTINFO, ip(7)); elsewhere nobody has sockets for it.
//
// Belongs to the loop that runs it. Bounded by NameLimits: queries beyond them are dropped, as UDP may.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <vector>

#include "base/event.hpp"
#include "base/readiness.hpp"
#include "net/socket.hpp"

namespace cmux::app {

// How many queries are on their way at once, and how long each waits for its answer.
struct NameLimits {
  std::size_t queries = 256;
  milliseconds patience{10'000};
};

class NameRelay {
 public:
  // UDP sockets that are bound to port 53 in the namespace and tell what they were addressed as (IP_PKTINFO, IPV6_RECVPKTINFO).
  // `port`: where the servers outside are asked.
  explicit NameRelay(std::vector<net::Socket> sockets, NameLimits limits = {}, std::uint16_t port = 53);
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
  const NameLimits limits_;
  const std::uint16_t port_;
  std::size_t queries_ = 0;
  bool closed_ = false;
  Scope scope_;

 public:
  ~NameRelay();
};

}  // namespace cmux::app
