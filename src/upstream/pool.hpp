// Pool: connections to origins, opened when needed and kept for the next request; HTTP/1.1 for one exchange at a time, HTTP/2
// shared by all of them. One a worker; nothing in it is shared between threads.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <vector>

#include "base/list.hpp"
#include "http2/client.hpp"
#include "upstream/dialler.hpp"

namespace cmux::upstream {

struct PoolOptions : DiallerOptions {
  http2::Options http2;
  bool offer_http2 = true;
  std::vector<std::string> h2c_hosts;  // globs: HTTP/2 by prior knowledge to these, where there is no TLS
  // How long connections are kept for the next request, but for what an HTTP/1.1 peer says of itself; 0: not at all. Below the 60
  // s after which common servers close, and, where there is no TLS, below the 5 s of Node's: a request must not meet the FIN.
  milliseconds idle_timeout{55'000}, idle_plain{4'000};
  milliseconds (*time_asleep)() = net::time_asleep;
  std::size_t max_idle = 512;  // an origin, HTTP/1.1
};

// What opening took, and whether that was needed; for events and timing tables.
struct Opening {
  bool reused = false;
  net::DialTiming dial;
  std::chrono::microseconds tls{0};
};

class Pool;
struct Place;
struct Kept;    // an HTTP/1.1 connection
struct Shared;  // an HTTP/2 connection
struct Attempt;

// A connection, or a share in one, for one exchange. Going out of scope gives it back, or closes it where it cannot be used
// again.
class Lease {
 public:
  Lease();
  Lease(Lease&&) noexcept;
  Lease& operator=(Lease&& other) noexcept;
  ~Lease();
  http::Stream& stream() const;
  std::string_view protocol() const { return shared_ ? "h2" : "http/1.1"; }
  const Opening& opening() const { return opening_; }
  // Grows with every connection that the pool opens.
  std::uint64_t serial() const { return serial_; }
  // What the connection goes through, or ends at; null: nothing.
  const Parent* parent() const;
  // It ends at the parent, which reads the request.
  bool at_parent() const;
  explicit operator bool() const { return kept_ != nullptr || stream_ != nullptr; }

 private:
  friend class Pool;
  void give_back();
  std::unique_ptr<Kept> kept_;
  std::shared_ptr<Shared> shared_;
  std::unique_ptr<http2::Stream> stream_;  // of shared_, which outlives it
  Opening opening_;
  std::uint64_t serial_ = 0;
};

// What an exchange asks of its connection.
struct Wanted {
  bool upgrade = false;          // it is an upgrade: HTTP/2 will do only where the peer takes extended CONNECT
  bool checked = false;          // a kept connection is looked at once more: the request must not meet a closing one
  std::uint64_t newer_than = 0;  // for a retry: the serial of the connection that failed
  // No proxy on the way may read the request, as an upgrade's never may be: it is a CONNECT, or its Host is not the origin's.
  bool end_to_end = false;
  // Whose share of the look-ups a new connection takes (net/lookup.hpp); null: nobody's in particular.
  std::shared_ptr<const std::string> client;
};

// A request's claim to a connection, which it can give up while it waits: acquire() then returns Errc::cancelled.
class Claim final : public http::Abortable {
 public:
  void reset(Errc) noexcept override {
    given_up_ = true;
    if (waits_) waits_->set();
  }

 private:
  friend class Pool;
  bool given_up_ = false;
  Event* waits_ = nullptr;
};

class Pool {
 public:
  Pool(net::Resolver& resolver, std::shared_ptr<const PoolOptions> options);
  ~Pool();
  Pool(const Pool&) = delete;

  // Errors carry side upstream. Of requests that come together for an origin that may speak HTTP/2 one opens the connection, and
  // the others wait for it; so they do where all streams are taken and there are connections enough, each as long as for a
  // response.
  Task<Result<Lease>> acquire(const Origin& origin, Wanted wanted, Claim* claim = nullptr);

  Dialler& dialler() { return dialler_; }
  // For what is opened from now on. What was opened under another trust is not used for the next request.
  void apply(std::shared_ptr<const PoolOptions> options);

  std::size_t idle_count() const;
  std::size_t open_count() const;  // those in use, too
  std::size_t opened() const { return opened_; }
  std::size_t places() const { return places_.size(); }
  // Closes what is idle.
  void clear();
  // Closes everything, and returns when the pool's own coroutines have ended. To be called before the end.
  Task<void> close();
  void invariants() const;

 private:
  friend class Lease;
  enum class Offer : std::uint8_t { http1, both, h2c };

  std::shared_ptr<Place> place_of(const Origin& origin);
  Offer offer_to(const Place& place, const Wanted& wanted) const;
  bool take_shared(Place& place, const Wanted& wanted, Lease& lease);
  bool take_kept(Place& place, const Wanted& wanted, Lease& lease);
  Task<Result<Lease>> wait(std::shared_ptr<Place> place, Wanted wanted, Claim& claim);
  Task<void> open(std::shared_ptr<Place> place, Offer offer, Wanted wanted, std::shared_ptr<Attempt> attempt);
  Task<Result<Reached>> connect(const Origin& origin, Offer offer, const Wanted& wanted, Opening& opening);
  bool speaks_h2c(const Origin& origin) const;
  Task<void> run_shared(std::shared_ptr<Shared> shared);
  void keep(std::unique_ptr<Kept> kept);
  void drop(Kept* kept);
  void notice_sleep();

  std::shared_ptr<const PoolOptions> options_;
  Dialler dialler_;
  // Those that nobody uses are removed when there are twice as many as the last time.
  std::map<Origin, std::shared_ptr<Place>> places_;
  std::size_t sweep_at_ = 64;
  Scope scope_;
  std::uint64_t opened_ = 0;
  milliseconds asleep_;
};

}  // namespace cmux::upstream
