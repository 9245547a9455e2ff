#include "http/raw_stream.hpp"

namespace cmux::http {

Task<Result<Head*>> RawStream::read_head() { co_return make_error(Errc::unsupported, "a raw tunnel has no head"); }

Task<Result<void>> RawStream::write_head(const Head&, Next) { co_return Result<void>{}; }

Task<Result<Body>> RawStream::read_body() {
  in_.clear();
  auto read = co_await net::read_some(*transport_, in_, tunnel_room(moved_), &stopped_);
  if (!read) co_return read.error();
  moved_ += *read;
  Body body{in_.view(), *read == 0, nullptr};
  co_return body;
}

void RawStream::interrupt_body(bool on) {
  stopped_ = on;
  if (on) transport_->readable().set();
}

Task<Result<void>> RawStream::write_body(std::string_view bytes, Next next, const Fields*) {
  auto written = co_await net::write_all(*transport_, send_timeout_, bytes);
  if (written && next == Next::end) transport_->shutdown_write();
  co_return written;
}

void RawStream::reset(Errc why) noexcept {
  if (transport_) transport_->abort(make_error(why, "the tunnel was given up"), true);
}

}  // namespace cmux::http
