#include "app/hand_over.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "base/log.hpp"
#include "base/loop.hpp"
#include "base/platform.hpp"
#include "net/descriptors.hpp"
#include "net/hand_over.hpp"

namespace cmux::app {
namespace {

bool is_datagram(const net::Socket& socket) {
  int type = 0;
  socklen_t size = sizeof type;
  return getsockopt(socket.get(), SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_DGRAM;
}

// What they are good for: TCP sockets listen, UDP sockets take queries for names.
Result<Doors::Bound> bound_from(std::vector<net::Socket> sockets) {
  Doors::Bound bound;
  std::vector<net::Socket> for_names;
  for (net::Socket& socket : sockets) {
    if (is_datagram(socket)) {
      for_names.push_back(std::move(socket));
      continue;
    }
    auto listener = net::Listener::adopt(std::move(socket));
    if (!listener) return listener.error();
    bound.transparent.push_back(std::move(*listener));
  }
  if (bound.transparent.empty()) return make_error(Errc::malformed, "no listener has come");
  bound.names = std::make_shared<NameRelay>(std::move(for_names));
  return bound;
}

}  // namespace

Result<std::unique_ptr<HandOver>> HandOver::connect(const std::string& path) {
  if (path.empty()) return std::unique_ptr<HandOver>();
  if (!CMUX_LINUX) return make_error(Errc::config, "transparent: Linux alone has namespaces");
  if (!net::has_descriptors()) return make_error(Errc::limit, "transparent: too many descriptors are in use");
  const auto endpoint = net::Endpoint::from_unix(path);
  if (!endpoint) return make_error(Errc::config, fmt::format("transparent: {}", endpoint.error().detail));
  auto socket = net::Socket::open(AF_UNIX);
  if (!socket) return socket.error();
  // Waits for nobody: a Unix socket's queue takes it, or not.
  if (::connect(socket->get(), reinterpret_cast<const sockaddr*>(&endpoint->storage), endpoint->size) != 0)
    return make_error(Errc::config, from_errno(errno, "transparent: connect to the Unix socket").detail);
  return std::unique_ptr<HandOver>(new HandOver(std::move(*socket)));
}

HandOver::HandOver(net::Socket socket) : socket_(std::move(socket)) {
  pollable_.fd = socket_.get();
  Loop::current().readiness().watch(pollable_);
  pollable_.await_readable();
}

HandOver::~HandOver() { Loop::current().readiness().unwatch(pollable_); }

Task<Result<std::vector<net::Socket>>> HandOver::receive() {
  Deadline late([](void* self) { static_cast<HandOver*>(self)->pollable_.readable.set(); }, this);
  late.after(kPatience);
  co_await pollable_.readable;
  if (cancelled_) co_return make_error(Errc::cancelled, "the instance stops");
  auto sockets = net::receive_handed_over(socket_.get());
  if (sockets && sockets->empty()) co_return make_error(Errc::timeout, "its listeners have not come");
  co_return std::move(sockets);
}

void HandOver::cancel() {
  cancelled_ = true;
  pollable_.readable.set();
}

void HandOver::acknowledge() { [[maybe_unused]] const auto sent = write(socket_.get(), "k", 1); }

Task<void> take_over(std::string context, std::unique_ptr<HandOver> from, const policy::ContextStore& contexts, Doors& doors,
                     std::set<HandOver*>& under_way) {
  under_way.insert(from.get());
  auto sockets = co_await from->receive();
  under_way.erase(from.get());
  const policy::ContextPtr known = contexts.find(context);
  if (!known) co_return;  // released meanwhile
  auto bound = sockets ? bound_from(std::move(*sockets)) : sockets.error();
  if (!bound) {
    log::info("context {} gets no connections from its namespace: {}", context, bound.error().detail);
    co_return;
  }
  const std::shared_ptr<NameRelay> names = bound->names;
  doors.open(*known, std::move(*bound));
  from->acknowledge();
  from.reset();
  co_await names->run();
}

}  // namespace cmux::app
