#include "app/name_relay.hpp"

#include "base/platform.hpp"

#if CMUX_LINUX
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "base/log.hpp"
#include "base/loop.hpp"
#include "net/descriptors.hpp"

namespace cmux::app {
namespace {

constexpr std::size_t kMostQuery = 4096;  // bytes; more is cut off, as UDP may
constexpr std::size_t kDatagram = 65535;  // as long as any may be
constexpr int kATurn = 16;                // datagrams that are taken before others have their turn

// One datagram with its two addresses: from or to `peer`, and `own`, which the namespace's side is addressed as.
struct Datagram {
  net::Endpoint peer, own;
  std::string bytes;
};

struct Control {
  alignas(cmsghdr) char room[CMSG_SPACE(sizeof(in6_pktinfo))];
};

// False where none is there.
bool receive(int socket, Datagram& into) {
  into.bytes.resize(kMostQuery);
  iovec piece{into.bytes.data(), into.bytes.size()};
  Control control{};
  msghdr message{};
  message.msg_name = &into.peer.storage;
  message.msg_namelen = sizeof into.peer.storage;
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = &control;
  message.msg_controllen = sizeof control;
  const ssize_t count = recvmsg(socket, &message, 0);
  if (count < 0) return false;
  into.bytes.resize(static_cast<std::size_t>(count));
  into.peer.size = message.msg_namelen;
  into.own = into.peer;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
      in_pktinfo info;
      std::memcpy(&info, CMSG_DATA(header), sizeof info);
      reinterpret_cast<sockaddr_in*>(&into.own.storage)->sin_addr = info.ipi_addr;
    } else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info;
      std::memcpy(&info, CMSG_DATA(header), sizeof info);
      reinterpret_cast<sockaddr_in6*>(&into.own.storage)->sin6_addr = info.ipi6_addr;
    }
  }
  return true;
}

void answer(int socket, const Datagram& datagram, std::string_view bytes) {
  iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
  net::Endpoint to = datagram.peer;
  Control control{};
  msghdr message{};
  message.msg_name = &to.storage;
  message.msg_namelen = to.size;
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = &control;
  const auto from = [&](int level, int type, const auto& info) {
    message.msg_controllen = CMSG_SPACE(sizeof info);
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = level;
    header->cmsg_type = type;
    header->cmsg_len = CMSG_LEN(sizeof info);
    std::memcpy(CMSG_DATA(header), &info, sizeof info);
  };
  if (to.storage.ss_family == AF_INET) {
    in_pktinfo info{};
    info.ipi_spec_dst = reinterpret_cast<const sockaddr_in*>(&datagram.own.storage)->sin_addr;
    from(IPPROTO_IP, IP_PKTINFO, info);
  } else {
    in6_pktinfo info{};
    info.ipi6_addr = reinterpret_cast<const sockaddr_in6*>(&datagram.own.storage)->sin6_addr;
    from(IPPROTO_IPV6, IPV6_PKTINFO, info);
  }
  static_cast<void>(sendmsg(socket, &message, 0));  // what does not fit is lost, as on any network
}

net::Socket ask_outside(const Datagram& datagram) {
  if (!net::has_descriptors()) return {};
  const net::Endpoint& server = datagram.own;
  net::Socket socket(::socket(server.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // Connected, so that nobody else's datagram comes for an answer.
  if (!socket || connect(socket.get(), reinterpret_cast<const sockaddr*>(&server.storage), server.size) != 0) return {};
  if (send(socket.get(), datagram.bytes.data(), datagram.bytes.size(), 0) < 0) return {};
  return socket;
}

// Watched for its lifetime.
struct Watched {
  Pollable pollable;
  explicit Watched(int descriptor) {
    pollable.fd = descriptor;
    Loop::current().readiness().watch(pollable);
    pollable.await_readable();
  }
  ~Watched() { Loop::current().readiness().unwatch(pollable); }
  Watched(const Watched&) = delete;
};

}  // namespace

struct NameRelay::Door {
  net::Socket socket;
};
struct NameRelay::Query : Datagram {};

NameRelay::NameRelay(std::vector<net::Socket> sockets, NameLimits limits, std::uint16_t port) : limits_(limits), port_(port) {
  for (net::Socket& socket : sockets) doors_.push_back(std::make_unique<Door>(Door{std::move(socket)}));
}
NameRelay::~NameRelay() = default;

Task<void> NameRelay::run() {
  for (const auto& door : doors_) scope_.spawn(serve(*door));
  co_await scope_.join();
  doors_.clear();
}

void NameRelay::close() {
  closed_ = true;
  for (Event* const event : waited_for_) event->set();
}

Task<void> NameRelay::serve(Door& door) {
  Watched watched(door.socket.get());
  waited_for_.insert(&watched.pollable.readable);
  while (!closed_) {
    co_await watched.pollable.readable;
    // A few a turn, so that a flood of queries holds up nothing else.
    for (int turn = 0; turn < kATurn && !closed_; ++turn) {
      auto query = std::make_unique<Query>();
      if (!receive(door.socket.get(), *query)) {
        watched.pollable.await_readable();
        break;
      }
      if (queries_ < limits_.queries) scope_.spawn(ask(door, std::move(query)));
    }
    co_await Yield{};
  }
  waited_for_.erase(&watched.pollable.readable);
}

Task<void> NameRelay::ask(Door& door, std::unique_ptr<Query> query) {
  query->own.set_port(port_);
  const net::Socket outside = ask_outside(*query);
  if (!outside) co_return;
  {
    Watched watched(outside.get());
    ++queries_;
    Event& readable = watched.pollable.readable;
    waited_for_.insert(&readable);
    Deadline late([](void* event) { static_cast<Event*>(event)->set(); }, &readable);
    late.after(limits_.patience);
    co_await readable;
    waited_for_.erase(&readable);
  }
  --queries_;
  std::string bytes(kDatagram, '\0');
  const ssize_t count = recv(outside.get(), bytes.data(), bytes.size(), 0);
  if (count > 0 && !closed_)
    answer(door.socket.get(), *query, std::string_view(bytes).substr(0, static_cast<std::size_t>(count)));
}

}  // namespace cmux::app

#else

namespace cmux::app {

struct NameRelay::Door {};
struct NameRelay::Query {};
NameRelay::NameRelay(std::vector<net::Socket>, NameLimits limits, std::uint16_t port) : limits_(limits), port_(port) {}
NameRelay::~NameRelay() = default;
Task<void> NameRelay::run() { co_return; }
void NameRelay::close() {}

}  // namespace cmux::app
#endif
