// Transport: a connection's bytes, plain or TLS, over a socket or over another transport. Reads and writes never wait: they move
// what can be moved and say `blocked`; the caller then awaits readable() or writable() and tries again. One reader and one writer
// at a time. Owned by exactly one connection; destroying it closes it.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "base/buffer.hpp"
#include "base/error.hpp"
#include "base/loop.hpp"
#include "net/address.hpp"

namespace cmux::net {

struct Io {
  enum class State : std::uint8_t { moved, blocked, end, failed };
  State state;
  std::size_t count = 0;  // bytes, where state is moved

  static Io moved(std::size_t count) { return {State::moved, count}; }
  static Io blocked() { return {State::blocked}; }
  static Io end() { return {State::end}; }
  static Io failed() { return {State::failed}; }
};

using Pieces = std::span<const std::string_view>;

class Transport {
 public:
  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;

  // Bytes that were unread() come first. `end` is the peer's FIN or close_notify; after `failed`, error() says why.
  Io read(std::span<char> into);
  // Takes the pieces in order, possibly only a part. At most kMaxPieces.
  virtual Io write(Pieces pieces) = 0;
  static constexpr std::size_t kMaxPieces = 4;

  virtual Event& readable() = 0;
  virtual Event& writable() = 0;

  // Ends the writing direction: FIN, or close_notify and FIN. The other direction goes on.
  virtual void shutdown_write() = 0;
  // Makes every read and write fail with `error` from now on, and wakes who waits. With `hard`, closing sends a reset.
  virtual void abort(Error error, bool hard = false) noexcept = 0;
  // The peer has ended its direction or is gone altogether; known without reading.
  virtual bool hung_up() const = 0;
  // Calls back once when hung_up() turns true (at once if it is); null: no more. Must not destroy the transport.
  virtual void on_hang_up(void (*callback)(void*), void* argument) = 0;
  // The connection was reset, or is half-closed at the most: the difference between a peer that is gone and one that said its
  // last.
  virtual bool broken() const = 0;

  // A read may give something; false: it surely would not, as far as the loop knows.
  virtual bool may_read() const = 0;
  // The end came without the farewell that TLS has: a message that only the connection's end delimits may be cut.
  virtual bool cut_off() const { return false; }

  // Bytes that were written and that the peer has not acknowledged, where that is known: it may read too slowly for writable(),
  // and still read.
  virtual std::size_t unacknowledged() const { return 0; }

  // To the peer and back, as far as it is known; else 0.
  virtual milliseconds round_trip() const { return {}; }

  const Error& error() const { return error_; }

  // Puts bytes back; they are read again before anything else.
  void unread(std::string_view bytes);

  // For logs and the instance's own checks; empty where there is no socket.
  virtual Endpoint peer() const { return {}; }
  virtual Endpoint local() const { return {}; }
  // The name that ALPN chose ("h2", "http/1.1"), or empty.
  virtual std::string_view alpn() const { return {}; }

 protected:
  virtual Io read_through(std::span<char> into) = 0;
  // What was read ahead, behind what was put back.
  void append_prefix(std::string_view bytes) { prefix_.append(bytes); }
  std::size_t prefix_size() const { return prefix_.size(); }
  Error error_;

 private:
  Buffer prefix_;
};

// Waits until there is something, then reads it into the buffer. 0: the peer ended its direction. Once `*stopped` it does not
// wait any more, and fails with Errc::cancelled; whoever sets that also sets transport.readable().
Task<Result<std::size_t>> read_some(Transport& transport, Buffer& into, std::size_t room, const bool* stopped = nullptr);
// Writes all of the pieces. A peer that takes nothing at all for `limit` (0: none) is Errc::timeout: part of them may have gone
// out by then.
Task<Result<void>> write_all(Transport& transport, milliseconds limit, std::string_view first, std::string_view second = {},
                             std::string_view third = {});
inline Task<Result<void>> write_all(Transport& transport, std::string_view bytes) {
  return write_all(transport, milliseconds(0), bytes);
}

}  // namespace cmux::net
