// Place: what the pool knows of one origin, and its connections there. Who uses one holds it.
#pragma once

#include "upstream/pool.hpp"

namespace cmux::upstream {

struct Kept {
  Kept(Pool* of, std::shared_ptr<Place> at, std::uint64_t number, Reached reached);
  ~Kept();
  Kept(const Kept&) = delete;
  Pool* pool;
  std::shared_ptr<Place> place;
  std::uint64_t serial;
  std::shared_ptr<const DiallerOptions> options;
  const Parent* parent;  // of these
  http1::ClientConnection connection;
};

struct Shared {
  Shared(Reached reached, std::shared_ptr<const PoolOptions> now, std::shared_ptr<Place> at, std::uint64_t number)
      : place(std::move(at)),
        serial(number),
        options(std::move(now)),
        opened_by(std::move(reached.options)),
        parent(reached.parent),
        connection(std::move(reached.transport), options->http2, changed, this) {}
  static void changed(void* shared);
  std::shared_ptr<Place> place;
  std::uint64_t serial;
  std::shared_ptr<const PoolOptions> options;
  std::shared_ptr<const DiallerOptions> opened_by;
  const Parent* parent;  // of these
  http2::ClientConnection connection;
};

// Somebody who waits for a connection that another is opening, for the peer to say how many streams it takes, or for one to be
// free.
struct Waiter : Link {
  Event woken;
  std::optional<Error> failed;
  std::uint64_t ticket = 0;  // grows with every one that comes
};

// A connection that is being opened for somebody, who may leave meanwhile. It is opened all the same: others wait for it.
struct Attempt {
  Event over;
  bool done = false, abandoned = false;
  std::optional<Error> failed;
  Lease lease;
};

struct Place {
  static constexpr std::size_t kMostShared = 64;  // connections of HTTP/2; a peer that needs more makes requests wait

  Origin origin;
  std::vector<std::unique_ptr<Kept>> idle;  // the last one was used most recently
  std::vector<std::shared_ptr<Shared>> shared;
  std::size_t kept = 0;     // connections of HTTP/1.1, those that are lent too
  std::uint64_t stale = 0;  // what has this serial, or a lower one, was opened by settings that do not hold any more
  Link waiting;             // first come, first served
  std::uint64_t tickets = 0;
  bool opening = false;      // a connection that may turn out HTTP/2
  bool http1 = false;        // it chose HTTP/1.1 though offered HTTP/2, the last time
  bool needs_http1 = false;  // it said so (HTTP_1_1_REQUIRED)
  bool no_upgrades = false;  // its HTTP/2 does not take extended CONNECT
  bool h2c = false;

  // Whether another connection of HTTP/2 would help: not while one is being opened or has not said how many streams it takes, nor
  // where one takes none at all, nor past the limit.
  bool may_open(std::uint64_t newer_than) const {
    std::size_t count = 0;
    for (const auto& one : shared) {
      if (one->serial <= newer_than || one->connection.spent() || one->connection.overdue()) continue;
      if (one->connection.asked()) return false;  // the answer comes sooner than another connection
      if (++count >= kMostShared || !one->connection.settled() || one->connection.most() == 0) return false;
    }
    return !opening;
  }
  // Who was woken and came too late gets back its place in the queue.
  void queue(Waiter& waiter) {
    Link* at = &waiting;
    if (waiter.ticket == 0) {
      waiter.ticket = ++tickets;
      return waiter.link_before(*at);
    }
    while (at->next() != &waiting && static_cast<Waiter*>(at->next())->ticket < waiter.ticket) at = at->next();
    waiter.link_after(*at);
  }
  void wake(std::size_t count, const Error* failed = nullptr) {
    for (; count > 0 && waiting.next() != &waiting; --count) {
      auto& waiter = static_cast<Waiter&>(*waiting.next());
      waiter.unlink();
      if (failed) waiter.failed = *failed;
      waiter.woken.set();
    }
  }
  // As many as can go on now: into the room that there is, and one to open another connection.
  void wake_some() {
    if (waiting.next() == &waiting) return;
    if (needs_http1 || http1) return wake(SIZE_MAX);
    std::size_t count = may_open(0) ? 1 : 0;
    for (const auto& one : shared) {
      if (one->connection.http1_required()) return wake(SIZE_MAX);
      count += std::min(one->connection.room(), kMostAtOnce);
    }
    wake(count);
  }
  static constexpr std::size_t kMostAtOnce = 100'000;
};

inline Kept::Kept(Pool* of, std::shared_ptr<Place> at, std::uint64_t number, Reached reached)
    : pool(of),
      place(std::move(at)),
      serial(number),
      options(std::move(reached.options)),
      parent(reached.parent),
      connection(std::move(reached.transport), options->http1, reached.at_parent ? &parent->form : nullptr) {
  ++place->kept;
}
inline Kept::~Kept() { --place->kept; }

inline void Shared::changed(void* shared) { static_cast<Shared*>(shared)->place->wake_some(); }

}  // namespace cmux::upstream
