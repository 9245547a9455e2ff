#include "net/dial.hpp"

#include <catch2/catch.hpp>

#include "net/listener.hpp"
#include "net/pair.hpp"

using namespace cmux;
using namespace cmux::net;

namespace {

using Dialled = Result<std::unique_ptr<SocketTransport>>;

Task<void> connect(Resolver& resolver, std::string host, std::uint16_t port, const DialOptions& options, Dialled& out,
                   DialTiming* timing) {
  out = co_await dial(resolver, host, port, options, timing);
}

Task<void> connect_to(Endpoint endpoint, milliseconds timeout, Dialled& out) { out = co_await dial(endpoint, timeout); }

// A port on which connections are refused, for as long as it lives.
class DeadPort {
 public:
  explicit DeadPort(const char* ip = "127.0.0.1") : socket_(*Socket::open(Endpoint::from_ip(ip, 0)->storage.ss_family)) {
    endpoint = *Endpoint::from_ip(ip, 0);
    REQUIRE(bind(socket_.get(), reinterpret_cast<const sockaddr*>(&endpoint.storage), endpoint.size) == 0);
    getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&endpoint.storage), &endpoint.size);
  }
  Endpoint endpoint;

 protected:
  Socket socket_;
};

// A port whose queue of new connections is full: nobody answers.
class FullPort : public DeadPort {
 public:
  FullPort() {
    listen(socket_.get(), 0);
    for (Socket& filler : fillers_) {
      filler = *Socket::open(AF_INET);
      static_cast<void>(::connect(filler.get(), reinterpret_cast<const sockaddr*>(&endpoint.storage), endpoint.size));
    }
  }

 private:
  Socket fillers_[8];
};

Dialled dialled(std::string host, std::uint16_t port, const DialOptions& options = {}, DialTiming* timing = nullptr) {
  Resolver resolver;
  Dialled out = make_error(Errc::system);
  run(Loop::current(), connect(resolver, std::move(host), port, options, out, timing));
  return out;
}

}  // namespace

TEST_CASE("dial connects") {
  Loop loop;
  auto listener = *Listener::bind(*Endpoint::from_ip("127.0.0.1", 0));
  DialTiming timing;
  const auto socket = dialled("127.0.0.1", listener->endpoint().port(), {}, &timing);
  REQUIRE(socket.has_value());
  CHECK((*socket)->peer().text() == listener->endpoint().text());
  CHECK((*socket)->local().is_loopback());
  CHECK(timing.connect.count() > 0);
}

TEST_CASE("dial uses overrides, with their port") {
  Loop loop;
  auto listener = *Listener::bind(*Endpoint::from_ip("127.0.0.1", 0));
  Resolver resolver({*parse_override("*.cmux.test=" + listener->endpoint().text())});
  Dialled out = make_error(Errc::system);
  const DialOptions options;
  run(loop, connect(resolver, "a.cmux.test", 443, options, out, nullptr));
  CHECK(out.has_value());
}

TEST_CASE("a refused connection says where, and may be retried") {
  Loop loop;
  const DeadPort dead;
  const auto socket = dialled("127.0.0.1", dead.endpoint.port());
  REQUIRE(socket.has_error());
  CHECK(socket.error().code == Errc::refused);
  CHECK(socket.error().retryable);
  CHECK(socket.error().detail.find(dead.endpoint.text()) != std::string::npos);
}

TEST_CASE("the second address is tried at once when the first is dead") {
  Loop loop;
  const DeadPort dead;  // localhost is 127.0.0.1 first
  auto listener = Listener::bind(*Endpoint::from_ip("::1", dead.endpoint.port()));
  if (!listener) {
    WARN("no IPv6 here: " << listener.error().detail);
    return;
  }
  const auto socket = dialled("localhost", dead.endpoint.port());
  REQUIRE(socket.has_value());
  CHECK((*socket)->peer().text() == (*listener)->endpoint().text());
}

TEST_CASE("of several addresses that fail a refusal is told, with all that refused") {
  Loop loop;
  const DeadPort first;
  const Endpoint forbidden = *Endpoint::from_ip("255.255.255.255", 1);  // by the system, at once
  std::vector<Endpoint> all{forbidden, first.endpoint, forbidden};
  Lookups lookups([&all](const std::string&) { return Lookups::Answer(all); });
  Resolver resolver({}, &lookups);
  Dialled out = make_error(Errc::system);
  const DialOptions options;
  run(loop, connect(resolver, "several.test", first.endpoint.port(), options, out, nullptr));
  REQUIRE(out.has_error());
  CHECK(out.error().code == Errc::refused);
  CHECK(out.error().detail.find("connect to " + first.endpoint.text() + ":") != std::string::npos);
}

TEST_CASE("an address of our own is never dialled, whichever of several it is") {
  Loop loop;
  auto listener = *Listener::bind(*Endpoint::from_ip("127.0.0.1", 0));
  for (const std::string_view own : {"127.0.0.1", "::1"}) {
    CAPTURE(own);
    DialOptions options;
    options.is_own = [own](const Endpoint& endpoint) { return endpoint.ip() == own; };
    const auto socket = dialled("localhost", listener->endpoint().port(), options);
    REQUIRE(socket.has_error());
    CHECK(socket.error().code == Errc::loop);
  }
  DialOptions nobody;
  nobody.is_own = [](const Endpoint&) { return false; };
  CHECK(dialled("127.0.0.1", listener->endpoint().port(), nobody).has_value());
}

TEST_CASE("where either loopback address will do the second is left out if it is our own") {
  Loop loop;
  auto listener = *Listener::bind(*Endpoint::from_ip("127.0.0.1", 0));
  DialOptions options;
  options.either_loopback = true;
  options.is_own = [](const Endpoint& endpoint) { return endpoint.ip() == "::1"; };
  CHECK(dialled("127.0.0.1", listener->endpoint().port(), options).has_value());
}

TEST_CASE("an address that does not answer times out") {
  Loop loop;
  const FullPort full;
  DialOptions options;
  options.timeout = milliseconds(50);
  const auto socket = dialled("127.0.0.1", full.endpoint.port(), options);
  if (socket) {
    WARN("a full backlog takes connections here");
    return;
  }
  CHECK(socket.error().code == Errc::connect_timeout);
  CHECK(socket.error().retryable);
}

TEST_CASE("a silent first address does not hold up the second for long") {
  Loop loop;
  const FullPort full;
  auto listener = Listener::bind(*Endpoint::from_ip("::1", full.endpoint.port()));
  if (!listener) {
    WARN("no IPv6 here: " << listener.error().detail);
    return;
  }
  const auto socket = dialled("localhost", full.endpoint.port());
  CHECK(socket.has_value());
}

TEST_CASE("a known endpoint is dialled") {
  Loop loop;
  auto listener = *Listener::bind(*Endpoint::from_ip("127.0.0.1", 0));
  Dialled out = make_error(Errc::system);
  run(loop, connect_to(listener->endpoint(), milliseconds(5'000), out));
  CHECK(out.has_value());
  run(loop, connect_to(*Endpoint::from_unix("/no/such/socket"), milliseconds(5'000), out));
  REQUIRE(out.has_error());
  CHECK(out.error().detail.find("unix:/no/such/socket") != std::string::npos);
}

namespace {

Task<void> listen_later(Endpoint endpoint, std::unique_ptr<Listener>& listener) {
  co_await sleep_for(milliseconds(60));
  listener = *Listener::bind(endpoint);
}

Task<void> connect_while_it_starts(Resolver& resolver, Endpoint endpoint, const DialOptions& options, Dialled& out) {
  Scope scope;
  std::unique_ptr<Listener> listener;
  scope.spawn(listen_later(endpoint, listener));
  out = co_await dial(resolver, "127.0.0.1", endpoint.port(), options);
  co_await scope.join();
}

}  // namespace

TEST_CASE("a refused connection is tried again while there is patience") {
  Loop loop;
  Resolver resolver;
  Dialled out = make_error(Errc::system);
  Endpoint endpoint;
  { endpoint = DeadPort().endpoint; }
  DialOptions options;
  options.patience = milliseconds(20'000);
  run(loop, connect_while_it_starts(resolver, endpoint, options, out));
  CHECK(out.has_value());
  const DeadPort dead;
  options.patience = milliseconds(30);
  out = dialled("127.0.0.1", dead.endpoint.port(), options);
  REQUIRE(out.has_error());
  CHECK(out.error().code == Errc::refused);
}

TEST_CASE("the peer of a dialled connection is asked whether it is still there") {
  Loop loop;
  auto listener = *Listener::bind(*Endpoint::from_ip("127.0.0.1", 0));
  const auto socket = dialled("127.0.0.1", listener->endpoint().port());
  REQUIRE(socket.has_value());
  int on = 0;
  socklen_t size = sizeof on;
  CHECK(getsockopt((*socket)->descriptor(), SOL_SOCKET, SO_KEEPALIVE, &on, &size) == 0);
  CHECK(on != 0);
}
