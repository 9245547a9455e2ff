#include "http2/stream.hpp"

#include <algorithm>

#include "http2/connection.hpp"

namespace cmux::http2 {
namespace {

using http::Body;
using http::Head;
using http::Next;

constexpr unsigned kMostInterim = 4;  // responses that the connection has not taken yet

std::uint32_t code_of(Errc why, bool server, bool tunnel) {
  switch (why) {
    case Errc::cancelled:
    case Errc::timeout: return NGHTTP2_CANCEL;
    case Errc::limit: return NGHTTP2_ENHANCE_YOUR_CALM;
    case Errc::malformed: return server ? NGHTTP2_INTERNAL_ERROR : NGHTTP2_PROTOCOL_ERROR;
    case Errc::too_large: return server ? NGHTTP2_INTERNAL_ERROR : NGHTTP2_CANCEL;
    case Errc::reset:
    case Errc::closed: return tunnel ? NGHTTP2_CONNECT_ERROR : server ? NGHTTP2_INTERNAL_ERROR : NGHTTP2_CANCEL;
    default: return server ? NGHTTP2_INTERNAL_ERROR : NGHTTP2_CANCEL;
  }
}

}  // namespace

Stream::Stream(Connection& connection, std::int32_t id)
    : connection_(connection), id_(id), window_(connection.options().stream_window) {
  link_after(connection_.streams_);
  ++connection_.live_;
  if (id != 0) open_ = true;
}

Stream::~Stream() {
  CMUX_CHECK(connection_.live_ > 0, "a connection counts its streams");
  CMUX_CHECK(connection_.head_bytes_ >= head_size_, "a connection counts its streams' heads");
  if (open_) {
    nghttp2_session_set_stream_user_data(connection_.session().get(), id_, nullptr);
    // A complete response needs no more of its request (RFC 9113 section 8.1).
    submit_reset(!is_server() ? NGHTTP2_CANCEL : end_sent_ ? NGHTTP2_NO_ERROR : NGHTTP2_INTERNAL_ERROR);
  }
  connection_.held_.set(holder_, 0);
  unlink();
  connection_.head_bytes_ -= head_size_;
  connection_.widened_ -= window_ - connection_.options().stream_window;
  CMUX_CHECK(connection_.widened_ >= 0, "windows shrink by what they have grown");
  connection_.reader().recycle(std::move(message_));
  --connection_.live_;
  connection_.stream_gone();
}

bool Stream::is_server() const { return connection_.session().role() == Role::server; }

// --- reading ------------------------------------------------------------------------------------------------------------------

Task<Result<Head*>> Stream::read_head() {
  if (is_server()) {
    if (failed_) co_return make_error(Errc::closed);  // reset at once: nobody needs to know of it
    if (refused_) co_return *refused_;
    co_return &message_;
  }
  late_.after(connection_.options().response_timeout);
  while (!arrived_ && !failed_) {
    readable_.clear();
    co_await readable_;
  }
  late_.cancel();
  if (!arrived_) co_return error_;
  if (message_read_) {
    CMUX_CHECK(!heads_.empty(), "a head that has arrived is there");
    message_ = std::move(heads_.front());
    heads_.erase(heads_.begin());
  }
  message_read_ = true;
  arrived_ = !heads_.empty();
  co_return &message_;
}

Task<Result<Body>> Stream::read_body() {
  give_credit(reading_.size());
  reading_.clear();
  while (in_.empty() && !in_end_) {
    if (stopped_) co_return make_error(Errc::cancelled);
    if (failed_) co_return error_;
    reading_.release();  // who only waits holds no memory
    // Where no length is known, silence may be meant: event streams, long polls.
    const bool watched = !is_server() && message_.content_length.has_value();
    if (watched) late_.after(connection_.options().body_timeout);
    readable_.clear();
    co_await readable_;
    if (watched) late_.cancel();
  }
  std::swap(in_, reading_);
  account();
  const std::uint64_t most = connection_.options().max_body;
  if (is_server() && !connect_ && most != 0 && received_ > most) co_return body_too_large(most);
  Body body{reading_.view(), in_end_, nullptr};
  if (in_end_ && !trailers_.empty()) body.trailers = &trailers_;
  co_return body;
}

void Stream::interrupt_body(bool on) {
  stopped_ = on;
  if (on) readable_.set();
}

// --- writing ------------------------------------------------------------------------------------------------------------------

Task<Result<void>> Stream::write_head(const Head& head, Next next) {
  // A tunnel's request has an end in HTTP/1's terms alone.
  const bool end = next == Next::end && !(head.is_connect() && !is_server());
  if (!is_server()) co_return co_await write_request(head, end);
  nghttp2_session* const session = connection_.session().get();
  // A client that does not read gets no more interim ones.
  while (head.is_interim() && interim_unsent_ >= kMostInterim && !failed_ && open_) {
    writable_.clear();
    co_await writable_;
  }
  if (failed_) co_return error_;
  HeadWriter& lines = connection_.writer();
  lines.response(head);
  CMUX_CHECK(!head_written_, "a response has one final head, and it is the last one");
  int outcome = 0;
  if (head.is_interim()) {
    ++interim_unsent_;
    outcome = nghttp2_submit_headers(session, NGHTTP2_FLAG_NONE, id_, nullptr, lines.data(), lines.size(), nullptr);
  } else {
    head_written_ = true;
    out_ended_ = end;
    const nghttp2_data_provider provider = body_provider();
    outcome = nghttp2_submit_response(session, id_, lines.data(), lines.size(), end ? nullptr : &provider);
  }
  if (outcome != 0) co_return make_error(Errc::system, nghttp2_strerror(outcome));
  watch(false);
  connection_.want_write();
  co_return Result<void>{};
}

Task<Result<void>> Stream::write_request(const Head& head, bool end) {
  if (failed_) co_return error_;
  connect_ = head.is_connect();
  upgrade_ = head.is_upgrade();
  idempotent_ = head.is_idempotent();
  // RFC 8441 has no key, but an HTTP/1 client is to be shown what was made of its own (RFC 6455 section 4.2.1).
  if (head.version < 20 && http::equal_ignoring_case(head.protocol, "websocket") &&
      !head.fields.contains(http::Name::sec_websocket_key))
    co_return Error{Errc::malformed, Side::downstream, false, 400, "a WebSocket's handshake needs a Sec-WebSocket-Key"};
  expects_ = !end && head.fields.contains(http::Name::expect);
  HeadWriter& lines = connection_.writer();
  lines.request(head);
  const nghttp2_data_provider provider = body_provider();
  const std::int32_t id =
      nghttp2_submit_request(connection_.session().get(), nullptr, lines.data(), lines.size(), end ? nullptr : &provider, this);
  if (id < 0) {
    Error error = make_error(Errc::closed, nghttp2_strerror(id));
    error.retryable = error.untouched = true;
    fail(error);
    co_return error;
  }
  CMUX_CHECK(id_ == 0 && id % 2 == 1, "a request opens one stream, of a client's number");
  id_ = id;
  heard_before_ = connection_.heard_;
  open_ = true;
  out_ended_ = end;
  connection_.want_write();
  co_return Result<void>{};
}

void Stream::send_more() {
  if (std::exchange(deferred_, false) && open_) nghttp2_session_resume_data(connection_.session().get(), id_);
  account();
  watch(false);
  connection_.want_write();
}

Task<Result<void>> Stream::write_body(std::string_view bytes, Next next, const http::Fields* trailers) {
  if (failed_ || !open_) co_return failed_ ? error_ : make_error(Errc::reset, "the stream has ended");
  if (!is_server() && first_head_ && late_.armed()) late_.after(connection_.options().response_timeout);
  CMUX_CHECK(!out_ended_, "nothing is written behind a message's end");
  CMUX_CHECK(source_.empty(), "one writes at a time");
  const bool end = next == Next::end;
  if (end && trailers) out_trailers_ = *trailers;
  if (end) out_ended_ = true;
  if (out_.size() + bytes.size() <= kHeld) {
    out_.append(bytes);
    if (!bytes.empty() || end) send_more();
  } else {
    // Large pieces are taken from where they are.
    source_ = bytes;
    send_more();
    while (!source_.empty() && !failed_ && open_) {
      writable_.clear();
      co_await writable_;
    }
    if (!source_.empty() || failed_) {
      source_ = {};
      co_return failed_ ? error_ : make_error(Errc::reset, "the stream has ended");
    }
  }
  // Where the peer has ended its direction before, the stream goes with this: destroyed any earlier, it would take back what a
  // tunnel has said last.
  if (end && connect_ && !is_server()) co_await settle();
  co_return Result<void>{};
}

Task<void> Stream::settle() {
  while (open_ && (reset_after_head_ != 0 || (!failed_ && out_ended_ && !end_sent_))) {
    writable_.clear();
    co_await writable_;
  }
}

void Stream::reset(Errc why) noexcept {
  if (failed_) return;
  const std::uint32_t code = code_of(why, is_server(), connect_);
  if (open_ && head_written_ && !head_sent_ && !out_ended_) {
    // A reset would overtake the head, and the client would not learn what it was told.
    reset_after_head_ = code;
    send_more();
  } else {
    submit_reset(code);
  }
  fail(make_error(why, "the exchange was given up"));
}

bool Stream::decline() {
  if (failed_ || head_written_) return false;
  submit_reset(NGHTTP2_REFUSED_STREAM);
  fail(make_error(Errc::busy, "nobody has taken the request"));
  return true;
}

void Stream::submit_reset(std::uint32_t code) {
  CMUX_CHECK(!open_ || id_ > 0, "an open stream has a number");
  // Once: nghttp2 takes a request that still waits back at the first, and a second one would go out for a stream that never was.
  if (!open_ || std::exchange(reset_sent_, true)) return;
  nghttp2_submit_rst_stream(connection_.session().get(), NGHTTP2_FLAG_NONE, id_, code);
  connection_.want_write();
}

void Stream::cancel_on_abort(http::Abortable* other) {
  other_ = other;
  if (other && failed_) cancel_other();
}

void Stream::cancel_other() {
  if (http::Abortable* other = std::exchange(other_, nullptr)) other->reset(Errc::cancelled);
}

std::unique_ptr<net::Transport> Stream::into_transport() { return make_stream_transport(*this); }

}  // namespace cmux::http2
