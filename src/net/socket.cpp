#include "net/socket.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace cmux::net {
namespace {

// Where it does not exist, SIGPIPE is ignored by the program.
#ifdef MSG_NOSIGNAL
constexpr int kSendFlags = MSG_NOSIGNAL;
#else
constexpr int kSendFlags = 0;
#endif

// A peer that always has more to say, to somebody who always takes it, would keep the loop for itself: after so many reads in a
// row the others have their turn. By the loop's time one turn is told from the next.
constexpr unsigned kReadsATurn = 16;
struct InARow {
  const SocketTransport* reader = nullptr;
  Clock::time_point turn;
  unsigned reads = 0;

  bool enough(const SocketTransport* now) {
    const Clock::time_point at = Loop::current().now();
    if (std::exchange(reader, now) != now || std::exchange(turn, at) != at) reads = 0;
    return ++reads > kReadsATurn;
  }
};
thread_local InARow in_a_row;

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

SocketTransport::SocketTransport(Socket socket) : socket_(std::move(socket)) {
  const int on = 1;
  setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  pollable_.fd = socket_.get();
  // Unknown until tried: the first read and write find out.
  pollable_.readable.set();
  pollable_.writable.set();
  Loop::current().readiness().watch(pollable_);
}

SocketTransport::~SocketTransport() { Loop::current().readiness().unwatch(pollable_); }

Io SocketTransport::fail(int number, std::string_view doing) {
  error_ = from_errno(number, doing);
  return Io::failed();
}

Io SocketTransport::read_through(std::span<char> into) {
  if (aborted_) return Io::failed();
#if !CMUX_LINUX
  if (ahead_) return *ahead_;
#endif
  if (!pollable_.readable.is_set()) return Io::blocked();
  if (in_a_row.enough(this)) {
    pollable_.await_readable();
    Loop::current().readiness().watch(pollable_);  // so that the system says again that there is more
    return Io::blocked();
  }
  return receive(into);
}

Io SocketTransport::receive(std::span<char> into) {
  while (true) {
    const ssize_t count = ::recv(socket_.get(), into.data(), into.size(), 0);
    if (count > 0) {
      // A short read emptied the socket: the next edge tells of more. But the edge of a FIN is not repeated.
      if (static_cast<std::size_t>(count) < into.size() && !pollable_.hung_up) pollable_.await_readable();
      return Io::moved(static_cast<std::size_t>(count));
    }
    if (count == 0) return Io::end();
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return fail(errno, "read");
    pollable_.await_readable();
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
      if (static_cast<std::size_t>(count) < total) pollable_.await_writable();
      return Io::moved(static_cast<std::size_t>(count));
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return fail(errno, "write");
    pollable_.await_writable();
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

void SocketTransport::on_hang_up(void (*callback)(void*), void* argument) {
  pollable_.on_hang_up = callback;
  pollable_.hang_up_argument = argument;
  if (callback && pollable_.hung_up) return callback(argument);
#if !CMUX_LINUX
  pollable_.on_readable = nullptr;
  if (callback) pollable_.on_readable = [](void* self) { static_cast<SocketTransport*>(self)->look_ahead(); };
  pollable_.readable_argument = this;
  if (callback && pollable_.readable.is_set()) look_ahead();
#endif
}

#if !CMUX_LINUX
// The system does not tell of a FIN or a reset behind bytes that nobody reads. So, while somebody wants to know of it, they are
// read ahead, up to a limit.
void SocketTransport::look_ahead() {
  constexpr std::size_t kMost = 64 * 1024;
  std::array<char, 4096> bytes;
  while (!ahead_ && !aborted_ && pollable_.readable.is_set() && prefix_size() < kMost) {
    const Io io = receive(bytes);
    if (io.state == Io::State::moved) append_prefix({bytes.data(), io.count});
    else if (io.state != Io::State::blocked) ahead_ = io;
  }
  if (prefix_size() > 0 || ahead_) pollable_.readable.set();
  if (ahead_) pollable_.hang_up();
}
#endif

std::size_t SocketTransport::unacknowledged() const {
  int count = 0;
#ifdef TIOCOUTQ
  if (ioctl(socket_.get(), TIOCOUTQ, &count) != 0) return 0;
#endif
  return static_cast<std::size_t>(count);
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
