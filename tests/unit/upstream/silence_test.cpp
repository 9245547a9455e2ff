// Connections of which nobody knows whether they still stand: HTTP/2 asks before it uses them, HTTP/1.1 does not use them.
#include <catch2/catch.hpp>

#include "http2/server.hpp"
#include "net/listener.hpp"
#include "net/pair.hpp"
#include "upstream/pool.hpp"

using namespace cmux;
using namespace cmux::upstream;

namespace {

milliseconds slept{0};

// A socket whose bytes can be held up, both ways, as where the route has gone.
class Gate final : public net::Transport {
 public:
  explicit Gate(net::Socket socket) : below_(std::move(socket)) {}
  void shut(bool on) {
    shut_ = on;
    if (!on) below_.readable().set();
  }
  unsigned requests = 0;

  net::Io write(net::Pieces pieces) override { return below_.write(pieces); }
  Event& readable() override { return below_.readable(); }
  Event& writable() override { return below_.writable(); }
  void shutdown_write() override { below_.shutdown_write(); }
  void abort(Error error, bool hard) noexcept override {
    shut_ = false;
    error_ = error;
    below_.abort(std::move(error), hard);
  }
  bool hung_up() const override { return below_.hung_up(); }
  void on_hang_up(void (*callback)(void*), void* argument) override { below_.on_hang_up(callback, argument); }
  bool broken() const override { return below_.broken(); }
  bool may_read() const override { return below_.may_read(); }

 protected:
  net::Io read_through(std::span<char> into) override {
    if (!shut_) return below_.read(into);
    below_.readable().clear();
    return net::Io::blocked();
  }

 private:
  net::SocketTransport below_;
  bool shut_ = false;
};

class Site final : public http::Handler {
 public:
  explicit Site(Gate& gate) : gate_(gate) {}
  Task<void> serve(http::Stream& stream) override {
    ++gate_.requests;
    co_await stream.read_head();
    http::Head answer;
    answer.status = 200, answer.end = true;
    co_await stream.write_head(answer, http::Next::end);
  }

 private:
  Gate& gate_;
};

// An origin that speaks HTTP/2 by prior knowledge.
struct World {
  explicit World(milliseconds patience, milliseconds interval = milliseconds(0)) {
    slept = milliseconds(0);
    options.time_asleep = [] { return slept; };
    options.http2.ping_interval = interval;
    options.http2.ping_patience = patience;
    options.http2.ping_timeout = milliseconds(60'000);
    listener = *net::Listener::bind(*net::Endpoint::from_ip("127.0.0.1", 0));
    origin = {false, true, "127.0.0.1", listener->endpoint().port()};
    pool = std::make_unique<Pool>(resolver, std::make_shared<const PoolOptions>(options));
    scope.spawn(accept(*this));
  }
  ~World() {
    for (Gate* gate : gates) gate->shut(false);
    loop.run(pool->close());
    listener->close();
    loop.run(scope.join());
  }
  static Task<void> accept(World& world) {
    std::function<void(net::Socket)> take = [&world](net::Socket socket) {
      world.scope.spawn(serve(world, std::make_unique<Gate>(std::move(socket))));
    };
    co_await world.listener->run(std::move(take));
  }
  static Task<void> serve(World& world, std::unique_ptr<Gate> gate) {
    Site site(*gate);
    world.gates.push_back(gate.get());
    co_await http2::serve(std::move(gate), site, world.server, world.open);
  }

  Loop loop;
  std::unique_ptr<net::Listener> listener;
  Origin origin;
  PoolOptions options;
  http2::Options server;
  std::set<http::Drainable*> open;
  net::Resolver resolver;
  std::unique_ptr<Pool> pool;
  std::vector<Gate*> gates;
  Scope scope;
};

Task<void> get(World& world, std::string& log) {
  Wanted wanted;
  auto lease = co_await world.pool->acquire(world.origin, wanted);
  if (!lease) {
    log = lease.error().detail;
    co_return;
  }
  log = lease->opening().reused ? "kept" : "new";
  http::Head head;
  head.method = "GET", head.scheme = "http", head.authority = "a", head.path = "/", head.end = true;
  co_await lease->stream().write_head(head, http::Next::end);
  auto answer = co_await lease->stream().read_head();
  if (!answer) log += " failed";
}

std::string ask(World& world) {
  std::string log;
  run(world.loop, get(world, log));
  return log;
}

}  // namespace

TEST_CASE("after a sleep an HTTP/2 connection that still stands is used on") {
  World world(milliseconds(30'000));
  CHECK(ask(world) == "new");
  CHECK(ask(world) == "kept");
  slept = milliseconds(3'600'000);
  CHECK(ask(world) == "kept");
  CHECK(ask(world) == "kept");
  CHECK(world.pool->opened() == 1);
}

TEST_CASE("an HTTP/2 connection that does not answer takes no requests until it does") {
  // It has slept, or has been silent for longer than the interval: anything is.
  for (const bool sleeps : {true, false}) {
    CAPTURE(sleeps);
    World world(milliseconds(20), milliseconds(sleeps ? 0 : 1));
    CHECK(ask(world) == "new");
    REQUIRE(world.gates.size() == 1);
    world.gates[0]->shut(true);
    if (sleeps) slept = milliseconds(3'600'000);
    else run(world.loop, sleep_for(milliseconds(5)));
    CHECK(ask(world) == "new");
    CHECK(world.pool->opened() == 2);
    REQUIRE(world.gates.size() == 2);
    CHECK(world.gates[0]->requests == 1);
    if (!sleeps) continue;
    CHECK(ask(world) == "kept");
    CHECK(world.gates[1]->requests == 2);
    world.gates[0]->shut(false);
    for (int i = 0; i < 1'000 && world.gates[0]->requests == 1; ++i) CHECK(ask(world) == "kept");
    CHECK(world.gates[0]->requests == 2);
  }
}
