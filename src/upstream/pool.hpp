// Pool: connections to origins, opened when needed and kept for the next request. One a worker; nothing in it is shared.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "http1/client.hpp"
#include "net/dial.hpp"
#include "tls/client.hpp"
#include "upstream/origin.hpp"

namespace cmux::upstream {

struct PoolOptions {
  http1::ClientOptions http1;
  net::DialOptions dial;
  tls::ClientSettings tls;
  milliseconds tls_timeout{10'000};
  milliseconds idle_timeout{55'000};  // below the 60 s after which common servers close: fewer requests meet a closing connection
  std::size_t max_idle = 64;          // an origin
};

// The error as one of the upstream side, naming the origin.
Error upstream_error(Error error, const Origin& origin);

// What opening took, and whether that was needed; for events and timing tables.
struct Opening {
  bool reused = false;
  net::DialTiming dial;
  std::chrono::microseconds tls{0};
};

class Pool;

// A connection of the pool and where it belongs.
struct Pooled {
  Pool* pool;
  const Origin* origin;
  http1::ClientConnection connection;
};

// A connection for one exchange. Going out of scope gives it back, or closes it where it cannot be used again.
class Lease {
 public:
  Lease() = default;
  Lease(Lease&&) noexcept = default;
  Lease& operator=(Lease&& other) noexcept;
  ~Lease() { give_back(); }
  http::Stream& stream() const { return pooled_->connection; }
  std::string_view protocol() const { return "http/1.1"; }
  const Opening& opening() const { return opening_; }
  explicit operator bool() const { return pooled_ != nullptr; }

 private:
  friend class Pool;
  void give_back();
  std::unique_ptr<Pooled> pooled_;
  Opening opening_;
};

class Pool {
 public:
  Pool(net::Resolver& resolver, const PoolOptions& options);
  ~Pool();
  Pool(const Pool&) = delete;

  // Which connections will do: any; any, but a kept one is looked at once more, for requests that must not meet a closing one; or
  // only a new one, for a retry.
  enum class Reuse : std::uint8_t { allowed, checked, fresh };
  // A lease on a connection to the origin. Errors carry side upstream.
  Task<Result<Lease>> acquire(const Origin& origin, Reuse reuse, bool timed);

  // Opens a connection outside the pool, through TLS where the origin asks for it.
  Task<Result<std::unique_ptr<net::Transport>>> connect(const Origin& origin, Opening* opening);

  std::size_t idle_count() const;
  std::size_t opened() const { return opened_; }
  // Closes what is idle.
  void clear();

 private:
  friend class Lease;
  using IdleList = std::vector<std::unique_ptr<Pooled>>;  // the last one was used most recently
  void keep(std::unique_ptr<Pooled> pooled);
  void drop(Pooled* pooled);

  net::Resolver& resolver_;
  const PoolOptions& options_;
  std::map<Origin, IdleList> idle_;  // origins are never removed: leases point at the keys
  std::unique_ptr<tls::ClientContext> tls_;
  std::size_t opened_ = 0;
};

}  // namespace cmux::upstream
