// The seam: the system calls that the program makes, defined by this program instead of libc. While there is a kernel
// (kernel.hpp), descriptors from Kernel::kFirst up and the clock are its; all else goes on to the real system. As the linker
// resolves a name to the executable's own symbol first, shared libraries (libstdc++'s clocks, OpenSSL's) come here too.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <ctime>

#include "kernel.hpp"
#include "report.hpp"

using namespace sim;

namespace {

bool ours(int descriptor) { return kernel && descriptor >= Kernel::kFirst; }

Socket* socket_of(int descriptor) {
  Socket* const found = kernel->find<Socket>(descriptor);
  if (!found) fail_with("descriptors", "a call on {}, which is no open socket", descriptor);
  return found;
}

template <class... Args>
long real(long number, Args... args) {
  return ::syscall(number, args...);
}

int give(const Address& address, sockaddr* into, socklen_t* size) {
  std::memcpy(into, &address.storage, std::min(*size, address.size));
  *size = address.size;
  return 0;
}

// 2026-01-01, at which the run begins.
constexpr Time kBegin = Time{1'767'225'600} * kSecond;
Time wall() { return kBegin + kernel->now() + kernel->wall_offset; }

}  // namespace

extern "C" {

// --- time ---

int clock_gettime(clockid_t clock, timespec* out) noexcept {
  if (!kernel || (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME && clock != CLOCK_BOOTTIME &&
                  clock != CLOCK_REALTIME_COARSE && clock != CLOCK_MONOTONIC_COARSE))
    return static_cast<int>(real(SYS_clock_gettime, clock, out));
  const Time now = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE ? wall()
                   : clock == CLOCK_BOOTTIME                                 ? kernel->now() + kernel->slept
                                                                             : kernel->now();
  *out = {now / kSecond + (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE ? 0 : 1000), now % kSecond};
  return 0;
}

time_t time(time_t* out) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}

int gettimeofday(timeval* out, void*) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  *out = {now.tv_sec, now.tv_nsec / 1000};
  return 0;
}

// --- descriptors ---

int close(int descriptor) {
  if (!ours(descriptor)) return static_cast<int>(real(SYS_close, descriptor));
  kernel->spend();
  return kernel->close(descriptor);
}

ssize_t read(int descriptor, void* into, size_t size) {
  if (!ours(descriptor)) return real(SYS_read, descriptor, into, size);
  auto* const counter = kernel->find<Counter>(descriptor);
  if (!counter) return recv(descriptor, into, size, 0);
  if (counter->value == 0) return errno = EAGAIN, -1;
  std::memcpy(into, &counter->value, sizeof counter->value);
  counter->value = 0;
  return sizeof counter->value;
}
ssize_t __read_chk(int descriptor, void* into, size_t size, size_t) { return read(descriptor, into, size); }

ssize_t write(int descriptor, const void* from, size_t size) {
  if (!ours(descriptor)) return real(SYS_write, descriptor, from, size);
  auto* const counter = kernel->find<Counter>(descriptor);
  if (!counter) return send(descriptor, from, size, 0);
  std::uint64_t more = 0;
  std::memcpy(&more, from, sizeof more);
  counter->value += more;
  counter->wake(EPOLLIN);
  return sizeof more;
}

int fcntl(int descriptor, int command, ...) {
  va_list rest;
  va_start(rest, command);
  const long argument = va_arg(rest, long);
  va_end(rest);
  // A descriptor's number tells how many are in use, so copies of the real system's are numbered here too.
  if (kernel && command == F_DUPFD_CLOEXEC) {
    static const auto placeholder = std::make_shared<Counter>();
    return ours(descriptor) ? kernel->duplicate(descriptor) : kernel->open(placeholder);
  }
  if (!ours(descriptor)) return static_cast<int>(real(SYS_fcntl, descriptor, command, argument));
  return command == F_GETFL ? O_NONBLOCK : 0;
}
int fcntl64(int descriptor, int command, ...) __attribute__((alias("fcntl")));

int ioctl(int descriptor, unsigned long request, ...) noexcept {
  va_list rest;
  va_start(rest, request);
  void* const argument = va_arg(rest, void*);
  va_end(rest);
  if (!ours(descriptor)) return static_cast<int>(real(SYS_ioctl, descriptor, request, argument));
  if (request == TIOCOUTQ) *static_cast<int*>(argument) = static_cast<int>(socket_of(descriptor)->unacknowledged());
  return 0;
}

int getrlimit(__rlimit_resource_t resource, rlimit* out) noexcept {
  if (!kernel || resource != RLIMIT_NOFILE)
    return static_cast<int>(real(SYS_prlimit64, 0, resource, static_cast<void*>(nullptr), out));
  out->rlim_cur = out->rlim_max = static_cast<rlim_t>(Kernel::kFirst + kernel->limit);
  return 0;
}

// --- waiting ---

int epoll_create1(int flags) noexcept {
  return kernel ? kernel->open(std::make_shared<Epoll>()) : static_cast<int>(real(SYS_epoll_create1, flags));
}

int epoll_ctl(int descriptor, int operation, int watched, epoll_event* event) noexcept {
  if (!ours(descriptor)) return static_cast<int>(real(SYS_epoll_ctl, descriptor, operation, watched, event));
  File* const file = kernel->find<File>(watched);
  Epoll* const epoll = kernel->find<Epoll>(descriptor);
  if (!file || !epoll) fail_with("descriptors", "epoll_ctl({}, {}), of which one is not open", descriptor, watched);
  const auto* const socket = dynamic_cast<Socket*>(file);
  if (operation == EPOLL_CTL_ADD && socket && socket->state != Socket::State::listening && kernel->watch_fails &&
      kernel->watch_fails())
    return errno = ENOSPC, -1;
  return epoll->control(operation, watched, *file, event);
}

int epoll_wait(int descriptor, epoll_event* events, int most, int milliseconds) {
  if (!ours(descriptor)) return static_cast<int>(real(SYS_epoll_wait, descriptor, events, most, milliseconds));
  return kernel->wait(*kernel->find<Epoll>(descriptor), events, most, milliseconds);
}

int poll(pollfd* what, nfds_t count, int milliseconds) {
  if (count != 1 || !ours(what->fd)) return static_cast<int>(real(SYS_poll, what, count, milliseconds));
  what->revents =
      static_cast<short>(kernel->find<File>(what->fd)->mask() & static_cast<unsigned>(what->events | POLLERR | POLLHUP));
  return what->revents != 0;
}
int __poll_chk(pollfd* what, nfds_t count, int milliseconds, size_t) { return poll(what, count, milliseconds); }

int eventfd(unsigned value, int flags) noexcept {
  if (!kernel) return static_cast<int>(real(SYS_eventfd2, value, flags));
  auto made = std::make_shared<Counter>();
  made->value = value;
  return kernel->open(std::move(made));
}

int timerfd_create(int clock, int flags) noexcept {
  return kernel ? kernel->open(std::make_shared<Counter>()) : static_cast<int>(real(SYS_timerfd_create, clock, flags));
}

int timerfd_settime(int descriptor, int flags, const itimerspec* when, itimerspec* before) noexcept {
  if (!ours(descriptor)) return static_cast<int>(real(SYS_timerfd_settime, descriptor, flags, when, before));
  auto* const timer = kernel->find<Counter>(descriptor);
  const std::uint64_t mine = ++timer->armed;
  const Time due = when->it_value.tv_sec * kSecond + when->it_value.tv_nsec;
  if (due == 0) return 0;
  kernel->at((flags & 1) != 0 ? due - 1000 * kSecond : kernel->now() + due,
             [timer = std::static_pointer_cast<Counter>(timer->shared_from_this()), mine] {
               if (timer->armed == mine) ++timer->value, timer->wake(EPOLLIN);
             });
  return 0;
}

// --- sockets ---

int socket(int domain, int type, int protocol) noexcept {
  if (!kernel) return static_cast<int>(real(SYS_socket, domain, type, protocol));
  kernel->spend();
  return kernel->open(std::make_shared<Socket>());
}

int bind(int descriptor, const sockaddr* address, socklen_t size) noexcept {
  if (!ours(descriptor)) return static_cast<int>(real(SYS_bind, descriptor, address, size));
  Address& local = socket_of(descriptor)->local;
  std::memcpy(&local.storage, address, size);
  local.size = size;
  auto& port = reinterpret_cast<sockaddr_in*>(&local.storage)->sin_port;  // where sockaddr_in6 has it as well
  if (port == 0) port = htons(kernel->next_port++);
  return 0;
}

int listen(int descriptor, int backlog) noexcept {
  return ours(descriptor) ? socket_of(descriptor)->listen() : static_cast<int>(real(SYS_listen, descriptor, backlog));
}

int accept4(int descriptor, sockaddr* address, socklen_t* size, int flags) {
  if (!ours(descriptor)) return static_cast<int>(real(SYS_accept4, descriptor, address, size, flags));
  kernel->spend();
  auto& backlog = socket_of(descriptor)->backlog;
  if (backlog.empty()) return errno = EAGAIN, -1;
  const int number = kernel->open(backlog.front());
  if (number < 0) return -1;
  backlog.pop_front();
  trace("accept", number, descriptor);
  return number;
}

int connect(int descriptor, const sockaddr* address, socklen_t size) {
  if (!ours(descriptor)) return static_cast<int>(real(SYS_connect, descriptor, address, size));
  kernel->spend();
  Address to;
  std::memcpy(&to.storage, address, size);
  to.size = size;
  return socket_of(descriptor)->connect(to);
}

ssize_t recv(int descriptor, void* into, size_t size, int flags) {
  if (!ours(descriptor)) return real(SYS_recvfrom, descriptor, into, size, flags, 0L, 0L);
  kernel->spend();
  return socket_of(descriptor)->receive(static_cast<char*>(into), size, (flags & MSG_PEEK) != 0);
}
ssize_t __recv_chk(int descriptor, void* into, size_t size, size_t, int flags) { return recv(descriptor, into, size, flags); }

ssize_t send(int descriptor, const void* from, size_t size, int flags) {
  if (!ours(descriptor)) return real(SYS_sendto, descriptor, from, size, flags, 0L, 0L);
  kernel->spend();
  const iovec piece{const_cast<void*>(from), size};
  return socket_of(descriptor)->send(&piece, 1);
}

ssize_t sendmsg(int descriptor, const msghdr* message, int flags) {
  if (!ours(descriptor)) return real(SYS_sendmsg, descriptor, message, flags);
  kernel->spend();
  return socket_of(descriptor)->send(message->msg_iov, message->msg_iovlen);
}

int shutdown(int descriptor, int how) noexcept {
  if (!ours(descriptor)) return static_cast<int>(real(SYS_shutdown, descriptor, how));
  kernel->spend();
  if (how != SHUT_WR) fail("seam", "shutdown() of the reading side is not simulated");
  return socket_of(descriptor)->shutdown_write();
}

int setsockopt(int descriptor, int level, int option, const void* value, socklen_t size) noexcept {
  if (!ours(descriptor)) return static_cast<int>(real(SYS_setsockopt, descriptor, level, option, value, size));
  if (level == SOL_SOCKET && option == SO_KEEPALIVE) socket_of(descriptor)->keep_alive = true;
  if (level == SOL_SOCKET && option == SO_LINGER)
    socket_of(descriptor)->linger_none = static_cast<const linger*>(value)->l_onoff != 0;
  return 0;
}

int getsockopt(int descriptor, int level, int option, void* value, socklen_t* size) noexcept {
  if (!ours(descriptor)) return static_cast<int>(real(SYS_getsockopt, descriptor, level, option, value, size));
  Socket* const socket = socket_of(descriptor);
  std::memset(value, 0, *size);
  if (level == SOL_SOCKET && option == SO_ERROR) *static_cast<int*>(value) = socket->take_error();
  if (level == IPPROTO_TCP && option == TCP_INFO)
    static_cast<tcp_info*>(value)->tcpi_state = socket->state == Socket::State::open ? TCP_ESTABLISHED : TCP_CLOSE;
  return 0;
}

int getpeername(int descriptor, sockaddr* into, socklen_t* size) noexcept {
  return ours(descriptor) ? give(socket_of(descriptor)->peer_address, into, size)
                          : static_cast<int>(real(SYS_getpeername, descriptor, into, size));
}

int getsockname(int descriptor, sockaddr* into, socklen_t* size) noexcept {
  return ours(descriptor) ? give(socket_of(descriptor)->local, into, size)
                          : static_cast<int>(real(SYS_getsockname, descriptor, into, size));
}

}  // extern "C"
