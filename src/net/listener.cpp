#include "net/listener.hpp"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "base/log.hpp"

namespace cmux::net {
namespace {

const char* path_of(const Endpoint& endpoint) { return reinterpret_cast<const sockaddr_un*>(&endpoint.storage)->sun_path; }

// A socket file that a dead process left behind refuses connections.
bool nobody_answers(const Endpoint& endpoint) {
  struct stat info {};
  if (lstat(path_of(endpoint), &info) != 0 || !S_ISSOCK(info.st_mode)) return false;  // somebody's file: not ours to remove
  auto probe = Socket::open(AF_UNIX);
  return probe && ::connect(probe->get(), reinterpret_cast<const sockaddr*>(&endpoint.storage), endpoint.size) != 0 &&
         errno == ECONNREFUSED;
}

Result<Socket> bind_once(const Endpoint& endpoint) {
  auto socket = Socket::open(endpoint.storage.ss_family);
  if (!socket) return socket.error();
  const int on = 1;
  if (!endpoint.is_unix()) setsockopt(socket->get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (endpoint.storage.ss_family == AF_INET6) setsockopt(socket->get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (endpoint.is_unix() && nobody_answers(endpoint)) unlink(path_of(endpoint));
  const mode_t mask = endpoint.is_unix() ? umask(0177) : 0;
  const int bound = ::bind(socket->get(), reinterpret_cast<const sockaddr*>(&endpoint.storage), endpoint.size);
  const int number = errno;
  if (endpoint.is_unix()) umask(mask);
  if (bound != 0 || ::listen(socket->get(), 4096) != 0) {
    const int why = bound != 0 ? number : errno;
    Error error = from_errno(why, fmt::format("listen on {}", endpoint.text()));
    error.retryable = why == EADDRINUSE;
    return error;
  }
  return socket;
}

}  // namespace

std::vector<Endpoint> reachable_as(const Endpoint& endpoint) {
  std::vector<Endpoint> out;
  out.push_back(endpoint);
  ifaddrs* list = nullptr;
  if (!endpoint.is_any() || getifaddrs(&list) != 0) return out;
  for (const ifaddrs* item = list; item; item = item->ifa_next) {
    if (!item->ifa_addr || item->ifa_addr->sa_family != endpoint.storage.ss_family) continue;
    Endpoint address = endpoint;
    std::memcpy(&address.storage, item->ifa_addr, endpoint.size);
    address.set_port(endpoint.port());
    out.push_back(address);
  }
  freeifaddrs(list);
  return out;
}

Result<std::unique_ptr<Listener>> Listener::bind(const Endpoint& wanted, unsigned attempts) {
  Endpoint endpoint = wanted;
  for (unsigned attempt = 1;; ++attempt) {
    auto socket = bind_once(endpoint);
    if (socket) {
      if (!endpoint.is_unix()) {
        endpoint.size = sizeof endpoint.storage;
        getsockname(socket->get(), reinterpret_cast<sockaddr*>(&endpoint.storage), &endpoint.size);
      }
      return std::unique_ptr<Listener>(new Listener(std::move(*socket), endpoint));
    }
    const bool more =
        socket.error().retryable && attempt < attempts && !endpoint.is_unix() && endpoint.port() != 0 && endpoint.port() != 65535;
    if (!more) {
      Error error = socket.error();
      if (error.retryable && attempts > 1)
        error.detail += fmt::format(" ({} ports from {} on are all taken)", attempt, wanted.port());
      return error;
    }
    endpoint.set_port(static_cast<std::uint16_t>(endpoint.port() + 1));
  }
}

Listener::~Listener() {
  if (endpoint_.is_unix()) unlink(path_of(endpoint_));
}

Task<void> Listener::run(std::function<void(Socket)> take) {
  pollable_.fd = socket_.get();
  Loop::current().watch(pollable_);
  while (!closed_) {
    co_await pollable_.readable;
    if (closed_) break;
    // A few a turn, so that a flood of connections does not hold up those that are there.
    for (int turn = 0; turn < 16 && pollable_.readable.is_set(); ++turn) {
      auto socket = Socket::accept(socket_.get());
      if (!socket) {
        log::warn("{}: waiting for descriptors to become free", socket.error().detail);
        co_await sleep_for(milliseconds(100));
        break;
      }
      if (!*socket) pollable_.readable.clear();
      else take(std::move(*socket));
    }
    co_await Yield{};
  }
  Loop::current().unwatch(pollable_);
  socket_ = Socket();
}

void Listener::close() {
  closed_ = true;
  pollable_.readable.set();
}

}  // namespace cmux::net
