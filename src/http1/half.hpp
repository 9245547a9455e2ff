// What a server's and a client's HTTP/1 connection share: one transport with its two buffers, reading and writing bodies.
#pragma once

#include <memory>

#include "http1/body.hpp"
#include "net/transport.hpp"

namespace cmux::http1 {

class Half {
 public:
  Half(std::unique_ptr<net::Transport> transport, milliseconds send_timeout)
      : transport_(std::move(transport)), send_timeout_(send_timeout) {}

 protected:
  Task<Result<http::Body>> pull_body();
  bool pull_ready() const { return reader_.ready(in_); }
  // While on, a pull that waits, or would have to, fails with Errc::cancelled.
  void stop_pulling(bool stop);
  // Frames and sends, together with what write_head() left in out_; or holds it back where `next` allows.
  Task<Result<void>> push_body(std::string_view bytes, http::Next next, const http::Fields* trailers);
  // Sends what out_ holds. A peer that takes nothing of what is sent is Errc::timeout, and deaf_.
  Task<Result<void>> flush();
  // The transport with what was read too far. Spent afterwards.
  std::unique_ptr<net::Transport> take_transport();

  std::unique_ptr<net::Transport> transport_;
  Buffer in_, out_;
  BodyReader reader_;
  BodyWriter writer_;
  std::uint64_t body_bytes_ = 0;  // of the body being read, so far
  bool stopped_ = false;          // see stop_pulling()
  const milliseconds send_timeout_;
  bool wrote_end_ = false;  // the message that this side writes is complete
  bool deaf_ = false;       // the peer does not read: see flush()

 private:
  Error unsent(Error error);
};

}  // namespace cmux::http1
