// HTTP/1 message bodies (RFC 9112 sections 6 and 7). Pure: a reader that finds the body in a buffer, a writer that frames it.
#pragma once

#include "base/buffer.hpp"
#include "http1/semantics.hpp"

namespace cmux::http1 {

class BodyReader {
 public:
  struct Piece {
    std::string_view bytes;  // in the buffer, until the next call
    bool end = false;
    bool starved = false;  // nothing to give before more arrives
  };

  void start(Framing framing, std::uint64_t length);
  // Drops the last piece from the buffer and gives the next one.
  Result<Piece> next(Buffer& in);
  // The peer's FIN: the end of a body that is delimited by it, an error for any other.
  Result<Piece> end_of_input() const;
  // Drops the last piece from the buffer: what is left then belongs to the next message.
  void settle(Buffer& in) { in.consume(std::exchange(given_, 0)); }
  // What has arrived of the body already, before any of it is read: an error that is there can be known before anybody is asked
  // to take the message.
  Result<void> foresee(const Buffer& in) const;
  // next() would surely not be starved. Never wrong when it says so: who asks holds back what was read before.
  bool ready(const Buffer& in) const;
  bool done() const { return state_ == State::done; }
  // How many body bytes follow without framing in between: what may be read into a large buffer.
  std::uint64_t expected() const { return remaining_; }
  const http::Fields* trailers() const { return trailers_.empty() ? nullptr : &trailers_; }

 private:
  enum class State : std::uint8_t { done, length, until_close, size, data, data_end, trailer };
  Result<bool> read_size(Buffer& in);     // false: starved
  Result<bool> read_trailer(Buffer& in);  // same

  State state_ = State::done;
  std::uint64_t remaining_ = 0;
  std::size_t given_ = 0;  // bytes of the last piece
  http::Fields trailers_;
};

class BodyWriter {
 public:
  void start(Framing framing, std::uint64_t length) { framing_ = framing, remaining_ = length; }
  Framing framing() const { return framing_; }

  // What goes before and after `size` bytes: the first into `head`, the second is returned. A body that does not have the
  // announced length is an error: the message cannot be completed.
  Result<std::string_view> frame(std::size_t size, bool end, const http::Fields* trailers, Buffer& head);

 private:
  Framing framing_ = Framing::none;
  std::uint64_t remaining_ = 0;
  Buffer tail_;
};

}  // namespace cmux::http1
