// What bounds a stream: its window, what it holds, and how long its peer may take nothing or say nothing.
#include <algorithm>

#include <fmt/format.h>

#include "base/log.hpp"
#include "http2/connection.hpp"

namespace cmux::http2 {
namespace {

constexpr std::int64_t kMostWidened = 32 * 1024 * 1024;  // what all windows of a connection may have grown by

}  // namespace

void Stream::account() {
  Stream* const excess = connection_.held_.set(holder_, in_.size() + out_.size() + source_.size());
  if (excess) excess->shed();
}

void Stream::shed() {
  log::info("an HTTP/2 stream is reset: too much waits for peers that do not read");
  in_.release();
  in_end_ = false;  // what is left would look whole
  if (failed_) account();
  reset(Errc::limit);
}

// A request has its time to be answered in; what is sent behind that is a tunnel's.
void Stream::watch(bool progress) {
  const bool held = !out_.empty() || !source_.empty();
  if (!is_server() && (first_head_ || !connect_)) return;
  const bool waits = open_ && !failed_ && !end_sent_ &&
                     (is_server() ? (head_written_ || interim_unsent_ > 0) && (out_ended_ || !head_sent_ || held) : held);
  if (!waits) late_.cancel();
  else if (progress || !late_.armed()) late_.after(connection_.options().send_timeout);
}

void Stream::expire() {
  if (is_server()) {
    log::info("an HTTP/2 client has taken nothing of a response in time");
    head_sent_ = true;  // or never will be: nothing waits for that
    return reset(Errc::timeout);
  }
  submit_reset(NGHTTP2_CANCEL);
  const auto seconds = [](milliseconds time) { return static_cast<double>(time.count()) / 1000.0; };
  const double response = seconds(connection_.options().response_timeout);
  if (!first_head_ && connect_) return fail(make_error(Errc::timeout, "the peer has taken nothing of what waits for it in time"));
  if (!first_head_)
    return fail(make_error(
        Errc::timeout, fmt::format("the response's body has not gone on for {} s", seconds(connection_.options().body_timeout))));
  // It may be the client that all wait for.
  if (!out_ended_ && !connect_ && out_.empty() && source_.empty() && (!expects_ || message_read_))
    return fail(
        Error{Errc::timeout, Side::downstream, false, 408, fmt::format("the request's body has not gone on for {} s", response)});
  fail(Error{Errc::timeout, Side::upstream, false, 504, fmt::format("no response in {} s", response)});
}

// What was read may come again. A reader who waits for more keeps up: what bounds the stream is its window, which then grows.
void Stream::give_credit(std::size_t size) {
  if (!open_ || size == 0) return;
  nghttp2_session* const session = connection_.session().get();
  nghttp2_session_consume_stream(session, id_, size);
  const auto window = static_cast<std::uint64_t>(window_);
  const std::int32_t wider = std::min(window_ * 4, connection_.options().most_window);
  if (in_.empty() && received_ > 2 * window && wider > window_ && connection_.widened_ + wider - window_ <= kMostWidened) {
    connection_.widened_ += wider - window_;
    window_ = wider;
    nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, id_, window_);
  }
  connection_.want_write();
}

}  // namespace cmux::http2
