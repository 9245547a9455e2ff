#include "upstream/pool.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/check.hpp"
#include "net/descriptors.hpp"
#include "upstream/place.hpp"

namespace cmux::upstream {
namespace {

constexpr std::string_view kHttp1("\x08http/1.1");
constexpr std::string_view kBoth("\x02h2\x08http/1.1");

bool is_end_to_end(const Wanted& wanted) { return wanted.upgrade || wanted.end_to_end; }

}  // namespace

// Of every request that is told of: without a format.
std::string Origin::text() const {
  const bool ipv6 = host.find(':') != std::string::npos;
  std::string out = h2c ? "h2c://" : tls ? "https://" : "http://";
  out.reserve(out.size() + host.size() + 8);
  if (ipv6) out.append("[").append(host).append("]:");
  else out.append(host).append(":");
  return out.append(std::to_string(port));
}

Pool::Pool(net::Resolver& resolver, std::shared_ptr<const PoolOptions> options)
    : options_(std::move(options)), dialler_(resolver, options_), asleep_(options_->time_asleep()) {}
Pool::~Pool() {
  for (auto& [origin, place] : places_) place->idle.clear();
}

std::shared_ptr<Place> Pool::place_of(const Origin& origin) {
  if (const auto found = places_.find(origin); found != places_.end()) return found->second;
  if (places_.size() >= sweep_at_) {
    std::erase_if(places_, [](const auto& entry) { return entry.second.use_count() == 1; });
    sweep_at_ = std::max(sweep_at_, 2 * places_.size());
  }
  auto place = std::make_shared<Place>();
  place->origin = origin;
  place->h2c = speaks_h2c(origin);
  return places_[origin] = std::move(place);
}

bool Pool::speaks_h2c(const Origin& origin) const {
  const auto listed = [&](const std::string& pattern) { return net::matches_glob(pattern, origin.host); };
  return origin.h2c || (!origin.tls && std::any_of(options_->h2c_hosts.begin(), options_->h2c_hosts.end(), listed));
}

Task<Result<Lease>> Pool::acquire(const Origin& origin, Wanted wanted, Claim* claim) {
  notice_sleep();
  const std::shared_ptr<Place> place = place_of(origin);
  if (wanted.checked && !place->shared.empty()) {
    // News of a closed connection may be there already: its reader runs first.
    for (const auto& one : place->shared) one->connection.look();
    co_await Yield{};
  }
  Lease lease;
  CMUX_INVARIANTS(*this);
  if (take_shared(*place, wanted, lease) || take_kept(*place, wanted, lease)) co_return std::move(lease);
  Claim unclaimed;
  auto waited = co_await wait(place, wanted, claim ? *claim : unclaimed);
  // Whatever this one was woken for and has not taken is the next one's.
  place->wake_some();
  CMUX_INVARIANTS(*this);
  co_return waited;
}

Task<Result<Lease>> Pool::wait(std::shared_ptr<Place> place, Wanted wanted, Claim& claim) {
  Lease lease;
  Waiter waiter;
  Deadline late(
      [](void* argument) {
        auto& self = *static_cast<Waiter*>(argument);
        self.unlink();
        self.failed = make_error(Errc::limit, "no stream has become free in time");
        self.woken.set();
      },
      &waiter);
  late.after(options_->http2.response_timeout);
  for (int tries = 0;;) {
    if (claim.given_up_) co_return make_error(Errc::cancelled, "the client has gone");
    if (waiter.failed) co_return upstream_error(*waiter.failed, place->origin);
    if (take_shared(*place, wanted, lease) || take_kept(*place, wanted, lease)) co_return std::move(lease);
    const Offer offer = offer_to(*place, wanted);
    if (offer == Offer::http1 || place->may_open(wanted.newer_than)) {
      // An upgrade, on a connection that is to say first whether it takes them. One that says so and has no room is no use.
      if (++tries > 3) co_return upstream_error(make_error(Errc::limit, "new connections take no streams"), place->origin);
      auto attempt = std::make_shared<Attempt>();
      scope_.spawn(open(place, offer, wanted, attempt));
      claim.waits_ = &attempt->over;
      while (!attempt->done && !claim.given_up_) {
        attempt->over.clear();
        co_await attempt->over;
      }
      claim.waits_ = nullptr;
      attempt->abandoned = true;
      if (claim.given_up_) continue;
      if (attempt->failed) co_return *attempt->failed;
      if (attempt->lease) co_return std::move(attempt->lease);
      continue;
    }
    CMUX_CHECK(!waiter.linked(), "who was woken is off the list");
    waiter.woken.clear();
    place->queue(waiter);
    claim.waits_ = &waiter.woken;
    co_await waiter.woken;
    claim.waits_ = nullptr;
    waiter.unlink();
  }
}

Pool::Offer Pool::offer_to(const Place& place, const Wanted& wanted) const {
  if (!options_->offer_http2 || place.needs_http1) return Offer::http1;
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
    if (!one->connection.trusted()) continue;
    CMUX_CHECK(!lease, "a lease is for one connection");
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
  const auto fits = [&](const std::unique_ptr<Kept>& kept) { return !is_end_to_end(wanted) || !kept->connection.is_to_proxy(); };
  while (true) {
    const auto found = std::find_if(place.idle.rbegin(), place.idle.rend(), fits);
    if (found == place.idle.rend()) return false;
    auto kept = std::move(*found);
    place.idle.erase(std::next(found).base());
    kept->connection.watch_idle(nullptr, nullptr, milliseconds(0));
    if (!kept->connection.reusable() || kept->connection.has_ended(wanted.checked)) continue;
    CMUX_CHECK(kept->serial > place.stale, "what was opened under other settings is not used again");
    CMUX_CHECK(kept->place.get() == &place, "a connection is used for the origin that it was opened to");
    lease.serial_ = kept->serial;
    lease.kept_ = std::move(kept);
    lease.opening_.reused = true;
    return true;
  }
}

// Opens a connection, and takes it for the lease: but for one of HTTP/2 that an upgrade is meant for, or that nobody waits for
// any more.
Task<void> Pool::open(std::shared_ptr<Place> place, Offer offer, Wanted wanted, std::shared_ptr<Attempt> attempt) {
  // Where the protocol is known to be HTTP/1.1 everybody opens connections of their own.
  const bool alone = offer == Offer::h2c || (offer == Offer::both && !place->http1);
  // Even where connecting throws, nobody may be left waiting for it.
  struct Opener {
    Place& place;
    Attempt& attempt;
    bool alone;
    ~Opener() {
      CMUX_CHECK(!attempt.done, "an attempt is over once");
      attempt.done = true;
      attempt.over.set();
      if (!alone) return;
      place.opening = false;
      if (attempt.failed) place.wake(SIZE_MAX, &*attempt.failed);
      else place.wake_some();
    }
  } opener{*place, *attempt, alone};
  CMUX_CHECK(!alone || !place->opening, "one opens for all who wait");
  if (alone) place->opening = true;
  Lease& lease = attempt->lease;
  auto reached = co_await connect(place->origin, offer, wanted, lease.opening_);
  if (!reached) {
    attempt->failed = reached.error();
    co_return;
  }
  const std::uint64_t serial = opened_;
  if (offer == Offer::h2c || reached->transport->alpn() == "h2") {
    place->http1 = false;
    auto shared = std::make_shared<Shared>(std::move(*reached), options_, place, serial);
    for (const auto& one : place->shared) shared->connection.learn(one->connection.learned());
    place->shared.push_back(shared);
    if (!wanted.upgrade && !attempt->abandoned) {
      lease.shared_ = shared;
      lease.stream_ = shared->connection.open();
      lease.serial_ = serial;
    }
    scope_.spawn(run_shared(std::move(shared)));
  } else {
    if (offer == Offer::both) place->http1 = true;
    if (attempt->abandoned) co_return;
    lease.kept_ = std::make_unique<Kept>(this, place, serial, std::move(*reached));
    lease.serial_ = serial;
  }
}

Task<void> Pool::run_shared(std::shared_ptr<Shared> shared) {
  Place& place = *shared->place;
  co_await shared->connection.run();
  CMUX_CHECK(shared->connection.spent(), "a connection that is over takes no streams");
  place.needs_http1 = place.needs_http1 || shared->connection.http1_required();
  std::erase(place.shared, shared);
  // Who waits for the first word of a peer that never said one would only wait for the next one like it.
  const Error error = upstream_error(shared->connection.failure(), place.origin, shared->parent);
  if (shared->connection.settled()) place.wake_some();
  else place.wake(SIZE_MAX, &error);
}

Task<Result<Reached>> Pool::connect(const Origin& origin, Offer offer, const Wanted& wanted, Opening& opening) {
  net::Claim claim;
  if (!claim.granted()) co_return upstream_error(make_error(Errc::limit, "too many descriptors are in use"), origin);
  const bool readable = !origin.tls && offer == Offer::http1 && !is_end_to_end(wanted);
  std::string client = wanted.client ? *wanted.client : std::string();
  auto reached = co_await dialler_.reach(origin, readable ? Use::requests : Use::bytes, &opening.dial, std::move(client));
  claim.end();
  if (!reached) co_return upstream_error(reached.error(), origin);
  ++opened_;
  CMUX_CHECK(reached->transport != nullptr, "what was reached has a transport");
  if (!origin.tls) co_return std::move(reached);
  const auto start = Clock::now();
  auto secured = co_await dialler_.secure(std::move(reached->transport), origin, offer == Offer::both ? kBoth : kHttp1);
  if (!secured) co_return upstream_error(secured.error(), origin, reached->parent);
  opening.tls = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start);
  reached->transport = std::move(*secured);
  co_return std::move(reached);
}

void Pool::keep(std::unique_ptr<Kept> kept) {
  CMUX_CHECK(kept->pool == this, "a connection goes back where it came from");
  if (kept->serial <= kept->place->stale) return;
  const milliseconds usual = kept->place->origin.tls ? options_->idle_timeout : options_->idle_plain;
  const milliseconds time = kept->connection.kept_for(usual, options_->idle_timeout);
  if (time.count() <= 0) return;
  auto& list = kept->place->idle;
  if (list.size() >= options_->max_idle) list.erase(list.begin());
  list.push_back(std::move(kept));
  Kept* const idle = list.back().get();
  idle->connection.watch_idle([](void* gone) { static_cast<Kept*>(gone)->pool->drop(static_cast<Kept*>(gone)); }, idle, time);
}

void Pool::drop(Kept* kept) {
  kept->connection.watch_idle(nullptr, nullptr, milliseconds(0));  // the timer and the hang-up may both come: once is enough
  auto& list = kept->place->idle;
  const auto found = std::find_if(list.begin(), list.end(), [&](const auto& item) { return item.get() == kept; });
  CMUX_CHECK(found != list.end(), "only who is idle is watched");
  // Told by the connection's own timer or transport, which must outlive this call.
  std::shared_ptr<Kept> owned = std::move(*found);
  list.erase(found);
  Loop::current().post([owned] {});
}

// A machine that has slept does not know which of its connections still stand, and no deadline has counted the time.
void Pool::notice_sleep() {
  constexpr milliseconds kNap{1'000};
  const milliseconds asleep = options_->time_asleep();
  if (asleep - std::exchange(asleep_, asleep) < kNap) return;
  for (auto& [origin, place] : places_) {
    place->idle.clear();
    for (const auto& one : place->shared) one->connection.doubt();
  }
}

void Pool::apply(std::shared_ptr<const PoolOptions> options) {
  const auto before = std::exchange(options_, std::move(options));
  const PoolOptions& now = *options_;
  dialler_.apply(options_);
  if (now.tls == before->tls && now.parents == before->parents && now.h2c_hosts == before->h2c_hosts) return;
  for (auto& [origin, place] : places_) {
    place->h2c = speaks_h2c(origin);
    place->stale = opened_;
  }
  clear();
}

void Pool::invariants() const {
  for (const auto& [origin, place] : places_) {
    CMUX_CHECK(!(place->origin < origin) && !(origin < place->origin), "a place is found by its origin");
    CMUX_CHECK(place->idle.size() <= std::max(options_->max_idle, std::size_t{1}), "idle connections have a bound");
    CMUX_CHECK(place->idle.size() <= place->kept, "a place counts its connections");
    CMUX_CHECK(place->stale <= opened_, "what is stale was opened before");
    for (const auto& kept : place->idle) {
      CMUX_CHECK(kept->place == place, "an idle connection knows its place");
      CMUX_CHECK(kept->serial <= opened_, "connections are numbered as they are opened");
    }
    std::uint64_t last = 0;
    for (const auto& shared : place->shared) {
      CMUX_CHECK(shared->place == place, "a shared connection knows its place");
      CMUX_CHECK(shared->serial > last && shared->serial <= opened_, "connections are numbered as they are opened");
      last = shared->serial;
      shared->connection.invariants();
    }
    last = 0;
    for (const Link* link = place->waiting.next(); link != &place->waiting; link = link->next()) {
      const auto& waiter = static_cast<const Waiter&>(*link);
      CMUX_CHECK(waiter.ticket > last && waiter.ticket <= place->tickets, "first come, first served");
      last = waiter.ticket;
    }
  }
}

std::size_t Pool::open_count() const {
  std::size_t count = 0;
  for (const auto& [origin, place] : places_) count += place->kept + place->shared.size();
  return count;
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
    place->idle.clear();  // places_ holds the place
    for (const auto& one : place->shared) one->connection.shut_down();
  }
}

Task<void> Pool::close() {
  for (auto& [origin, place] : places_) {
    place->idle.clear();
    const Error error = make_error(Errc::cancelled, "shutting down");
    place->wake(SIZE_MAX, &error);
    for (const auto& one : place->shared) one->connection.close(make_error(Errc::cancelled, "shutting down"));
  }
  co_await scope_.join();
}

}  // namespace cmux::upstream
