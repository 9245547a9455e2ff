#include "upstream/pool.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/log.hpp"
#include "net/descriptors.hpp"
#include "net/tls_transport.hpp"
#include "upstream/place.hpp"

namespace cmux::upstream {
namespace {

constexpr std::string_view kHttp1("\x08http/1.1");
constexpr std::string_view kBoth("\x02h2\x08http/1.1");

}  // namespace

Error upstream_error(Error error, const Origin& origin) {
  error.side = Side::upstream;
  if (error.detail.find(origin.host) == std::string::npos) error.detail = fmt::format("{}: {}", origin.text(), error.detail);
  return error;
}

std::string Origin::text() const {
  const bool ipv6 = host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", h2c ? "h2c" : tls ? "https" : "http", ipv6 ? "[" : "", host, ipv6 ? "]" : "", port);
}

Pool::Pool(net::Resolver& resolver, const PoolOptions& options) : resolver_(resolver), options_(options) {}
Pool::~Pool() = default;

Place& Pool::place_of(const Origin& origin) {
  auto& place = places_[origin];
  if (!place) {
    place = std::make_unique<Place>();
    place->origin = origin;
    const auto listed = [&](const std::string& pattern) { return net::matches_glob(pattern, origin.host); };
    place->h2c = origin.h2c || (!origin.tls && std::any_of(options_.h2c_hosts.begin(), options_.h2c_hosts.end(), listed));
  }
  return *place;
}

Task<Result<Lease>> Pool::acquire(const Origin& origin, Wanted wanted) {
  Place& place = place_of(origin);
  Lease lease;
  for (int tries = 0;;) {
    if (wanted.checked && std::exchange(wanted.checked, false) && !place.shared.empty()) {
      // News of a closed connection may be there already: its reader runs first.
      for (const auto& one : place.shared) one->connection.look();
      co_await Yield{};
      wanted.checked = true;
    }
    if (take_shared(place, wanted, lease) || take_kept(place, wanted, lease)) co_return std::move(lease);
    const Offer offer = offer_to(place, wanted);
    if (offer == Offer::http1 || !(place.opening || place.unsettled(wanted))) {
      auto opened = co_await open(place, offer, wanted, lease);
      if (!opened) co_return opened.error();
      if (lease) co_return std::move(lease);
      // An upgrade, on a connection that is to say first whether it takes them. One that says so and has no room is no use.
      if (++tries < 3) continue;
      co_return upstream_error(make_error(Errc::limit, "new connections take no streams"), origin);
    }
    Waiter waiter;
    waiter.link_after(place.waiting);
    co_await waiter.woken;
    if (waiter.failed) co_return *waiter.failed;
  }
}

Pool::Offer Pool::offer_to(const Place& place, const Wanted& wanted) const {
  if (!options_.offer_http2 || place.needs_http1) return Offer::http1;
  if (wanted.upgrade && place.no_upgrades) return Offer::http1;
  if (place.h2c) return Offer::h2c;
  return place.origin.tls ? Offer::both : Offer::http1;
}

bool Pool::take_shared(Place& place, const Wanted& wanted, Lease& lease) {
  for (const auto& one : place.shared) place.needs_http1 = place.needs_http1 || one->connection.http1_required();
  if (place.needs_http1) return false;
  for (const auto& one : place.shared) {
    if (one->serial <= wanted.newer_than || one->connection.room() == 0) continue;
    if (wanted.upgrade) {
      if (!one->connection.settled()) continue;
      place.no_upgrades = !one->connection.extended_connect();
      if (place.no_upgrades) continue;
    }
    lease.shared_ = one;
    lease.stream_ = one->connection.open();
    lease.serial_ = one->serial;
    lease.opening_.reused = true;
    return true;
  }
  return false;
}

bool Pool::take_kept(Place& place, const Wanted& wanted, Lease& lease) {
  if (wanted.newer_than != 0) return false;  // another kept one may have been closed as well
  while (!place.idle.empty()) {
    auto kept = std::move(place.idle.back());
    place.idle.pop_back();
    kept->connection.watch_idle(nullptr, nullptr, milliseconds(0));
    if (!kept->connection.reusable() || kept->connection.has_ended(wanted.checked)) continue;
    lease.serial_ = kept->serial;
    lease.kept_ = std::move(kept);
    lease.opening_.reused = true;
    return true;
  }
  return false;
}

// Opens a connection, and takes it for the lease: but for one of HTTP/2 that an upgrade is meant for.
Task<Result<void>> Pool::open(Place& place, Offer offer, const Wanted& wanted, Lease& lease) {
  // Where the protocol is known to be HTTP/1.1 everybody opens connections of their own.
  const bool alone = offer == Offer::h2c || (offer == Offer::both && !place.http1);
  // Even where connecting throws, nobody may be left waiting for it.
  struct Opener {
    Place* place;
    ~Opener() {
      if (!place) return;
      place->opening = false;
      place->wake();
    }
  } opener{alone ? &place : nullptr};
  if (alone) place.opening = true;
  auto transport =
      co_await connect(place.origin, offer == Offer::both ? kBoth : kHttp1, wanted.timed ? &lease.opening_ : nullptr);
  if (!transport) {
    const Error error = transport.error();
    if (alone) place.wake(&error);
    co_return error;
  }
  const std::uint64_t serial = opened_;
  if (offer == Offer::h2c || (*transport)->alpn() == "h2") {
    place.http1 = false;
    auto shared = std::make_shared<Shared>(std::move(*transport), options_.http2, place, serial);
    place.shared.push_back(shared);
    if (!wanted.upgrade) {
      lease.shared_ = shared;
      lease.stream_ = shared->connection.open();
      lease.serial_ = serial;
    }
    scope_.spawn(run_shared(std::move(shared)));
  } else {
    if (offer == Offer::both) place.http1 = true;
    lease.kept_.reset(new Kept{this, &place, serial, http1::ClientConnection(std::move(*transport), options_.http1)});
    lease.serial_ = serial;
  }
  co_return Result<void>{};
}

Task<void> Pool::run_shared(std::shared_ptr<Shared> shared) {
  Place& place = *static_cast<Place*>(shared->connection.owner());
  co_await shared->connection.run();
  place.needs_http1 = place.needs_http1 || shared->connection.http1_required();
  std::erase(place.shared, shared);
  // Who waits for the first word of a peer that never said one would only wait for the next one like it.
  const Error error = upstream_error(shared->connection.failure(), place.origin);
  place.wake(shared->connection.settled() ? nullptr : &error);
}

Task<Result<std::unique_ptr<net::Transport>>> Pool::connect(const Origin& origin, std::string_view alpn, Opening* opening) {
  net::Claim claim;
  if (!claim.granted()) co_return upstream_error(make_error(Errc::limit, "too many descriptors are in use"), origin);
  auto socket = co_await net::dial(resolver_, origin.host, origin.port, options_.dial, opening ? &opening->dial : nullptr);
  claim.end();
  if (!socket) co_return upstream_error(socket.error(), origin);
  ++opened_;
  if (!origin.tls) co_return std::unique_ptr<net::Transport>(std::move(*socket));
  if (!tls_) {
    auto made = tls::ClientContext::create(options_.tls);
    if (!made) co_return upstream_error(made.error(), origin);
    tls_ = std::move(*made);
  }
  const auto start = opening ? Clock::now() : Clock::time_point{};
  auto secured = std::make_unique<net::TlsTransport>(std::move(*socket), tls_->make(origin.host, origin.text(), alpn));
  Deadline late(
      [](void* transport) {
        static_cast<net::Transport*>(transport)->abort(make_error(Errc::connect_timeout, "no answer in the TLS handshake"),
                                                       false);
      },
      secured.get());
  late.after(options_.tls_timeout);
  auto done = co_await secured->handshake();
  if (!done) {
    Error error = upstream_error(done.error(), origin);
    error.retryable = true;
    co_return error;
  }
  if (opening) opening->tls = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start);
  co_return std::unique_ptr<net::Transport>(std::move(secured));
}

void Pool::keep(std::unique_ptr<Kept> kept) {
  auto& list = kept->place->idle;
  if (list.size() >= options_.max_idle) list.erase(list.begin());
  list.push_back(std::move(kept));
  Kept* const idle = list.back().get();
  idle->connection.watch_idle([](void* gone) { static_cast<Kept*>(gone)->pool->drop(static_cast<Kept*>(gone)); }, idle,
                              options_.idle_timeout);
}

void Pool::drop(Kept* kept) {
  kept->connection.watch_idle(nullptr, nullptr, milliseconds(0));  // the timer and the hang-up may both come: once is enough
  auto& list = kept->place->idle;
  const auto found = std::find_if(list.begin(), list.end(), [&](const auto& item) { return item.get() == kept; });
  // Told by the connection's own timer or transport, which must outlive this call.
  std::shared_ptr<Kept> owned = std::move(*found);
  list.erase(found);
  Loop::current().post([owned] {});
}

std::size_t Pool::idle_count() const {
  std::size_t count = 0;
  for (const auto& [origin, place] : places_) {
    count += place->idle.size();
    for (const auto& one : place->shared) count += one->connection.live() == 0;
  }
  return count;
}

void Pool::clear() {
  for (auto& [origin, place] : places_) {
    place->idle.clear();
    for (const auto& one : place->shared) one->connection.shut_down();
  }
}

Task<void> Pool::close() {
  for (auto& [origin, place] : places_) {
    place->idle.clear();
    for (const auto& one : place->shared) one->connection.close(make_error(Errc::cancelled, "shutting down"));
  }
  co_await scope_.join();
}

}  // namespace cmux::upstream
