#include "net/listener.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "net/pair.hpp"

using namespace cmux;
using namespace cmux::net;

namespace {

// A folder of its own, removed at the end.
class Folder {
 public:
  Folder() {
    std::string text = (std::filesystem::temp_directory_path() / "cmux-listener-XXXXXX").string();
    if (!mkdtemp(text.data())) throw std::runtime_error("mkdtemp");
    path = text;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

struct Accepted {
  std::vector<Socket> sockets;
  Listener* listener = nullptr;
  std::size_t wanted = 0;
};

Task<void> accept_all(Listener& listener, Accepted& accepted) {
  std::function<void(Socket)> take = [&accepted](Socket socket) {
    accepted.sockets.push_back(std::move(socket));
    if (accepted.sockets.size() == accepted.wanted) accepted.listener->close();
  };
  co_await listener.run(std::move(take));
}

Task<void> accept_from(Listener& listener, Accepted& accepted, std::vector<std::unique_ptr<SocketTransport>>& clients) {
  accepted.listener = &listener;
  Scope scope;
  scope.spawn(accept_all(listener, accepted));
  for (std::size_t i = 0; i < accepted.wanted; ++i) { clients.push_back(connected_to(listener.endpoint())); }
  co_await scope.join();
}

// How many of the connections that wait are taken before others have a turn.
Task<void> most_a_turn(Listener& listener, std::size_t waiting, std::size_t& most) {
  std::vector<Socket> clients, taken;
  std::size_t now = 0;
  for (std::size_t i = 0; i < waiting; ++i) {
    const Endpoint& there = listener.endpoint();
    clients.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(connect(clients.back().get(), reinterpret_cast<const sockaddr*>(&there.storage), there.size) == 0);
  }
  Scope scope;
  std::function<void(Socket)> take = [&](Socket socket) {
    taken.push_back(std::move(socket));
    most = std::max(most, ++now);
  };
  scope.spawn(listener.run(std::move(take)));
  while (taken.size() < waiting) {
    now = 0;
    co_await Yield{};
  }
  listener.close();
  co_await scope.join();
}

Task<void> close_later(Listener& listener, Accepted& accepted) {
  Scope scope;
  scope.spawn(accept_all(listener, accepted));
  co_await Yield{};
  listener.close();
  co_await scope.join();
}

}  // namespace

TEST_CASE("a listener accepts until it is closed") {
  Loop loop;
  auto listener = *Listener::bind(*Endpoint::from_ip("127.0.0.1", 0));
  CHECK(listener->endpoint().port() != 0);
  Accepted accepted;
  accepted.wanted = 40;  // more than one turn's worth
  std::vector<std::unique_ptr<SocketTransport>> clients;
  run(loop, accept_from(*listener, accepted, clients));
  CHECK(accepted.sockets.size() == 40);
  for (const auto& client : clients) CHECK(client != nullptr);
  CHECK(connected_to(listener->endpoint()) == nullptr);
}

TEST_CASE("a flood of connections does not hold up those that are there: a few are accepted a turn") {
  Loop loop;
  auto listener = *Listener::bind(*Endpoint::from_ip("127.0.0.1", 0));
  std::size_t most = 0;
  run(loop, most_a_turn(*listener, 200, most));
  CHECK(most > 0);
  CHECK(most <= 16);
}

TEST_CASE("close ends a listener that waits") {
  Loop loop;
  auto listener = *Listener::bind(*Endpoint::from_ip("127.0.0.1", 0));
  Accepted accepted;
  run(loop, close_later(*listener, accepted));
  CHECK(accepted.sockets.empty());
}

TEST_CASE("a busy port is an error, or moves on to the next") {
  Loop loop;
  auto first = *Listener::bind(*Endpoint::from_ip("127.0.0.1", 0));
  const auto refused = Listener::bind(first->endpoint());
  REQUIRE(refused.has_error());
  CHECK(refused.error().detail.starts_with("listen on " + first->endpoint().text() + ": "));
  const auto second = Listener::bind(first->endpoint(), 50);
  if (!second) {  // at the end of the range, or many neighbours
    WARN(second.error().detail);
    return;
  }
  CHECK((*second)->endpoint().port() > first->endpoint().port());
  CHECK((*second)->endpoint().port() <= first->endpoint().port() + 49);
  CHECK((*second)->endpoint().ip() == "127.0.0.1");
}

TEST_CASE("when all ports are taken the error says how many were tried") {
  Loop loop;
  auto first = *Listener::bind(*Endpoint::from_ip("127.0.0.1", 0));
  std::vector<std::unique_ptr<Listener>> more;
  Endpoint next = first->endpoint();
  next.set_port(static_cast<std::uint16_t>(next.port() + 1));
  if (auto neighbour = Listener::bind(next)) more.push_back(std::move(*neighbour));
  const auto refused = Listener::bind(first->endpoint(), 2);
  REQUIRE(refused.has_error());
  const std::string port = std::to_string(first->endpoint().port());
  CHECK(refused.error().detail.ends_with("(2 ports from " + port + " on are all taken)"));
}

TEST_CASE("an address that is not this machine's cannot be bound") {
  Loop loop;
  const auto refused = Listener::bind(*Endpoint::from_ip("192.0.2.1", 0), 5);
  REQUIRE(refused.has_error());
  CHECK(refused.error().code == Errc::unreachable);
}

TEST_CASE("a Unix socket is for its owner alone, and goes with the listener") {
  Loop loop;
  const Folder folder;
  const std::string path = folder.path / "admin.sock";
  {
    auto listener = *Listener::bind(*Endpoint::from_unix(path));
    struct stat info {};
    REQUIRE(stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
    CHECK(listener->endpoint().text() == "unix:" + path);
    const auto busy = Listener::bind(*Endpoint::from_unix(path), 5);
    REQUIRE(busy.has_error());  // somebody answers there
    CHECK(connected_to(listener->endpoint()) != nullptr);
  }
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("a stale Unix socket is replaced") {
  Loop loop;
  const Folder folder;
  const std::string path = folder.path / "admin.sock";
  const Endpoint endpoint = *Endpoint::from_unix(path);
  {
    const Socket dead = *Socket::open(AF_UNIX);
    REQUIRE(bind(dead.get(), reinterpret_cast<const sockaddr*>(&endpoint.storage), endpoint.size) == 0);
  }
  REQUIRE(std::filesystem::exists(path));
  CHECK(Listener::bind(endpoint).has_value());
}

TEST_CASE("a file that is no socket is never removed", "") {
  Loop loop;
  const Folder folder;
  const std::string file = folder.path / "notes.txt";
  fclose(fopen(file.c_str(), "w"));
  CHECK(Listener::bind(*Endpoint::from_unix(file)).has_error());
  CHECK(std::filesystem::exists(file));
}
