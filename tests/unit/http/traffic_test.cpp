#include "http/traffic.hpp"

#include <catch2/catch.hpp>

#include "base/run.hpp"
#include "http/fake_stream.hpp"

using namespace cmux;
using namespace cmux::http;

namespace {

struct Tunnel {
  Tunnel() { client.silent = server.silent = true; }
  Task<void> run() { outcome = co_await relay_tunnel(client, server, traffic); }
  Task<void> end() {
    Scope scope;
    scope.spawn(run());
    co_await Yield{};
    traffic.end_at_rest(client, server);
    co_await scope.join();
  }

  Loop loop;
  FakeStream client, server;
  Traffic traffic;
  Result<void> outcome = make_error(Errc::system);
};

// Takes a piece only when it may.
class SlowStream final : public Stream {
 public:
  Event may;
  bool took = false;
  Task<Result<Head*>> read_head() override { co_return make_error(Errc::unsupported); }
  Task<Result<Body>> read_body() override {
    co_await interrupted_;
    co_return make_error(Errc::cancelled);
  }
  bool body_ready() const override { return false; }
  void interrupt_body(bool on) override {
    if (on) interrupted_.set();
  }
  Task<Result<void>> write_head(const Head&, Next) override { co_return Result<void>{}; }
  Task<Result<void>> write_body(std::string_view, Next next, const Fields*) override {
    co_await may;
    took = took || next != Next::end;
    co_return Result<void>{};
  }
  void reset(Errc) noexcept override { interrupted_.set(); }
  void cancel_on_abort(Abortable*) override {}
  std::unique_ptr<net::Transport> into_transport() override { return nullptr; }

 private:
  Event interrupted_;
};

}  // namespace

TEST_CASE("traffic: a tunnel that rests ends, and each side gets the other's end") {
  Tunnel tunnel;
  run(tunnel.loop, tunnel.end());
  CHECK(tunnel.outcome.has_value());
  CHECK(tunnel.client.written == ".");
  CHECK(tunnel.server.written == ".");
  CHECK(tunnel.client.resets + tunnel.server.resets == 0);
}

TEST_CASE("traffic: bytes put the end off, those of a client for longer") {
  for (const bool asked : {false, true}) {
    CAPTURE(asked);
    Tunnel tunnel;
    (asked ? tunnel.client : tunnel.server).pieces = {{"bytes", false, true}};
    const auto start = Clock::now();
    run(tunnel.loop, tunnel.end());
    CHECK(tunnel.outcome.has_value());
    CHECK((asked ? tunnel.server : tunnel.client).written == "bytes|.");
    // The loop's clock may be a little behind.
    CHECK(Clock::now() - start > (asked ? Traffic::kAnswer : Traffic::kRest) - milliseconds(50));
  }
}

TEST_CASE("traffic: what a side has not taken yet is under way, however long it takes") {
  Loop loop;
  FakeStream server;
  server.silent = true;
  server.pieces = {{"bytes"}};
  SlowStream client;
  struct Run {
    static Task<void> tunnel(FakeStream& upstream, SlowStream& downstream, Traffic& traffic, Result<void>& out) {
      out = co_await relay_tunnel(downstream, upstream, traffic);
    }
    static Task<void> all(FakeStream& upstream, SlowStream& downstream, Result<void>& out, bool& early) {
      Traffic traffic;
      Scope scope;
      scope.spawn(tunnel(upstream, downstream, traffic, out));
      traffic.end_at_rest(downstream, upstream);
      co_await sleep_for(3 * Traffic::kRest);
      early = traffic.over();
      downstream.may.set();
      co_await scope.join();
    }
  };
  Result<void> out = make_error(Errc::system);
  bool early = true;
  run(loop, Run::all(server, client, out, early));
  CHECK_FALSE(early);
  CHECK(client.took);
  CHECK(out.has_value());
}
