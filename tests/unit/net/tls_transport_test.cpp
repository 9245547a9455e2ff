#include "net/tls_transport.hpp"

#include <catch2/catch.hpp>

#include "net/pair.hpp"
#include "tls/client.hpp"
#include "tls/server.hpp"
#include "tls/tls_world.hpp"

using namespace cmux;
using namespace cmux::net;

namespace {

Task<void> shake(TlsTransport& transport) {
  auto done = co_await transport.handshake();
  CHECK(done.has_value());
}

Task<void> shake_both(TlsTransport& near, TlsTransport& far) {
  Scope scope;
  scope.spawn(shake(near));
  scope.spawn(shake(far));
  co_await scope.join();
}

// The peer says its last, takes nothing of what is written, and is gone. What the write says then.
Task<void> write_to_the_end(TlsTransport& near, std::unique_ptr<TlsTransport> far, Io::State& last) {
  far->shutdown_write();
  std::string seen;
  co_await read_to_end(near, seen);
  const std::string_view piece("one more piece of what nobody takes");
  while (near.write({&piece, 1}).state == Io::State::moved) {}
  far.reset();
  Io io = Io::blocked();
  while (io.state == Io::State::blocked) {
    co_await near.writable();
    io = near.write({&piece, 1});
  }
  last = io.state;
}

}  // namespace

// As an end it would be neither progress nor a failure, and the writer would try for ever.
TEST_CASE("tls transport: a write that fails behind the peer's farewell has failed") {
  const tls::StateDirectory directory;
  const auto authority = directory.open();
  Loop loop;
  const auto server = *tls::ServerContext::create(*authority);
  const auto client = *tls::ClientContext::create({{}, true});
  Pair pair;
  TlsTransport near(std::move(pair.near), server->make("localhost"));
  auto far = std::make_unique<TlsTransport>(std::move(pair.far), client->make("localhost", "localhost", {}));
  loop.run(shake_both(near, *far));
  Io::State last = Io::State::moved;
  loop.run(write_to_the_end(near, std::move(far), last));
  CHECK(last == Io::State::failed);
}
