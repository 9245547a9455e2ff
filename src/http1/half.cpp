#include "http1/half.hpp"

#include "base/log.hpp"

namespace cmux::http1 {
namespace {

constexpr std::size_t kJoin = 16 * 1024;  // pieces are held back up to here
constexpr std::size_t kCopy = 4 * 1024;   // below that a copy costs less than a gathering system call

}  // namespace

Task<Result<http::Body>> Half::pull_body() {
  while (true) {
    auto piece = reader_.next(in_);
    if (!piece) co_return piece.error();
    if (!piece->starved) {
      body_bytes_ += piece->bytes.size();
      http::Body body{piece->bytes, piece->end, nullptr};
      if (piece->end) body.trailers = reader_.trailers();
      co_return body;
    }
    const net::Io io = transport_->read(in_.prepare(http::tunnel_room(body_bytes_)));
    if (io.state == net::Io::State::failed) co_return transport_->error();
    if (io.state == net::Io::State::moved) {
      in_.commit(io.count);
      continue;
    }
    if (io.state == net::Io::State::blocked) {
      in_.shrink();
      if (stopped_) co_return make_error(Errc::cancelled);
      co_await transport_->readable();
      continue;
    }
    auto last = reader_.end_of_input();
    if (!last) co_return last.error();
    if (transport_->cut_off() && !reader_.done())
      co_return make_error(Errc::closed, "TLS ended without a close_notify: the body may be cut");
    reader_.start(Framing::none, 0);
    http::Body body{{}, true, nullptr};
    co_return body;
  }
}

void Half::stop_pulling(bool stop) {
  stopped_ = stop;
  if (stop) transport_->readable().set();
}

Task<Result<void>> Half::push_body(std::string_view bytes, http::Next next, const http::Fields* trailers) {
  const bool end = next == http::Next::end;
  auto tail = writer_.frame(bytes.size(), end, trailers, out_);
  if (!tail) co_return tail.error();
  const bool hold = next == http::Next::soon && out_.size() + bytes.size() + tail->size() <= kJoin;
  if (hold || (!out_.empty() && bytes.size() <= kCopy)) {
    out_.append(bytes);
    out_.append(*tail);
    bytes = *tail = {};
  }
  if (hold) co_return Result<void>{};
  auto written = co_await net::write_all(*transport_, send_timeout_, out_.view(), bytes, *tail);
  out_.release();
  if (!written) co_return unsent(written.error());
  if (end) {
    wrote_end_ = true;
    if (writer_.framing() == Framing::until_close) transport_->shutdown_write();
  }
  co_return written;
}

Task<Result<void>> Half::flush() {
  if (out_.empty()) co_return Result<void>{};
  auto written = co_await net::write_all(*transport_, send_timeout_, out_.view());
  out_.release();
  if (!written) co_return unsent(written.error());
  co_return written;
}

Error Half::unsent(Error error) {
  deaf_ = error.code == Errc::timeout;
  if (deaf_) log::info("an HTTP/1 peer has taken nothing of what waited for it in time");
  return error;
}

std::unique_ptr<net::Transport> Half::take_transport() {
  if (!in_.empty()) transport_->unread(in_.view());
  in_.release();
  return std::move(transport_);
}

}  // namespace cmux::http1
