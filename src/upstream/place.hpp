// Place: what the pool knows of one origin, and its connections there.
#pragma once

#include "upstream/pool.hpp"

namespace cmux::upstream {

struct Kept {
  Pool* pool;
  Place* place;
  std::uint64_t serial;
  http1::ClientConnection connection;
};

struct Shared {
  Shared(std::unique_ptr<net::Transport> transport, const http2::Options& options, Place& at, std::uint64_t number)
      : serial(number), connection(std::move(transport), options, changed, &at) {}
  static void changed(void* place);
  std::uint64_t serial;
  http2::ClientConnection connection;
};

// Somebody who waits for a connection that another is opening, or for the peer to say how many streams it takes.
struct Waiter : Link {
  Event woken;
  std::optional<Error> failed;
};

struct Place {
  Origin origin;
  std::vector<std::unique_ptr<Kept>> idle;  // the last one was used most recently
  std::vector<std::shared_ptr<Shared>> shared;
  Link waiting;
  bool opening = false;      // a connection that may turn out HTTP/2
  bool http1 = false;        // it chose HTTP/1.1 though offered HTTP/2, the last time
  bool needs_http1 = false;  // it said so (HTTP_1_1_REQUIRED)
  bool no_upgrades = false;  // its HTTP/2 does not take extended CONNECT
  bool h2c = false;

  // A connection whose room is not known yet.
  bool unsettled(const Wanted& wanted) const {
    for (const auto& one : shared)
      if (one->serial > wanted.newer_than && !one->connection.spent() && !one->connection.settled()) return true;
    return false;
  }
  void wake(const Error* failed = nullptr) {
    while (waiting.next() != &waiting) {
      auto& waiter = static_cast<Waiter&>(*waiting.next());
      waiter.unlink();
      if (failed) waiter.failed = *failed;
      waiter.woken.set();
    }
  }
};

inline void Shared::changed(void* place) { static_cast<Place*>(place)->wake(); }

}  // namespace cmux::upstream
