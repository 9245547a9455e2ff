// The system calls of sockets that differ between systems, each with the way around it where there is none.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <ctime>

#include "base/platform.hpp"
#include "net/socket.hpp"

namespace cmux::net {
namespace {

#if CMUX_LINUX
constexpr int kNew = SOCK_NONBLOCK | SOCK_CLOEXEC;
int accept_one(int listener) { return ::accept4(listener, nullptr, nullptr, kNew); }
#else
constexpr int kNew = 0;
int with_flags(int descriptor) {
  if (descriptor < 0) return descriptor;
  fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK);
  fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  return descriptor;
}
int accept_one(int listener) { return with_flags(::accept(listener, nullptr, nullptr)); }
#endif

}  // namespace

Result<Socket> Socket::open(int family) {
#if CMUX_LINUX
  Socket made(::socket(family, SOCK_STREAM | kNew, 0));
#else
  Socket made(with_flags(::socket(family, SOCK_STREAM | kNew, 0)));
#endif
  if (!made) return from_errno(errno, "socket");
  return made;
}

Result<Socket> Socket::accept(int listener) {
  while (true) {
    Socket made(accept_one(listener));
    if (made || errno == EAGAIN || errno == EWOULDBLOCK) return made;
    // A client that has gone again says nothing of the others in the queue.
    if (errno != EINTR && errno != ECONNABORTED && errno != EPROTO && errno != EPERM) return from_errno(errno, "accept");
  }
}

void Socket::keep_alive() const {
  const auto set = [this](int level, int option, int value) { setsockopt(descriptor_, level, option, &value, sizeof value); };
  constexpr int kIdle = 30, kInterval = 10, kProbes = 3;  // seconds, seconds, how many
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
#if defined(TCP_KEEPIDLE)
  set(IPPROTO_TCP, TCP_KEEPIDLE, kIdle);
#elif defined(TCP_KEEPALIVE)
  set(IPPROTO_TCP, TCP_KEEPALIVE, kIdle);  // macOS's name for it
#endif
#if defined(TCP_KEEPINTVL) && defined(TCP_KEEPCNT)
  set(IPPROTO_TCP, TCP_KEEPINTVL, kInterval);
  set(IPPROTO_TCP, TCP_KEEPCNT, kProbes);
#endif
#if CMUX_LINUX
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, (kIdle + kInterval * kProbes) * 1000);
#endif
}

milliseconds Socket::round_trip() const {
#if CMUX_LINUX
  tcp_info info{};
  socklen_t size = sizeof info;
  if (getsockopt(descriptor_, IPPROTO_TCP, TCP_INFO, &info, &size) == 0) return milliseconds(info.tcpi_rtt / 1000);
#endif
  return {};
}

milliseconds time_asleep() {
#if CMUX_LINUX
  timespec with{}, without{};
  if (clock_gettime(CLOCK_MONOTONIC, &without) != 0 || clock_gettime(CLOCK_BOOTTIME, &with) != 0) return {};
  return milliseconds((with.tv_sec - without.tv_sec) * 1000 + (with.tv_nsec - without.tv_nsec) / 1'000'000);
#else
  return {};
#endif
}

bool Socket::is_broken() const {
#if CMUX_LINUX
  tcp_info info{};
  socklen_t size = sizeof info;
  if (getsockopt(descriptor_, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && info.tcpi_state == TCP_CLOSE) return true;
#endif
  int number = 0;
  socklen_t length = sizeof number;
  return getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &number, &length) == 0 && number != 0;
}

}  // namespace cmux::net
