// What the session tells a stream, and what it takes from it: the heads and bytes that come, how the stream ends, and what is
// there to be sent.
#include <algorithm>

#include <fmt/format.h>

#include "http2/connection.hpp"

namespace cmux::http2 {
namespace {

using http::Head;

constexpr std::size_t kMostHeads = 64;  // interim responses that nobody has read

}  // namespace

Error body_too_large(std::uint64_t most) {
  return Error{Errc::too_large, Side::downstream, false, 413, fmt::format("the body is over {} bytes", most)};
}

void Stream::begin_head() {
  using Block = HeadReader::Block;
  connection_.reader().start(!first_head_ ? Block::trailers : is_server() ? Block::request : Block::response);
}

bool Stream::line(std::string_view name, std::string_view value, bool secret) {
  HeadReader& reader = connection_.reader();
  reader.line(name, value, connection_.options().limits, secret);
  if (!reader.hopeless(connection_.options().limits)) return true;
  connection_.session().charge_decoded(reader.decoded());
  if (auto read = reader.finish(false); !is_server() && !read) fail(read.error());
  return false;
}

void Stream::end_head(bool end) {
  HeadReader& reader = connection_.reader();
  connection_.session().charge_decoded(reader.decoded());
  auto read = reader.finish(end);
  if (!first_head_ && !read) {
    submit_reset(is_server() ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_CANCEL);
    fail(read.error());
  } else if (!first_head_) {
    trailers_ = std::move(reader.head().fields);
    if (end) end_body();
  } else if (is_server()) {
    take_request(std::move(read), end);
  } else if (read) {
    take_response(end);
  } else {
    submit_reset(NGHTTP2_CANCEL);
    fail(read.error());
  }
}

void Stream::take_request(Result<void> read, bool end) {
  CMUX_CHECK(head_size_ == 0, "a stream has one request");
  first_head_ = false;
  in_end_ = end;
  message_ = connection_.reader().take();
  head_size_ = message_.fields.capacity() + message_.path.capacity();
  connection_.head_bytes_ += head_size_;
  connect_ = message_.is_connect();
  upgrade_ = message_.is_upgrade();
  const std::uint64_t most = connection_.options().max_body;
  if (!read) refused_ = read.error();
  else if (most != 0 && message_.content_length.value_or(0) > most) refused_ = body_too_large(most);
  if (refused_) refused_->side = Side::downstream;
}

void Stream::take_response(bool end) {
  Head& head = connection_.reader().head();
  if (head.status >= 200) {
    first_head_ = false;
    in_end_ = end;
    if (connect_ && head.status < 300) {
      head.tunnel = true;
      head.end = false;
      head.content_length.reset();
      if (upgrade_) head.status = 101;
    }
  } else if (heads_.size() + 1 >= kMostHeads) {
    submit_reset(NGHTTP2_ENHANCE_YOUR_CALM);
    return fail(make_error(Errc::malformed, "too many interim responses at once"));
  }
  // The usual case: the one head, and nothing of an earlier one in use.
  if (!arrived_ && !message_read_) message_ = connection_.reader().take();
  else heads_.push_back(connection_.reader().take());
  arrived_ = true;
  readable_.set();
}

bool Stream::receive(std::string_view bytes) {
  if (failed_) return false;
  CMUX_CHECK(!in_end_, "nothing comes behind a message's end");
  received_ += bytes.size();
  in_.append(bytes);
  readable_.set();
  account();
  return true;
}

void Stream::end_body() {
  in_end_ = true;
  readable_.set();
  if (on_hang_up_) std::exchange(on_hang_up_, nullptr)(hang_up_argument_);
}

// A response that nghttp2 found wrong. What it says of a request is of no use: the stream is reset.
void Stream::malformed(std::string_view why) {
  if (is_server()) return;
  why = why.substr(0, why.find(", value: "));
  fail(make_error(Errc::malformed, why.empty() ? "a malformed HTTP/2 message" : fmt::format("malformed HTTP/2: {}", why)));
}

void Stream::closed(std::uint32_t code) {
  CMUX_CHECK(open_, "a stream ends once");
  open_ = false;
  writable_.set();
  if (code == NGHTTP2_NO_ERROR && in_end_ && end_sent_) return connection_.stream_done();
  if (code == NGHTTP2_PROTOCOL_ERROR && !reset_received_ && !reset_sent_) malformed({});  // nghttp2 has reset it
  // Node, for one, says ENHANCE_YOUR_CALM when it takes no more. That it has not looked at the request is not said by it.
  const bool busy = !is_server() && reset_received_ && (code == NGHTTP2_REFUSED_STREAM || code == NGHTTP2_ENHANCE_YOUR_CALM);
  Error error = make_error(busy ? Errc::busy : Errc::reset, fmt::format("the stream was reset ({})", name_of_code(code)));
  error.untouched = unprocessed_ || code == NGHTTP2_REFUSED_STREAM || code == NGHTTP2_HTTP_1_1_REQUIRED;
  error.retryable = error.untouched || (busy && idempotent_ && first_head_);
  if (code == NGHTTP2_HTTP_1_1_REQUIRED) connection_.http1_required_ = true;
  if (busy) connection_.stream_refused();
  fail(std::move(error));
}

void Stream::lost(Error error) {
  // Like a kept HTTP/1 connection that turns out closed: the request was on its way when the connection went.
  error.untouched = !is_server() && unprocessed_;
  if (!is_server()) error.retryable = unprocessed_ || (idempotent_ && id_ > 1 && connection_.heard_ == heard_before_);
  open_ = false;
  reset_after_head_ = 0;
  fail(std::move(error));
}

void Stream::fail(Error error) {
  readable_.set();
  writable_.set();
  if (failed_) return;
  failed_ = true;
  error_ = std::move(error);
  source_ = {};
  out_.release();
  account();
  watch(true);
  cancel_other();
  if (on_hang_up_) std::exchange(on_hang_up_, nullptr)(hang_up_argument_);
}

// A HEADERS frame is on its way: interim ones first, then the final one.
void Stream::head_sent() {
  writable_.set();
  watch(true);
  if (interim_unsent_ > 0) {
    --interim_unsent_;
  } else if (head_written_) {
    head_sent_ = true;
    if (reset_after_head_ != 0) submit_reset(std::exchange(reset_after_head_, 0));
  }
}

ssize_t Stream::pull(std::size_t length, std::uint32_t& flags) {
  const std::size_t held = out_.size() + source_.size();
  if (held == 0 && !out_ended_) {
    deferred_ = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  const std::size_t size = std::min(length, held);
  flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (size == held && out_ended_) {
    flags |= NGHTTP2_DATA_FLAG_EOF;
    if (!out_trailers_.empty()) {
      flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      HeadWriter& lines = connection_.writer();
      lines.trailers(out_trailers_);
      nghttp2_submit_trailer(connection_.session().get(), id_, lines.data(), lines.size());
    }
  }
  return static_cast<ssize_t>(size);
}

void Stream::output(Buffer& out, std::size_t length) {
  CMUX_CHECK(length <= out_.size() + source_.size(), "of a stream goes out what it holds, and no more");
  const std::size_t held = std::min(length, out_.size());
  out.append(out_.view().substr(0, held));
  out_.consume(held);
  if (out_.empty()) out_.release();
  out.append(source_.substr(0, length - held));
  source_.remove_prefix(length - held);
  writable_.set();
  account();
  watch(true);
}

}  // namespace cmux::http2
