#include "upstream/pool.hpp"

#include <catch2/catch.hpp>
#include <thread>

#include "net/listener.hpp"
#include "net/pair.hpp"

using namespace cmux;
using namespace cmux::upstream;

namespace {

// An origin that answers every request with 200, or closes.
struct World {
  World() {
    listener = *net::Listener::bind(*net::Endpoint::from_ip("127.0.0.1", 0));
    origin = {false, false, "127.0.0.1", listener->endpoint().port()};
    options.idle_timeout = options.idle_plain = milliseconds(30'000);
    scope.spawn(accept(*this));
  }
  ~World() {
    loop.run(pool.close());
    listener->close();
    loop.run(scope.join());
  }
  static Task<void> accept(World& world) {
    std::function<void(net::Socket)> take = [&world](net::Socket socket) {
      world.scope.spawn(answer(world, std::make_unique<net::SocketTransport>(std::move(socket))));
    };
    co_await world.listener->run(std::move(take));
  }
  static Task<void> answer(World& world, std::unique_ptr<net::SocketTransport> transport) {
    world.last = transport.get();
    while (true) {
      std::string text;
      co_await net::read_until(*transport, "\r\n\r\n", text);
      if (!text.ends_with("\r\n\r\n")) co_return;
      ++world.requests;
      co_await net::send(*transport, world.response);
      if (world.close_after) co_return;
    }
  }

  Loop loop;
  std::unique_ptr<net::Listener> listener;
  Origin origin;
  PoolOptions options;
  net::Resolver resolver;
  Pool pool{resolver, {std::shared_ptr<void>(), &options}};  // not held: tests change them
  Scope scope;
  std::string response = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  bool close_after = false;
  net::SocketTransport* last = nullptr;  // the origin's side of the connection that was accepted last
  unsigned requests = 0;
};

enum class Reuse : std::uint8_t { allowed, checked, fresh };

Wanted wanted(World& world, Reuse reuse) {
  Wanted out;
  out.checked = reuse == Reuse::checked;
  if (reuse == Reuse::fresh) out.newer_than = world.pool.opened();
  return out;
}

// One request; says whether its connection was a kept one.
Task<void> get(World& world, Reuse reuse, std::string& log) {
  auto lease = co_await world.pool.acquire(world.origin, wanted(world, reuse));
  if (!lease) {
    log += "error ";
    co_return;
  }
  log += lease->opening().reused ? "kept " : "new ";
  http::Head head;
  head.method = "GET", head.authority = "a", head.path = "/", head.end = true;
  auto written = co_await lease->stream().write_head(head, http::Next::end);
  auto answer = co_await lease->stream().read_head();
  if (!answer) log += "failed ";
}

std::string ask(World& world, std::initializer_list<Reuse> kinds) {
  std::string log;
  for (const Reuse reuse : kinds) run(world.loop, get(world, reuse, log));
  return log;
}

Task<void> at_once(World& world, unsigned count, std::string& log) {
  std::vector<Lease> leases;
  for (unsigned i = 0; i < count; ++i) {
    auto lease = co_await world.pool.acquire(world.origin, wanted(world, Reuse::allowed));
    log += lease && lease->opening().reused ? "kept " : "new ";
    http::Head head;
    head.method = "GET", head.authority = "a", head.path = "/", head.end = true;
    co_await lease->stream().write_head(head, http::Next::end);
    co_await lease->stream().read_head();
    leases.push_back(std::move(*lease));
  }
}

Task<void> until_empty(World& world) {
  while (world.pool.idle_count() != 0) co_await Yield{};
}

Task<void> unused(World& world) {
  auto lease = co_await world.pool.acquire(world.origin, wanted(world, Reuse::allowed));
  CHECK(lease.has_value());
}

Task<void> dead_end(World& world, Origin origin, Error& out) {
  auto lease = co_await world.pool.acquire(origin, wanted(world, Reuse::allowed));
  if (!lease) out = lease.error();
}

using enum Reuse;

}  // namespace

TEST_CASE("a connection is lent again") {
  World world;
  CHECK(ask(world, {allowed, allowed, checked}) == "new kept kept ");
  CHECK(world.pool.opened() == 1);
  CHECK(world.pool.idle_count() == 1);
  CHECK(world.requests == 3);
}

TEST_CASE("fresh opens another one, and both are kept") {
  World world;
  CHECK(ask(world, {allowed, fresh, allowed}) == "new new kept ");
  CHECK(world.pool.opened() == 2);
  CHECK(world.pool.idle_count() == 2);
}

namespace {

Task<void> retry_after(World& world, std::uint64_t failed, bool& reused) {
  Wanted out;
  out.newer_than = failed;
  auto lease = co_await world.pool.acquire(world.origin, out);
  reused = !lease || lease->opening().reused;
}

}  // namespace

TEST_CASE("a retry gets a new connection, though a kept one be newer than the one that failed") {
  World world;
  ask(world, {allowed, fresh});
  CHECK(world.pool.idle_count() == 2);
  bool reused = true;
  run(world.loop, retry_after(world, 1, reused));
  CHECK_FALSE(reused);
}

TEST_CASE("no more than max_idle are kept") {
  World world;
  world.options.max_idle = 2;
  std::string log;
  run(world.loop, at_once(world, 4, log));
  CHECK(log == "new new new new ");
  CHECK(world.pool.idle_count() == 2);
  CHECK(ask(world, {allowed}) == "kept ");
}

TEST_CASE("a connection that says close is not kept") {
  World world;
  world.response = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
  CHECK(ask(world, {allowed, allowed}) == "new new ");
  CHECK(world.pool.idle_count() == 0);
}

TEST_CASE("a connection that was never used is not kept") {
  World world;
  run(world.loop, unused(world));
  CHECK(world.pool.idle_count() == 0);
}

TEST_CASE("a kept connection is dropped when its peer closes") {
  World world;
  world.close_after = true;
  CHECK(ask(world, {allowed}) == "new ");
  run(world.loop, until_empty(world));
  CHECK(ask(world, {allowed}) == "new ");
  CHECK(world.pool.opened() == 2);
  run(world.loop, until_empty(world));
}

TEST_CASE("a kept connection is dropped when its time is over") {
  World world;
  world.options.idle_timeout = milliseconds(10);
  CHECK(ask(world, {allowed}) == "new ");
  run(world.loop, until_empty(world));
  CHECK(world.pool.opened() == 1);
}

namespace {

// The peer's FIN and the end of the idle time come in the same turn of a loop that was held up.
Task<void> both_at_once(World& world) {
  std::string log;
  co_await get(world, allowed, log);
  world.last->shutdown_write();
  std::this_thread::sleep_for(milliseconds(60));  // style: the stall itself
  while (world.pool.idle_count() != 0) co_await Yield{};
  co_await sleep_for(milliseconds(30));
}

}  // namespace

TEST_CASE("a kept connection that ends and runs out of time at once is dropped once") {
  World world;
  world.options.idle_timeout = milliseconds(10);
  run(world.loop, both_at_once(world));
  CHECK(world.pool.idle_count() == 0);
}

TEST_CASE("a connection is not kept for as long as its peer keeps it") {
  World world;
  world.response = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nKeep-Alive: timeout=1\r\n\r\n";
  CHECK(ask(world, {allowed, allowed}) == "new new ");
  world.response = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nKeep-Alive: timeout=600, max=9\r\n\r\n";
  CHECK(ask(world, {allowed, allowed}) == "new kept ");
}

TEST_CASE("where its peer says nothing, a connection without TLS is kept for a time of its own") {
  World world;
  world.options.idle_plain = milliseconds(0);
  CHECK(ask(world, {allowed, allowed}) == "new new ");
}

TEST_CASE("after a sleep no kept connection is used") {
  static milliseconds slept;
  slept = milliseconds(0);
  World world;
  world.options.time_asleep = [] { return slept; };
  CHECK(ask(world, {allowed, allowed}) == "new kept ");
  slept = milliseconds(500);
  CHECK(ask(world, {allowed}) == "kept ");
  slept = milliseconds(60'000);
  CHECK(ask(world, {allowed, allowed}) == "new kept ");
}

namespace {

Task<void> reload(World& world, bool& held, bool& free) {
  auto first = std::make_shared<const PoolOptions>(world.options);
  const std::weak_ptr<const PoolOptions> watched = first;
  Pool pool(world.resolver, std::move(first));
  {
    auto lease = co_await pool.acquire(world.origin, wanted(world, allowed));
    REQUIRE(lease.has_value());
    pool.apply(std::make_shared<const PoolOptions>(world.options));
    held = !watched.expired();
  }
  pool.clear();
  free = watched.expired();
  co_await pool.close();
}

}  // namespace

TEST_CASE("settings that do not hold any more are kept for as long as a connection keeps to them") {
  World world;
  bool held = false, free = false;
  run(world.loop, reload(world, held, free));
  CHECK(held);
  CHECK(free);
}

TEST_CASE("clear closes what is idle") {
  World world;
  ask(world, {allowed, fresh});
  world.pool.clear();
  CHECK(world.pool.idle_count() == 0);
  CHECK(ask(world, {allowed}) == "new ");
}

TEST_CASE("errors say that they are upstream's, and where") {
  World world;
  Error error;
  run(world.loop, dead_end(world, {false, false, "127.0.0.1", 1}, error));
  CHECK(error.side == Side::upstream);
  CHECK(error.retryable);
  CHECK(error.detail.find("127.0.0.1") != std::string::npos);
}

namespace {

// At each nobody listens.
Task<void> ask_everywhere(World& world, unsigned count) {
  Origin origin{false, false, "127.0.0.1", 1};
  const Wanted nothing;
  for (unsigned i = 0; i < count; ++i) {
    origin.host = "127.0." + std::to_string(i / 200) + "." + std::to_string(1 + i % 200);
    auto lease = co_await world.pool.acquire(origin, nothing);
    CHECK_FALSE(lease.has_value());
  }
}

Task<void> give_up(World& world, Claim& claim, std::string& log) {
  const Wanted nothing;
  auto lease = co_await world.pool.acquire(world.origin, nothing, &claim);
  log += lease ? "lease " : std::string(name_of(lease.error().code)) + " ";
}

}  // namespace

TEST_CASE("what is known of origins that nobody uses any more is forgotten") {
  World world;
  CHECK(ask(world, {allowed}) == "new ");
  run(world.loop, ask_everywhere(world, 1'000));
  CHECK(world.pool.places() <= 200);
  CHECK(ask(world, {allowed}) == "kept ");
}

TEST_CASE("a claim that is given up ends the wait, and what was opened for it is no lease") {
  World world;
  Claim claim;
  std::string log;
  claim.reset(Errc::cancelled);
  run(world.loop, give_up(world, claim, log));
  CHECK(log == "cancelled ");
  CHECK(world.pool.idle_count() == 0);
  CHECK(ask(world, {allowed, allowed}) == "new kept ");
}

TEST_CASE("origins as text") {
  CHECK(Origin{true, false, "a.test", 443}.text() == "https://a.test:443");
  CHECK(Origin{false, false, "::1", 80}.text() == "http://[::1]:80");
  CHECK(Origin{false, true, "a", 39379}.text() == "h2c://a:39379");
  CHECK(Origin{false, false, "a", 1} != Origin{false, true, "a", 1});
  CHECK(Origin{false, false, "a", 1} != Origin{true, false, "a", 1});
  CHECK(Origin{false, false, "a", 1} == Origin{false, false, "a", 1});
}
