// SocketTransport: a connected TCP or Unix socket. Also the few system calls that differ between systems.
#pragma once

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
  static Result<Socket> open(int family);
  // Nothing where no connection waits; an error for what the caller should know of (no descriptors left).
  static Result<Socket> accept(int listener);
  int get() const { return descriptor_; }
  int release() { return std::exchange(descriptor_, -1); }
  explicit operator bool() const { return descriptor_ >= 0; }

 private:
  int descriptor_ = -1;
};

class SocketTransport final : public Transport {
 public:
  // The socket must be connected. Throws std::system_error when it cannot be watched.
  explicit SocketTransport(Socket socket);
  ~SocketTransport() override;

  Io write(Pieces pieces) override;
  Event& readable() override { return pollable_.readable; }
  Event& writable() override { return pollable_.writable; }
  void shutdown_write() override;
  void abort(Error error, bool hard) noexcept override;
  bool hung_up() const override { return pollable_.hung_up; }
  bool broken() const override;
  bool may_read() const override { return pollable_.readable.is_set(); }
  void on_hang_up(void (*callback)(void*), void* argument) override;
  Endpoint peer() const override;
  Endpoint local() const override;

 protected:
  Io read_through(std::span<char> into) override;

 private:
  Io fail(int number, std::string_view doing);
  Socket socket_;
  Pollable pollable_;
  bool aborted_ = false, write_ended_ = false;
};

}  // namespace cmux::net
