// RawStream: a transport as a stream that is nothing but a tunnel's body: what a TCP tunnel has on its far side.
#pragma once

#include "base/buffer.hpp"
#include "http/stream.hpp"

namespace cmux::http {

class RawStream final : public Stream {
 public:
  // `send_timeout`: for the peer to take some of what waits for it; 0: none.
  RawStream(std::unique_ptr<net::Transport> transport, milliseconds send_timeout)
      : transport_(std::move(transport)), send_timeout_(send_timeout) {}

  Task<Result<Head*>> read_head() override;
  Task<Result<Body>> read_body() override;
  bool body_ready() const override { return false; }
  void interrupt_body(bool on) override;
  Task<Result<void>> write_head(const Head& head, Next next) override;
  Task<Result<void>> write_body(std::string_view bytes, Next next, const Fields* trailers) override;
  void reset(Errc why) noexcept override;
  void cancel_on_abort(Abortable*) override {}
  std::unique_ptr<net::Transport> into_transport() override { return std::move(transport_); }

 private:
  std::unique_ptr<net::Transport> transport_;
  const milliseconds send_timeout_;
  Buffer in_;
  std::uint64_t moved_ = 0;
  bool stopped_ = false;  // see interrupt_body()
};

}  // namespace cmux::http
