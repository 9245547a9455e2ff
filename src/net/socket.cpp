#include "net/socket.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace cmux::net {
namespace {

// Where the system has no accept4() and SOCK_NONBLOCK, two more calls; SIGPIPE is ignored by the program, MSG_NOSIGNAL or not.
[[maybe_unused]] void set_flags(int descriptor) {
  fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK);
  fcntl(descriptor, F_SETFD, FD_CLOEXEC);
}

#ifdef MSG_NOSIGNAL
constexpr int kSendFlags = MSG_NOSIGNAL;
#else
constexpr int kSendFlags = 0;
#endif

}  // namespace

Socket& Socket::operator=(Socket&& other) noexcept {
  if (this != &other) {
    if (descriptor_ >= 0) close(descriptor_);
    descriptor_ = std::exchange(other.descriptor_, -1);
  }
  return *this;
}

Socket::~Socket() {
  if (descriptor_ >= 0) close(descriptor_);
}

Result<Socket> Socket::open(int family) {
#ifdef __linux__
  Socket made(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
#else
  Socket made(::socket(family, SOCK_STREAM, 0));
  if (made) set_flags(made.get());
#endif
  if (!made) return from_errno(errno, "socket");
  return made;
}

Result<Socket> Socket::accept(int listener) {
  while (true) {
#ifdef __linux__
    Socket made(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
#else
    Socket made(::accept(listener, nullptr, nullptr));
    if (made) set_flags(made.get());
#endif
    if (made || errno == EAGAIN || errno == EWOULDBLOCK) return made;
    // A client that has gone again says nothing of the others in the queue.
    if (errno != EINTR && errno != ECONNABORTED && errno != EPROTO && errno != EPERM) return from_errno(errno, "accept");
  }
}

SocketTransport::SocketTransport(Socket socket) : socket_(std::move(socket)) {
  const int on = 1;
  setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  pollable_.fd = socket_.get();
  // Unknown until tried: the first read and write find out.
  pollable_.readable.set();
  pollable_.writable.set();
  Loop::current().watch(pollable_);
}

SocketTransport::~SocketTransport() { Loop::current().unwatch(pollable_); }

Io SocketTransport::fail(int number, std::string_view doing) {
  error_ = from_errno(number, doing);
  return Io::failed();
}

Io SocketTransport::read_through(std::span<char> into) {
  if (aborted_) return Io::failed();
  if (!pollable_.readable.is_set()) return Io::blocked();
  while (true) {
    const ssize_t count = ::recv(socket_.get(), into.data(), into.size(), 0);
    if (count > 0) {
      // A short read emptied the socket: the next edge tells of more. But the edge of a FIN is not repeated.
      if (static_cast<std::size_t>(count) < into.size() && !pollable_.hung_up) pollable_.readable.clear();
      return Io::moved(static_cast<std::size_t>(count));
    }
    if (count == 0) return Io::end();
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return fail(errno, "read");
    pollable_.readable.clear();
    return Io::blocked();
  }
}

Io SocketTransport::write(Pieces pieces) {
  if (aborted_) return Io::failed();
  if (write_ended_) return fail(EPIPE, "write");
  if (!pollable_.writable.is_set()) return Io::blocked();
  std::array<iovec, kMaxPieces> vectors;
  std::size_t used = 0, total = 0;
  for (const std::string_view piece : pieces)
    if (!piece.empty()) {
      vectors[used++] = {const_cast<char*>(piece.data()), piece.size()};
      total += piece.size();
    }
  if (total == 0) return Io::moved(0);
  msghdr message{};
  message.msg_iov = vectors.data();
  message.msg_iovlen = static_cast<decltype(message.msg_iovlen)>(used);
  while (true) {
    const ssize_t count = used == 1 ? ::send(socket_.get(), vectors[0].iov_base, vectors[0].iov_len, kSendFlags)
                                    : ::sendmsg(socket_.get(), &message, kSendFlags);
    if (count >= 0) {
      if (static_cast<std::size_t>(count) < total) pollable_.writable.clear();
      return Io::moved(static_cast<std::size_t>(count));
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return fail(errno, "write");
    pollable_.writable.clear();
    return Io::blocked();
  }
}

void SocketTransport::shutdown_write() {
  if (std::exchange(write_ended_, true) || aborted_) return;
  ::shutdown(socket_.get(), SHUT_WR);
}

void SocketTransport::abort(Error error, bool hard) noexcept {
  if (hard) {
    const linger now{1, 0};
    setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  if (aborted_) return;
  aborted_ = true;
  error_ = std::move(error);
  pollable_.readable.set();
  pollable_.writable.set();
}

bool SocketTransport::broken() const {
#ifdef __linux__
  tcp_info info{};
  socklen_t size = sizeof info;
  if (getsockopt(socket_.get(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && info.tcpi_state == TCP_CLOSE) return true;
#endif
  int number = 0;
  socklen_t length = sizeof number;
  return getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &number, &length) == 0 && number != 0;
}

void SocketTransport::on_hang_up(void (*callback)(void*), void* argument) {
  pollable_.on_hang_up = callback;
  pollable_.hang_up_argument = argument;
  if (callback && pollable_.hung_up) callback(argument);
}

Endpoint SocketTransport::peer() const {
  Endpoint endpoint;
  endpoint.size = sizeof endpoint.storage;
  if (getpeername(socket_.get(), reinterpret_cast<sockaddr*>(&endpoint.storage), &endpoint.size) != 0) return {};
  return endpoint;
}

Endpoint SocketTransport::local() const {
  Endpoint endpoint;
  endpoint.size = sizeof endpoint.storage;
  if (getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&endpoint.storage), &endpoint.size) != 0) return {};
  return endpoint;
}

}  // namespace cmux::net
