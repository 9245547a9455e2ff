// What the streams of a connection, and those of all connections of a thread, hold: bytes that have come and that nobody has
// read, and bytes that a peer has not taken. A window bounds one stream; a thousand of them, of a client that does not read, are
// bounded here: past the limit the stream that has made no progress for the longest time is reset.
#pragma once

#include <cstddef>

#include "base/list.hpp"

namespace cmux::http2 {

class Stream;

// A stream's place among those that hold something.
struct Holder : Link {
  explicit Holder(Stream& one) : stream(one) {}
  Stream& stream;
  std::size_t bytes = 0;
};

// A connection's.
class Held : private Link {
 public:
  static constexpr std::size_t kMost = 32 * 1024 * 1024;          // a connection
  static constexpr std::size_t kMostTogether = 64 * 1024 * 1024;  // a thread

  Held();
  ~Held() { unlink(); }

  // It holds so many bytes now. The stream that has to go for it, or null; it may be another connection's.
  Stream* set(Holder& holder, std::size_t bytes);
  std::size_t bytes() const { return bytes_; }
  void invariants() const;

 private:
  Stream* oldest();

  std::size_t bytes_ = 0;
  Link holders_;  // who has made progress last is the last one
};

}  // namespace cmux::http2
