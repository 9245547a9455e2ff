#include "net/listener.hpp"

#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include <fmt/format.h>

#include <boost/asio/ip/v6_only.hpp>

#include "base/await.hpp"
#include "base/log.hpp"
#include "net/asio.hpp"

namespace cmux::net {

namespace {

constexpr int kBacklog = 4096, kATurn = 16;

const char* path_of(const Endpoint& endpoint) { return reinterpret_cast<const sockaddr_un*>(&endpoint.storage)->sun_path; }

// A socket file that a dead process left behind refuses connections.
bool nobody_answers(const Endpoint& endpoint) {
  struct stat info {};
  if (lstat(path_of(endpoint), &info) != 0 || !S_ISSOCK(info.st_mode)) return false;  // somebody's file: not ours to remove
  AsioSocket probe(Loop::current().context());
  boost::system::error_code failed;
  probe.connect(to_asio(endpoint), failed);
  return failed == boost::asio::error::connection_refused;
}

void bind_and_listen(AsioAcceptor& acceptor, const Endpoint& endpoint, boost::system::error_code& failed) {
  using boost::asio::socket_base;
  if (!failed && !endpoint.is_unix()) acceptor.set_option(socket_base::reuse_address(true), failed);
  if (!failed && endpoint.storage.ss_family == AF_INET6) acceptor.set_option(boost::asio::ip::v6_only(true), failed);
  const mode_t mask = endpoint.is_unix() ? umask(0177) : 0;
  if (!failed) acceptor.bind(to_asio(endpoint), failed);
  if (endpoint.is_unix()) umask(mask);
  if (!failed) acceptor.listen(kBacklog, failed);
}

// Bound where it is made; accepted from by whichever loop runs it.
Result<Socket> bind_once(const Endpoint& endpoint) {
  if (endpoint.is_unix() && nobody_answers(endpoint)) unlink(path_of(endpoint));
  auto socket = Socket::open(endpoint.storage.ss_family);
  if (!socket) return socket.error();
  AsioAcceptor acceptor(Loop::current().context());
  boost::system::error_code failed;
  acceptor.assign(to_asio(endpoint).protocol(), socket->get(), failed);
  if (!failed) {
    bind_and_listen(acceptor, endpoint, failed);
    boost::system::error_code ignored;
    acceptor.release(ignored);  // it stays in `socket`
  }
  if (!failed) return socket;
  Error error = from_errno(failed.value(), fmt::format("listen on {}", endpoint.text()));
  error.retryable = failed == boost::asio::error::address_in_use;
  return error;
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

Result<std::unique_ptr<Listener>> Listener::adopt(Socket socket) {
  const int fd = socket.get();
  Endpoint endpoint;
  endpoint.size = sizeof endpoint.storage;
  int listens = 0, type = 0;
  socklen_t size = sizeof listens, type_size = sizeof type;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&endpoint.storage), &endpoint.size) != 0 ||
      getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 ||
      getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) != 0)
    return from_errno(errno, fmt::format("descriptor {}, which was handed over", fd));
  const auto family = endpoint.storage.ss_family;
  if (listens == 0 || type != SOCK_STREAM || (family != AF_INET && family != AF_INET6 && family != AF_UNIX))
    return make_error(Errc::config,
                      fmt::format("descriptor {}, which was handed over, is no TCP or Unix stream socket that listens", fd));
  // An abstract one (unix(7)) is nobody's file: whoever is there first has the name, and no rights keep others from it.
  if (family == AF_UNIX && (endpoint.size <= offsetof(sockaddr_un, sun_path) || *path_of(endpoint) == '\0'))
    return make_error(Errc::config, fmt::format("descriptor {}, which was handed over, is a Unix socket without a path", fd));
  if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0)
    return from_errno(errno, fmt::format("descriptor {}, which was handed over", fd));
  std::unique_ptr<Listener> made(new Listener(std::move(socket), endpoint));
  made->adopted_ = true;
  return made;
}

Listener::~Listener() {
  if (endpoint_.is_unix() && !adopted_) unlink(path_of(endpoint_));
}

Task<void> Listener::run(std::function<void(Socket)> take) {
  if (closed_) co_return;
  Readiness& readiness = Loop::current().readiness();
  pollable_.fd = socket_.get();
  readiness.watch(pollable_);
  pollable_.await_readable();
  while (!closed_) {
    co_await resumed_;
    co_await pollable_.readable;
    // A few a turn, so that a flood of connections does not hold up those that are there.
    for (int turn = 0; turn < kATurn && !closed_ && resumed_.is_set(); ++turn) {
      auto socket = Socket::accept(socket_.get());
      if (!socket) {
        log::warn("{}: waiting for descriptors to become free", socket.error().detail);
        co_await sleep_for(milliseconds(100));
        break;
      }
      if (!*socket) {
        pollable_.await_readable();
        break;
      }
      take(std::move(*socket));
    }
    co_await Yield{};
  }
}

void Listener::pause(bool on) {
  if (on && !closed_) resumed_.clear();
  else resumed_.set();
}

void Listener::close() {
  if (std::exchange(closed_, true)) return;
  resumed_.set();
  if (pollable_.fd >= 0) Loop::current().readiness().unwatch(pollable_);
  socket_ = Socket();
  pollable_.readable.set();
}

}  // namespace cmux::net
