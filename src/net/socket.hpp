// SocketTransport: a connected TCP or Unix socket. It reads first and waits only when it must, with the system's own calls:
// neither a timer nor an allocation an operation (docs/decisions/0001-asio.md has what Asio's would cost). Opening, connecting
// and accepting are Asio's: net/dial, net/listener.
#pragma once

#include <optional>

#include "net/transport.hpp"

namespace cmux::net {

// A socket's descriptor, non-blocking and closed on exec; closes it. Move-only.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Socket& operator=(Socket&& other) noexcept;
  ~Socket();
  // A new stream socket.
  static Result<Socket> open(int family);
  // The next connection of a listening socket.
  // Nothing where no connection waits; an error for what the caller should know of (no descriptors left).
  static Result<Socket> accept(int listener);
  // Was the connection reset, or closed in both directions? Half-closed is not broken.
  bool is_broken() const;
  // A peer that is silently gone is noticed: after a minute, while nothing is sent by probes, while something is by its silence.
  void keep_alive() const;
  milliseconds round_trip() const;  // 0: not known
  int get() const { return descriptor_; }
  int release() { return std::exchange(descriptor_, -1); }
  explicit operator bool() const { return descriptor_ >= 0; }

 private:
  int descriptor_ = -1;
};

// How long this machine has slept since it was started, as far as the system says: time that deadlines do not count.
milliseconds time_asleep();

class SocketTransport final : public Transport {
 public:
  // The socket must be connected. Throws std::system_error when it cannot be watched.
  explicit SocketTransport(Socket socket);
  ~SocketTransport() override;

  int descriptor() const { return socket_.get(); }
  Io write(Pieces pieces) override;
  Event& readable() override { return pollable_.readable; }
  Event& writable() override { return pollable_.writable; }
  void shutdown_write() override;
  void abort(Error error, bool hard) noexcept override;
  bool hung_up() const override { return pollable_.hung_up; }
  bool broken() const override { return socket_.is_broken(); }
  bool may_read() const override { return pollable_.readable.is_set(); }
  void on_hang_up(void (*callback)(void*), void* argument) override;
  std::size_t unacknowledged() const override;
  milliseconds round_trip() const override { return socket_.round_trip(); }
  Endpoint peer() const override;
  Endpoint local() const override;

 protected:
  Io read_through(std::span<char> into) override;

 private:
  Io fail(int number, std::string_view doing);
  Io receive(std::span<char> into);
  Socket socket_;
  Pollable pollable_;
#if !CMUX_LINUX
  void look_ahead();
  std::optional<Io> ahead_;  // how reading ended, seen before all that came before it was read
#endif
  bool aborted_ = false, write_ended_ = false;
};

}  // namespace cmux::net
