// Programs, relay and servers all in one namespace here: the server has another port than the relay's door, and the address that
// a program asks is the server's.
#include "app/name_relay.hpp"

#include "base/platform.hpp"

#if CMUX_LINUX
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <stdexcept>

#include "base/run.hpp"

using namespace cmux;
using namespace cmux::app;

namespace {

net::Endpoint at(std::string_view ip, std::uint16_t port) { return *net::Endpoint::from_ip(ip, port); }
const sockaddr* address_of(const net::Endpoint& endpoint) { return reinterpret_cast<const sockaddr*>(&endpoint.storage); }

net::Socket bound_to(const net::Endpoint& own) {
  net::Socket socket(::socket(own.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket || bind(socket.get(), address_of(own), own.size) != 0) return {};
  return socket;
}

bool is_free(const net::Endpoint& own) { return static_cast<bool>(bound_to(own)); }

std::uint16_t port_of(const net::Socket& socket) {
  net::Endpoint own;
  own.size = sizeof own.storage;
  getsockname(socket.get(), reinterpret_cast<sockaddr*>(&own.storage), &own.size);
  return own.port();
}

// One that sends and receives.
struct Peer {
  net::Socket socket;
  Pollable pollable;

  explicit Peer(std::string_view ip) : socket(bound_to(at(ip, 0))) {
    if (!socket) throw std::runtime_error("no socket");
    pollable.fd = socket.get();
    Loop::current().readiness().watch(pollable);
  }
  ~Peer() { Loop::current().readiness().unwatch(pollable); }
  Peer(const Peer&) = delete;

  void send(std::string_view bytes, const net::Endpoint& to) const {
    CHECK(sendto(socket.get(), bytes.data(), bytes.size(), 0, address_of(to), to.size) == static_cast<ssize_t>(bytes.size()));
  }
  bool receive_now(std::string& bytes, net::Endpoint& from) const {
    bytes.resize(65'536);
    from.size = sizeof from.storage;
    const ssize_t count =
        recvfrom(socket.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&from.storage), &from.size);
    bytes.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
    return count >= 0;
  }
  Task<void> receive(std::string& bytes, net::Endpoint& from) {
    while (!receive_now(bytes, from)) {
      pollable.await_readable();
      co_await pollable.readable;
    }
  }
};

struct World {
  explicit World(NameLimits limits = {}, std::string_view ip = "127.0.0.2")
      : client(ip), server(ip), relay(doors(ip), limits, port_of(server.socket)) {}

  std::vector<net::Socket> doors(std::string_view ip) {
    const bool ipv6 = ip.find(':') != ip.npos;
    std::vector<net::Socket> out;
    out.push_back(bound_to(at(ipv6 ? "::" : "0.0.0.0", 0)));
    door = out.front().get();
    asked = at(ip, port_of(out.front()));
    const int on = 1;
    if (ipv6) setsockopt(door, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
    else setsockopt(door, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
    return out;
  }

  void ask(std::string_view query) const { client.send(query, asked); }
  // Until the relay has decided about it.
  Task<void> ask_and_wait(std::string query) const {
    ask(query);
    CHECK(is_waiting(10'000));
    while (is_waiting(0)) co_await sleep_for(milliseconds(1));
  }
  bool is_waiting(int limit) const {
    pollfd look{door, POLLIN, 0};
    return poll(&look, 1, limit) == 1;
  }

  Loop loop;
  int door = -1;        // the relay's socket
  net::Endpoint asked;  // the server's address with the door's port
  Peer client, server;
  NameRelay relay;
};

Task<void> with_relay(World& world, Task<void> test) {
  Scope scope;
  scope.spawn(world.relay.run());
  co_await std::move(test);
  world.relay.close();
  co_await scope.join();
}

Task<void> ask_and_answer(World& world) {
  std::string bytes;
  net::Endpoint from;
  world.ask("query");
  co_await world.server.receive(bytes, from);
  CHECK(bytes == "query");
  const std::string answer(60'000, 'a');
  world.server.send(answer, from);
  co_await world.client.receive(bytes, from);
  CHECK(bytes == answer);
  CHECK(from.text() == world.asked.text());
}

Task<void> ask_too_much(World& world) {
  std::string bytes;
  net::Endpoint from, first;
  world.ask("1");
  co_await world.server.receive(bytes, first);
  CHECK(bytes == "1");
  world.ask("2");
  co_await world.server.receive(bytes, from);
  CHECK(bytes == "2");
  co_await world.ask_and_wait("dropped");
  world.server.send("answer", first);
  co_await world.client.receive(bytes, from);
  CHECK(bytes == "answer");
  world.ask("3");
  co_await world.server.receive(bytes, from);
  CHECK(bytes == "3");
}

Task<void> ask_the_silent(World& world) {
  std::string bytes;
  net::Endpoint from;
  world.ask("1");
  co_await world.server.receive(bytes, from);
  CHECK(bytes == "1");
  while (!is_free(from)) co_await sleep_for(milliseconds(1));
  CHECK_FALSE(world.client.receive_now(bytes, from));
  world.ask("2");
  co_await world.server.receive(bytes, from);
  CHECK(bytes == "2");
}

// How many queries have gone out when another coroutine has its turn for the first time.
Task<void> ask_at_once(World& world, unsigned& first, unsigned& all) {
  constexpr unsigned kMany = 60;
  std::string bytes;
  net::Endpoint from;
  for (unsigned i = 0; i < kMany; ++i) world.ask("query");
  while (all < kMany) {
    co_await Yield{};
    while (world.server.receive_now(bytes, from)) ++all;
    if (first == 0) first = all;
  }
}

Task<void> ask_by_size(World& world) {
  std::string bytes;
  net::Endpoint from;
  for (const std::size_t size : {1, 4095, 4096, 4097, 60'000}) {
    world.ask(std::string(std::min<std::size_t>(size, 4096), 'q') + std::string(size < 4096 ? 0 : size - 4096, 'x'));
    co_await world.server.receive(bytes, from);
    CHECK(bytes == std::string(std::min<std::size_t>(size, 4096), 'q'));
  }
}

Task<void> ask_and_leave(World& world, net::Endpoint& from) {
  std::string bytes;
  world.ask("query");
  co_await world.server.receive(bytes, from);
  CHECK_FALSE(is_free(from));
}

}  // namespace

TEST_CASE("name relay: a query goes to the address that it was sent to, and the answer comes from there") {
  for (const char* ip : {"127.0.0.1", "127.0.0.2", "::1"}) {
    if (!is_free(at(ip, 0))) continue;  // no IPv6 here
    CAPTURE(ip);
    World world({}, ip);
    run(world.loop, with_relay(world, ask_and_answer(world)));
  }
}

TEST_CASE("name relay: a query beyond the bound is dropped, and the next has its place once another has ended") {
  World world({.queries = 2});
  run(world.loop, with_relay(world, ask_too_much(world)));
}

TEST_CASE("name relay: a query that nobody answers is given up, and makes room") {
  World world({.queries = 1, .patience = milliseconds(20)});
  run(world.loop, with_relay(world, ask_the_silent(world)));
}

TEST_CASE("name relay: a flood of queries lets others have their turn") {
  World world;
  unsigned first = 0, all = 0;
  run(world.loop, with_relay(world, ask_at_once(world, first, all)));
  CHECK(first > 0);
  CHECK(first <= 16);
  CHECK(all == 60);
}

TEST_CASE("name relay: a query of 4 KB comes whole, a longer one is cut off there") {
  World world;
  run(world.loop, with_relay(world, ask_by_size(world)));
}

TEST_CASE("name relay: closing it ends the queries that are on their way") {
  World world({.patience = std::chrono::hours(1)});
  net::Endpoint from;
  run(world.loop, with_relay(world, ask_and_leave(world, from)));
  CHECK(is_free(from));
  std::string bytes;
  CHECK_FALSE(world.client.receive_now(bytes, from));
}
#endif
