// What may happen while an exchange waits: its context is released, runs out of time, or gets another route.
#include "proxy/exchange.hpp"

#include <catch2/catch.hpp>

#include "net/pair.hpp"
#include "policy/credentials.hpp"
#include "proxy/replay.hpp"

using namespace cmux;
using namespace cmux::proxy;
using http::Head;
using http::Next;
using Change = policy::ContextStore::Change;

namespace {

// A client's stream whose head can be held up. Unlike a real one it lets the write succeed even after a reset: as one does whose
// last byte has just left.
class ClientStream final : public http::Stream {
 public:
  Head request;
  Event may_write{true}, writing;
  std::uint16_t status = 0;
  std::string body;
  unsigned resets = 0;
  bool became_tunnel = false;
  net::Pair pair;

  Task<Result<Head*>> read_head() override { co_return &request; }
  Task<Result<http::Body>> read_body() override { co_return make_error(Errc::closed); }
  bool body_ready() const override { return false; }
  void interrupt_body(bool) override {}
  Task<Result<void>> write_head(const Head& head, Next) override {
    writing.set();
    co_await may_write;
    status = head.status;
    co_return Result<void>{};
  }
  Task<Result<void>> write_body(std::string_view bytes, Next, const http::Fields*) override {
    body = bytes;
    co_return Result<void>{};
  }
  void reset(Errc) noexcept override { ++resets; }
  void cancel_on_abort(http::Abortable*) override {}
  std::unique_ptr<net::Transport> into_transport() override {
    became_tunnel = true;
    return std::move(pair.near);
  }
};

// A workspace's port: notes what it is told, and answers with `answer` where that is set.
struct Site {
  std::unique_ptr<net::Listener> listener = *net::Listener::bind(*net::Endpoint::from_ip("127.0.0.1", 0));
  std::vector<std::unique_ptr<net::SocketTransport>> open;
  std::string heard, answer, until = "\r\n\r\n";
  Event connected, asked;
  Scope scope;

  Site() {
    std::function<void(net::Socket)> take = [this](net::Socket socket) {
      open.push_back(std::make_unique<net::SocketTransport>(std::move(socket)));
      connected.set();
      scope.spawn(serve(*open.back()));
    };
    scope.spawn(listener->run(std::move(take)));
  }
  Task<void> serve(net::Transport& transport) {
    co_await net::read_until(transport, until, heard);
    asked.set();
    if (!answer.empty()) co_await net::write_all(transport, answer);
  }
  Task<void> close() {
    listener->close();
    hang_up();
    co_await scope.join();
  }
  void hang_up() {
    for (auto& transport : open) transport->abort(make_error(Errc::closed), false);
  }
  std::string address(std::string_view scheme) const { return std::string(scheme) + "://" + listener->endpoint().text(); }
};

policy::ContextPtr context_of(const std::string& origin, std::string token) {
  auto made = std::make_shared<policy::Context>();
  made->id = "ctx-0-1", made->username = "wc-0-1", made->password = "secret";
  made->route.emplace();
  made->route->cmux_proxy_origin = origin;
  made->route->headers = {{"X-Token", std::move(token)}};
  return made;
}

struct World {
  Options options;
  Worker worker{{std::shared_ptr<void>(), &options}, [](Record) {}};  // not held: tests change them
  Loop& loop = Loop::current();
  Site site, other;
  ClientStream client;
  Entrance entrance;

  World() {
    client.request.method = "GET", client.request.scheme = "http";
    client.request.authority = "localhost:3000", client.request.path = "/";
    client.request.end = true;
  }
  void show_credentials() { client.request.fields.add(http::Name::proxy_authorization, "Basic d2MtMC0xOnNlY3JldA=="); }
  // Runs the exchange; once `when` is set, does `then`.
  template <class Then>
  void run(Event& when, Then then) {
    cmux::run(loop, story(when, then));
  }
  template <class Then>
  Task<void> story(Event& when, Then then) {
    Exchange exchange(worker, entrance, client);
    Scope scope;
    scope.spawn(exchange.run());
    co_await when;
    then();
    co_await scope.join();
    co_await site.close();
    co_await other.close();
    co_await worker.pool().close();
  }
};

}  // namespace

TEST_CASE("exchange: a context that is released while the answer to its CONNECT is held up opens no tunnel") {
  World world;
  const auto context = context_of(world.site.address("http"), "a");
  world.worker.apply(Change::added, context);
  world.show_credentials();
  world.client.request.method = "CONNECT", world.client.request.authority = "localhost:2222";
  world.client.may_write.clear();
  cmux::run(world.loop, net::send(*world.client.pair.far, "\x01raw"));
  world.run(world.client.writing, [&] {
    world.worker.apply(Change::released, context);
    world.client.may_write.set();
  });
  CHECK_FALSE(world.client.became_tunnel);
  CHECK(world.client.resets > 0);
  CHECK(world.site.heard.empty());
}

TEST_CASE("exchange: a CONNECT whose route changes while its answer is held up opens no tunnel") {
  World world;
  const auto context = context_of(world.site.address("http"), "a");
  world.worker.apply(Change::added, context);
  world.show_credentials();
  world.client.request.method = "CONNECT", world.client.request.authority = "localhost:2222";
  world.client.may_write.clear();
  world.run(world.client.writing, [&] {
    world.worker.apply(Change::rerouted, context_of(world.other.address("http"), "b"));
    world.client.may_write.set();
  });
  CHECK_FALSE(world.client.became_tunnel);
  CHECK(world.client.resets > 0);
}

TEST_CASE("exchange: a request that waits for a connection when its route changes goes to the new one") {
  World world;
  world.site.until = "never";
  world.other.answer = "HTTP/1.1 204 No Content\r\n\r\n";
  // A peer that does not go on with the TLS handshake holds the request up.
  world.worker.apply(Change::added, context_of(world.site.address("https"), "old"));
  world.show_credentials();
  world.run(world.site.connected, [&] {
    world.worker.apply(Change::rerouted, context_of(world.other.address("http"), "new"));
    world.site.hang_up();
  });
  CHECK(world.client.status == 204);
  CHECK(world.other.heard.find("X-Token: new\r\n") != std::string::npos);
  CHECK(world.other.heard.find("old") == std::string::npos);
}

TEST_CASE("exchange: an upgrade that waits for its answer when the route changes is ended") {
  World world;
  world.worker.apply(Change::added, context_of(world.site.address("http"), "a"));
  world.show_credentials();
  world.client.request.method = "CONNECT", world.client.request.protocol = "websocket";
  world.run(world.site.asked, [&] { world.worker.apply(Change::rerouted, context_of(world.other.address("http"), "b")); });
  CHECK(world.client.status == 0);
  CHECK(world.client.resets > 0);
  CHECK(world.other.heard.empty());
}

TEST_CASE("exchange: a request that waits for its answer when the route changes gets it") {
  World world;
  world.worker.apply(Change::added, context_of(world.site.address("http"), "a"));
  world.show_credentials();
  world.run(world.site.asked, [&] {
    world.worker.apply(Change::rerouted, context_of(world.other.address("http"), "b"));
    world.site.scope.spawn(net::send(*world.site.open.front(), "HTTP/1.1 204 No Content\r\n\r\n"));
  });
  CHECK(world.client.status == 204);
}

TEST_CASE("exchange: credentials are worthless once their time is over, also where nobody has noticed") {
  World world;
  auto context = std::make_shared<policy::Context>(*context_of(world.site.address("http"), "a"));
  context->expires_at = std::chrono::system_clock::now() - std::chrono::seconds(1);
  world.worker.apply(Change::added, context);
  SECTION("shown with the request") {
    world.show_credentials();
    world.run(world.client.writing, [] {});
    CHECK(world.client.status == 407);
  }
  SECTION("known from the request before") {
    world.show_credentials();
    world.entrance.authenticated = world.worker.session_of("wc-0-1");
    world.entrance.credentials = "Basic d2MtMC0xOnNlY3JldA==";
    world.run(world.client.writing, [] {});
    CHECK(world.client.status == 407);
  }
  SECTION("those of the connection") {
    world.entrance.session = world.worker.session_of("wc-0-1");
    world.run(world.client.writing, [] {});
    CHECK(world.client.status == 407);
  }
  CHECK(world.site.heard.empty());
}

TEST_CASE("exchange: a context has only so many requests open at once") {
  World world;
  world.options.max_per_context = 1;
  world.worker.apply(Change::added, context_of(world.site.address("http"), "a"));
  world.show_credentials();
  world.worker.session_of("wc-0-1")->open_requests = 1;
  world.run(world.client.writing, [] {});
  CHECK(world.client.status == 503);
  CHECK(world.site.heard.empty());
}

TEST_CASE("exchange: every waiting page of a connection names what was asked for, not the first alone") {
  World world;
  world.worker.apply(Change::added, context_of(world.site.address("http"), "a"));
  world.client.request.fields.add(http::Name::accept, "text/html");
  cmux::run(world.loop, world.site.close());
  for (int request = 1; request <= 2; ++request) {
    INFO(request);
    world.client.request.authority = "localhost:3000";  // the request before was made the route's
    world.show_credentials();
    Exchange exchange(world.worker, world.entrance, world.client);
    cmux::run(world.loop, exchange.run());
    CHECK(world.client.status == 502);
    CHECK(world.client.body.find("<title>Waiting for localhost:3000</title>") != std::string::npos);
  }
  CHECK(world.entrance.plan);
  cmux::run(world.loop, world.other.close());
  cmux::run(world.loop, world.worker.pool().close());
}

TEST_CASE("worker: settings that were replaced are let go of") {
  auto options = std::make_shared<const Options>();
  const std::weak_ptr<const Options> first = options;
  Worker worker(std::move(options), [](Record) {});
  worker.apply(std::make_shared<const Options>());
  CHECK(first.expired());
}

TEST_CASE("replay: an answer is waited for only so long") {
  World world;
  world.worker.ring().limit(1 << 20);
  world.worker.apply(Change::added, context_of(world.site.address("http"), "a"));
  inspect::Replay replay;
  replay.of = 7;
  replay.head = world.client.request;
  const auto begun = begin_replay(world.worker, "wc-0-1", replay, milliseconds(50));
  REQUIRE(begun.has_value());
  cmux::run(world.loop, [](World& of, std::uint64_t number) -> Task<void> {
    co_await of.site.asked;
    while (of.worker.counters().open_connections > 0) co_await sleep_for(milliseconds(5));
    const inspect::CapturePtr kept = of.worker.ring().find(number);
    CHECK(kept->state == inspect::State::failed);
    CHECK(kept->error == "cancelled");
    CHECK(kept->replay_of == 7);
    co_await of.site.close();
    co_await of.other.close();
    co_await of.worker.pool().close();
  }(world, *begun));
}
