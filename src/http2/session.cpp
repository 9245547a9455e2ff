#include "http2/session.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/log.hpp"
#include "http2/recycling.hpp"
#include "http2/stream.hpp"

namespace cmux::http2 {
namespace {

constexpr std::int32_t kConnectionWindow = 32 * 1024 * 1024;  // streams hold the peer back, not the connection they share
constexpr std::size_t kMaxContinuations = 128;                // some 2 MB: a header that is too large is told so up to there
constexpr int kCreditPerSecond = 200;
constexpr std::size_t kBlockCredit = 1024;         // bytes of a header block over the limit; nghttp2 takes 15 ns for each
constexpr std::size_t kDecodedCredit = 16 * 1024;  // ... and as it is decoded
constexpr std::size_t kPreface = NGHTTP2_CLIENT_MAGIC_LEN;

}  // namespace

struct Callbacks {
  static Session& self(void* user) { return *static_cast<Session*>(user); }
  static Stream* stream_of(nghttp2_session* session, std::int32_t id) {
    return static_cast<Stream*>(nghttp2_session_get_stream_user_data(session, id));
  }

  static int on_begin_headers(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type != NGHTTP2_HEADERS) return 0;
    Session& me = self(user);
    const std::int32_t id = frame->hd.stream_id;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
      Stream* const stream = me.driver_.on_begin(id);
      if (!stream) {
        me.charge(5);
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
      }
      nghttp2_session_set_stream_user_data(session, id, stream);
      stream->begin_head();
    } else if (Stream* const stream = stream_of(session, id)) {
      stream->begin_head();
    }
    return 0;
  }

  static int on_header(nghttp2_session* session, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                       const std::uint8_t* value, std::size_t value_size, std::uint8_t flags, void*) {
    Stream* const stream = stream_of(session, frame->hd.stream_id);
    if (!stream) return 0;
    return stream->line({reinterpret_cast<const char*>(name), name_size}, {reinterpret_cast<const char*>(value), value_size},
                        (flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0)
               ? 0
               : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }

  // Ignoring such a line, which nghttp2 would do, leaves open what the peer meant: the message is malformed (RFC 9113 section
  // 8.2.1).
  static int on_invalid_header(nghttp2_session* session, const nghttp2_frame* frame, const std::uint8_t*, std::size_t,
                               const std::uint8_t*, std::size_t, std::uint8_t, void* user) {
    self(user).charge(1);
    nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_PROTOCOL_ERROR);
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }

  // The stream's, not the connection's; a reset is on its way already.
  static int on_invalid_frame(nghttp2_session* session, const nghttp2_frame* frame, int why, void* user) {
    if (why == NGHTTP2_ERR_REFUSED_STREAM) self(user).charge(4);
    if (Stream* const stream = stream_of(session, frame->hd.stream_id)) stream->malformed(self(user).last_error_);
    return 0;
  }

  static int on_frame(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    Session& me = self(user);
    const bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS: {
        Stream* const stream = stream_of(session, frame->hd.stream_id);
        if (!stream) break;
        stream->end_head(end);
        if (me.role_ == Role::server && frame->headers.cat == NGHTTP2_HCAT_REQUEST) me.driver_.on_request(*stream);
        break;
      }
      case NGHTTP2_DATA:
        if (frame->hd.length <= frame->data.padlen && !end) me.charge(1);
        if (end)
          if (Stream* const stream = stream_of(session, frame->hd.stream_id)) stream->end_body();
        break;
      case NGHTTP2_SETTINGS:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) me.driver_.on_settings();
        break;
      case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) me.driver_.on_ping_answer();
        break;
      case NGHTTP2_GOAWAY: me.driver_.on_goaway(); break;
      case NGHTTP2_RST_STREAM:
        if (Stream* const stream = stream_of(session, frame->hd.stream_id)) stream->reset_received_ = true;
        break;
      default: break;
    }
    return me.flooded_ ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
  }

  static int on_data(nghttp2_session* session, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t size,
                     void* user) {
    // The connection's window is given back at once: what a stream may hold is bounded by its own, and one that is not read must
    // not stop the others.
    Stream* const stream = stream_of(session, id);
    self(user).earn(static_cast<int>(size / 256));  // by the byte: crumbs must not pay for a flood beside them
    if (stream && stream->receive({reinterpret_cast<const char*>(data), size})) nghttp2_session_consume_connection(session, size);
    else nghttp2_session_consume(session, id, size);
    return 0;
  }

  static int on_close(nghttp2_session* session, std::int32_t id, std::uint32_t code, void* user) {
    Stream* const stream = stream_of(session, id);
    if (!stream) return 0;
    if (code == NGHTTP2_NO_ERROR) self(user).earn(8);
    CMUX_CHECK(stream->id_ == id, "nghttp2 ends the stream that it means");
    nghttp2_session_set_stream_user_data(session, id, nullptr);
    stream->closed(code);
    self(user).driver_.on_closed(*stream);
    return 0;
  }

  static int on_sent(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    Session& me = self(user);
    const bool data = frame->hd.type == NGHTTP2_DATA;
    if (data) {
      me.earn(3);
      me.expect_updates(frame->hd.length);
    }
    const bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    const bool head = frame->hd.type == NGHTTP2_HEADERS;
    if (head || (data && end))
      if (Stream* const stream = stream_of(session, frame->hd.stream_id)) {
        if (head && me.role_ == Role::server) stream->head_sent();
        if (end) stream->end_sent();
      }
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR) me.complain(frame->goaway);
    if (frame->hd.type == NGHTTP2_RST_STREAM) me.expect_late();
    // Resets that the peer's own errors have brought about. Those that this side chose say REFUSED_STREAM, CANCEL,
    // INTERNAL_ERROR or nothing.
    if (frame->hd.type != NGHTTP2_RST_STREAM || me.role_ == Role::client) return 0;
    switch (frame->rst_stream.error_code) {
      case NGHTTP2_PROTOCOL_ERROR:
      case NGHTTP2_FLOW_CONTROL_ERROR:
      case NGHTTP2_STREAM_CLOSED:
      case NGHTTP2_FRAME_SIZE_ERROR: me.charge(4); break;
      default: break;
    }
    return 0;
  }

  static int on_not_sent(nghttp2_session* session, const nghttp2_frame* frame, int, void*) {
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    if (Stream* const stream = stream_of(session, frame->hd.stream_id)) stream->never_sent();
    return 0;
  }

  static int on_error(nghttp2_session*, int, const char* text, std::size_t size, void* user) {
    self(user).last_error_.assign(text, size);
    return 0;
  }

  static ssize_t pull(nghttp2_session* session, std::int32_t id, std::uint8_t*, std::size_t length, std::uint32_t* flags,
                      nghttp2_data_source*, void* user) {
    if (self(user).driver_.enough()) return NGHTTP2_ERR_PAUSE;
    Stream* const stream = stream_of(session, id);
    return stream ? stream->pull(length, *flags) : static_cast<ssize_t>(NGHTTP2_ERR_DEFERRED);
  }

  static int output(nghttp2_session* session, nghttp2_frame* frame, const std::uint8_t* head, std::size_t length,
                    nghttp2_data_source*, void* user) {
    Stream* const stream = stream_of(session, frame->hd.stream_id);
    if (!stream) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    self(user).driver_.output({reinterpret_cast<const char*>(head), 9}, *stream, length);
    return 0;
  }

  static const nghttp2_session_callbacks* get() {
    static nghttp2_session_callbacks* const made = [] {
      nghttp2_session_callbacks* c = nullptr;
      nghttp2_session_callbacks_new(&c);
      nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
      nghttp2_session_callbacks_set_on_header_callback(c, on_header);
      nghttp2_session_callbacks_set_on_invalid_header_callback(c, on_invalid_header);
      nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(c, on_invalid_frame);
      nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
      nghttp2_session_callbacks_set_on_stream_close_callback(c, on_close);
      nghttp2_session_callbacks_set_on_frame_send_callback(c, on_sent);
      nghttp2_session_callbacks_set_on_frame_not_send_callback(c, on_not_sent);
      nghttp2_session_callbacks_set_error_callback2(c, on_error);
      nghttp2_session_callbacks_set_send_data_callback(c, output);
      return c;
    }();
    return made;
  }
};

nghttp2_data_provider body_provider() {
  nghttp2_data_provider provider{};
  provider.read_callback = Callbacks::pull;
  return provider;
}

Session::Session(Role role, const Options& options, Driver& driver)
    : role_(role),
      options_(options),
      driver_(driver),
      refilled_(Loop::current().now()),
      heads_(role == Role::server ? kPreface : 0) {
  nghttp2_mem memory = recycling_memory();
  nghttp2_option* option = nullptr;
  nghttp2_option_new(&option);
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_max_send_header_block_length(option, 1024 * 1024);
  nghttp2_option_set_max_continuations(option, kMaxContinuations);
  // Debian 12's nghttp2 1.52.0-1+deb12u2 has both options, which upstream's 1.57 and 1.61 brought: without them it does not
  // compile. A version that has the fix of CVE-2026-27135 cannot be required there, so nothing here relies on it (see
  // terminate()). charge() counts these, and says ENHANCE_YOUR_CALM where nghttp2 would say INTERNAL_ERROR.
  nghttp2_option_set_stream_reset_rate_limit(option, 1'000'000, 1'000'000);
  if (role == Role::server) nghttp2_session_server_new3(&session_, Callbacks::get(), this, option, &memory);
  else nghttp2_session_client_new3(&session_, Callbacks::get(), this, option, &memory);
  nghttp2_option_del(option);

  nghttp2_settings_entry settings[4];
  std::size_t count = 0;
  settings[count++] = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<std::uint32_t>(options.stream_window)};
  if (role == Role::server) {
    settings[count++] = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, options.max_streams};
    settings[count++] = {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1};
    settings[count++] = {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1};
  } else {
    settings[count++] = {NGHTTP2_SETTINGS_ENABLE_PUSH, 0};
  }
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, count);
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
}

Session::~Session() { nghttp2_session_del(session_); }

Result<void> Session::receive(std::string_view bytes) {
  std::string_view rest = bytes;
  while (heads_.next(rest)) {
    const bool depends = heads_.head().type <= NGHTTP2_HEADERS;  // ... on what the frames before it have led to
    // All of it but the head's last byte: nghttp2 does not know then what comes.
    const auto feed_before = [&] {
      const std::size_t size = bytes.size() - rest.size() - 1;
      auto fed = feed(bytes.substr(0, size));
      bytes.remove_prefix(size);
      return fed;
    };
    if (depends)
      if (auto fed = feed_before(); !fed) return fed;
    const auto code = judge(heads_.head());
    if (!code) continue;
    if (!depends)
      if (auto fed = feed_before(); !fed) return fed;
    return refuse(*code);
  }
  return feed(bytes);
}

std::optional<std::uint32_t> Session::judge(const FrameHead& frame) {
  const auto wrong = [&](std::uint32_t code, const char* why) {
    last_error_ = why;
    return code;
  };
  const bool continued = frame.type == NGHTTP2_CONTINUATION;
  if (in_block_ != continued) return {};  // nghttp2 refuses it
  const bool known_to_us = nghttp2_session_find_stream(session_, frame.stream) != nullptr;
  const bool peers = role_ == Role::server && frame.stream % 2 == 1;
  const auto state = peers ? peers_.state(frame.stream) : PeerStreams::State::open;
  switch (frame.type) {
    case NGHTTP2_HEADERS:
      if (state == PeerStreams::State::skipped) return wrong(NGHTTP2_PROTOCOL_ERROR, "HEADERS: a lower stream than the last one");
      if (state == PeerStreams::State::ended) return wrong(NGHTTP2_STREAM_CLOSED, "HEADERS: stream closed");
      if (state == PeerStreams::State::unknown) peers_.open(frame.stream);
      else if (!known_to_us) charge_late(4);
      [[fallthrough]];
    case NGHTTP2_CONTINUATION:
      if (!continued) block_ = 0;
      charge_block(frame.length);
      in_block_ = (frame.flags & NGHTTP2_FLAG_END_HEADERS) == 0;
      break;
    case NGHTTP2_DATA:
      if (state == PeerStreams::State::skipped || state == PeerStreams::State::ended)
        return wrong(NGHTTP2_STREAM_CLOSED, "DATA: stream closed");
      if (!known_to_us) {
        charge_late(1);
        earn(static_cast<int>(frame.length / 256));
      }
      break;
    case NGHTTP2_PRIORITY:
      if (frame.stream == 0) return wrong(NGHTTP2_PROTOCOL_ERROR, "PRIORITY: stream_id == 0");
      charge(1);
      break;
    // Little: all streams that a client may have must do to be cancelled at once, twice (a page is left, and left again).
    case NGHTTP2_RST_STREAM: charge(1); break;
    case NGHTTP2_SETTINGS: charge(5); break;
    case NGHTTP2_PING: charge((frame.flags & NGHTTP2_FLAG_ACK) != 0 ? 1 : 2); break;
    case NGHTTP2_GOAWAY: charge(1); break;
    case NGHTTP2_WINDOW_UPDATE:
      if (updates_due_ > 0) --updates_due_;
      else charge(1);
      break;
    default: return {};
  }
  const bool ends = frame.type <= NGHTTP2_HEADERS && (frame.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  if (peers && (ends || frame.type == NGHTTP2_RST_STREAM)) peers_.end(frame.stream);
  if (flooded_) return NGHTTP2_ENHANCE_YOUR_CALM;
  return {};
}

// What is larger than any header may be must be decoded all the same, for the compression's state.
void Session::charge_block(std::size_t size) {
  const auto cost = [&] { return block_ > options_.limits.head ? (block_ - options_.limits.head) / kBlockCredit : 0; };
  const std::size_t before = cost();
  block_ += size;
  charge(static_cast<int>(cost() - before));
}

void Session::charge_decoded(std::size_t size) {
  if (size > options_.limits.head) charge(static_cast<int>((size - options_.limits.head) / kDecodedCredit));
}

Result<void> Session::refuse(std::uint32_t code) {
  if (!std::exchange(terminated_, true)) terminate(code);
  return make_error(Errc::malformed, last_error_);
}

Result<void> Session::feed(std::string_view bytes) {
  CMUX_CHECK(!inside_, "nothing is received in nghttp2's callbacks");
  inside_ = true;
  const ssize_t taken = nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  inside_ = false;
  CMUX_CHECK(taken < 0 || flooded_ || static_cast<std::size_t>(taken) == bytes.size(), "nghttp2 takes all that has come");
  if (flooded_) return refuse(NGHTTP2_ENHANCE_YOUR_CALM);
  if (taken >= 0) return {};
  const int code = static_cast<int>(taken);
  if (code == NGHTTP2_ERR_FLOODED || code == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS) terminate(NGHTTP2_ENHANCE_YOUR_CALM);
  else if (code == NGHTTP2_ERR_BAD_CLIENT_MAGIC) terminate(NGHTTP2_PROTOCOL_ERROR);
  return make_error(Errc::malformed, last_error_.empty() ? nghttp2_strerror(code) : last_error_);
}
Result<std::string_view> Session::send() {
  const std::uint8_t* data = nullptr;
  CMUX_CHECK(!inside_, "nothing is sent in nghttp2's callbacks");
  inside_ = true;
  const ssize_t size = nghttp2_session_mem_send(session_, &data);
  inside_ = false;
  if (size < 0) return make_error(Errc::system, nghttp2_strerror(static_cast<int>(size)));
  if (flooded_ && !std::exchange(terminated_, true)) terminate(NGHTTP2_ENHANCE_YOUR_CALM);
  return std::string_view(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
}

void Session::submit_ping() { nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr); }

void Session::submit_goaway() {
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR, nullptr,
                        0);
}

void Session::complain(const nghttp2_goaway& told) {
  std::string_view why(reinterpret_cast<const char*>(told.opaque_data), told.opaque_data_len);
  if (why.empty()) why = last_error_;
  complaint_ = fmt::format("HTTP/2 {}{}{}", name_of_code(told.error_code), why.empty() ? "" : ": ", why);
}

void Session::charge(int cost) {
  CMUX_CHECK(cost >= 0, "a cost is no credit");
  credit_ -= cost;
  if (credit_ >= 0 || flooded_) return;
  const auto now = Loop::current().now();
  const auto seconds = std::chrono::duration<double>(now - refilled_).count();
  refilled_ = now;
  earn(static_cast<int>(std::min(seconds, 60.0) * kCreditPerSecond));
  if (credit_ >= 0) return;
  flooded_ = true;
  last_error_ = "too many frames that lead nowhere";
  log::info("an HTTP/2 peer sends too many frames that lead nowhere: closing the connection");
}

std::string_view name_of_code(std::uint32_t code) { return nghttp2_http2_strerror(code); }

}  // namespace cmux::http2
