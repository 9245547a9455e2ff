#include "h2_client.hpp"

#include <fmt/format.h>
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <deque>

namespace e2e {

using Clock = std::chrono::steady_clock;

namespace {

constexpr std::int32_t kConnectionWindow = 64 << 20;  // so that streams that are not read do not stop the others
constexpr std::size_t kMostHead = 4 << 20;            // tests send heads that nobody else would

struct State {
  std::deque<Response> heads;
  bool final_head = false, ended = false, closed = false, lost = false, holds = false;
  std::string body, trailers, out;
  std::size_t out_at = 0;  // of `out`, what has gone
  std::size_t withheld = 0;
  Fields out_trailers;
  bool out_ended = false, deferred = false;
  std::optional<std::uint32_t> reset;
};

std::vector<nghttp2_nv> name_values(const Fields& fields) {
  std::vector<nghttp2_nv> out;
  const auto octets = [](const std::string& text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));  // which nghttp2 only copies
  };
  for (const auto& [name, value] : fields)
    out.push_back({octets(name), octets(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
  return out;
}

}  // namespace

// Callbacks only note what has come: an exception must not pass through nghttp2.
class H2Connection {
 public:
  H2Connection(Client below, const H2Options& options) : below_(std::move(below)) {
    nghttp2_session_callbacks* calls = nullptr;
    nghttp2_session_callbacks_new(&calls);
    nghttp2_session_callbacks_set_on_header_callback(calls, on_header);
    nghttp2_session_callbacks_set_on_begin_headers_callback(calls, on_begin_headers);
    nghttp2_session_callbacks_set_on_frame_recv_callback(calls, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(calls, on_close);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(calls, on_invalid_frame);
    nghttp2_session_callbacks_set_error_callback2(calls, on_error);
    nghttp2_option* option = nullptr;
    nghttp2_option_new(&option);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_max_send_header_block_length(option, kMostHead);
    nghttp2_option_set_peer_max_concurrent_streams(option, 10'000);
    nghttp2_session_client_new2(&session_, calls, this, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(calls);
    const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, options.stream_window},
                                               {NGHTTP2_SETTINGS_ENABLE_PUSH, 0}};
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
    nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
    flush();
  }
  ~H2Connection() { nghttp2_session_del(session_); }
  H2Connection(const H2Connection&) = delete;

  State& state(std::int32_t id) { return streams_.at(id); }
  nghttp2_session* session() { return session_; }

  std::int32_t open(const Fields& head, bool end) {
    const auto values = name_values(head);
    nghttp2_data_provider body{};
    body.source.ptr = this;
    body.read_callback = pull;
    const std::int32_t id =
        nghttp2_submit_request(session_, nullptr, values.data(), values.size(), end ? nullptr : &body, nullptr);
    if (id < 0) FAIL("submit_request: " << nghttp2_strerror(id));
    streams_[id].out_ended = end;
    flush();
    return id;
  }

  void resume(std::int32_t id) {
    if (std::exchange(state(id).deferred, false)) nghttp2_session_resume_data(session_, id);
    flush();
  }

  void flush() {
    while (!ended_) {
      const std::uint8_t* data = nullptr;
      const ssize_t size = nghttp2_session_mem_send(session_, &data);
      if (size < 0) FAIL("mem_send: " << nghttp2_strerror(static_cast<int>(size)));
      if (size == 0) return;
      // What the peer said before it closed is still to be read.
      below_.send({reinterpret_cast<const char*>(data), static_cast<std::size_t>(size)});
    }
  }

  // Until `done`, or false at the deadline. At the connection's end every stream is over.
  bool until(const std::function<bool()>& done, Clock::time_point deadline) {
    while (!done()) {
      if (ended_) return true;
      const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
      if (left <= milliseconds(0) || below_.silent(left)) return false;
      const std::string bytes = below_.read_some();
      if (bytes.empty()) {
        end();
        continue;
      }
      const ssize_t taken = nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
      if (!violation_.empty()) FAIL("the peer breaks HTTP/2: " << violation_);
      if (taken < 0) FAIL("mem_recv: " << nghttp2_strerror(static_cast<int>(taken)));
      flush();
    }
    return true;
  }
  void need(const std::function<bool()>& done, std::string_view what) {
    if (!until(done, Clock::now() + kPatience)) FAIL("nothing more comes, waiting for " << what);
  }

  bool ended() const { return ended_; }
  void close() {
    below_.close();
    end();
  }

  bool settled = false, pong = false;
  std::optional<std::uint32_t> goaway;

 private:
  void end() {
    ended_ = true;
    for (auto& [id, stream] : streams_)
      if (!stream.closed) stream.closed = stream.lost = true;
  }

  static H2Connection& self(void* user) { return *static_cast<H2Connection*>(user); }
  State* find(std::int32_t id) {
    const auto found = streams_.find(id);
    return found == streams_.end() ? nullptr : &found->second;
  }

  static int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    State* const stream = self(user).find(frame->hd.stream_id);
    if (stream && !stream->final_head) stream->heads.emplace_back();
    return 0;
  }
  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                       const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) {
    State* const stream = self(user).find(frame->hd.stream_id);
    if (!stream) return 0;
    const std::string_view field(reinterpret_cast<const char*>(name), name_size),
        text(reinterpret_cast<const char*>(value), value_size);
    if (stream->final_head) {
      stream->trailers += fmt::format("{}: {}\r\n", field, text);
    } else if (field == ":status") {
      stream->heads.back().status = std::atoi(std::string(text).c_str());
      stream->heads.back().head = fmt::format("HTTP/2 {}\r\n", text);
    } else {
      stream->heads.back().head += fmt::format("{}: {}\r\n", field, text);
    }
    return 0;
  }
  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    H2Connection& me = self(user);
    switch (frame->hd.type) {
      case NGHTTP2_SETTINGS:
        if (!(frame->hd.flags & NGHTTP2_FLAG_ACK)) me.settled = true;
        return 0;
      case NGHTTP2_PING:
        if (frame->hd.flags & NGHTTP2_FLAG_ACK) me.pong = true;
        return 0;
      case NGHTTP2_GOAWAY: me.goaway = frame->goaway.error_code; return 0;
      default: break;
    }
    State* const stream = me.find(frame->hd.stream_id);
    if (!stream) return 0;
    if (frame->hd.type == NGHTTP2_RST_STREAM) stream->reset = frame->rst_stream.error_code;
    if (frame->hd.type == NGHTTP2_HEADERS && !stream->final_head) {
      stream->heads.back().head += "\r\n";
      stream->final_head = stream->heads.back().status >= 200;
    }
    const bool message = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (message && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) stream->ended = true;
    return 0;
  }
  static int on_data(nghttp2_session* session, std::uint8_t, std::int32_t id, const std::uint8_t* bytes, std::size_t size,
                     void* user) {
    nghttp2_session_consume_connection(session, size);
    State* const stream = self(user).find(id);
    if (!stream) return 0;
    stream->body.append(reinterpret_cast<const char*>(bytes), size);
    if (stream->holds) stream->withheld += size;
    else nghttp2_session_consume_stream(session, id, size);
    return 0;
  }
  static int on_close(nghttp2_session*, std::int32_t id, std::uint32_t, void* user) {
    if (State* const stream = self(user).find(id)) stream->closed = true;
    return 0;
  }
  static int on_invalid_frame(nghttp2_session*, const nghttp2_frame* frame, int code, void* user) {
    self(user).violation_ +=
        fmt::format("frame type {} on stream {}: {}; ", frame->hd.type, frame->hd.stream_id, nghttp2_strerror(code));
    return 0;
  }
  static int on_error(nghttp2_session*, int, const char* text, std::size_t size, void* user) {
    self(user).violation_ += std::string(text, size) + "; ";
    return 0;
  }
  static ssize_t pull(nghttp2_session* session, std::int32_t id, std::uint8_t* to, std::size_t room, std::uint32_t* flags,
                      nghttp2_data_source* source, void*) {
    State& stream = static_cast<H2Connection*>(source->ptr)->state(id);
    const std::size_t left = stream.out.size() - stream.out_at;
    if (left == 0 && !stream.out_ended) {
      stream.deferred = true;
      return NGHTTP2_ERR_DEFERRED;
    }
    const std::size_t size = std::min(room, left);
    std::copy_n(stream.out.data() + stream.out_at, size, reinterpret_cast<char*>(to));
    stream.out_at += size;
    if (size == left) stream.out.clear(), stream.out_at = 0;
    if (stream.out.empty() && stream.out_ended) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (!stream.out_trailers.empty()) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        const auto values = name_values(stream.out_trailers);
        nghttp2_submit_trailer(session, id, values.data(), values.size());
      }
    }
    return static_cast<ssize_t>(size);
  }

  Client below_;
  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, State> streams_;
  bool ended_ = false;
  std::string violation_;
};

// --- H2Stream -----------------------------------------------------------------------------------------------------------------

void H2Stream::offer(std::string_view bytes) const {
  connection_->state(id_).out += bytes;
  connection_->resume(id_);
}

std::size_t H2Stream::unsent() const {
  const State& stream = connection_->state(id_);
  return stream.out.size() - stream.out_at;
}

bool H2Stream::send(std::string_view bytes) const {
  State& stream = connection_->state(id_);
  if (stream.closed) return false;
  offer(bytes);
  connection_->need([&] { return stream.out.empty() || stream.closed; }, "credit");
  return stream.out.empty();
}

void H2Stream::finish(const Fields& trailers) const {
  State& stream = connection_->state(id_);
  stream.out_ended = true;
  stream.out_trailers = trailers;
  connection_->resume(id_);
}

void H2Stream::reset(std::uint32_t code) const {
  if (connection_->state(id_).closed) return;
  nghttp2_submit_rst_stream(connection_->session(), NGHTTP2_FLAG_NONE, id_, code);
  connection_->flush();
}

Response H2Stream::read_head() const {
  State& stream = connection_->state(id_);
  const auto whole = [&] { return !stream.heads.empty() && stream.heads.front().head.ends_with("\r\n\r\n"); };
  connection_->need([&] { return whole() || stream.closed; }, "a response head");
  if (!whole())
    FAIL((stream.lost ? std::string("the peer closed the connection")
                      : fmt::format("the stream ended with code {}", stream.reset.value_or(0)))
         << ", waiting for a response head");
  Response out = std::move(stream.heads.front());
  stream.heads.pop_front();
  return out;
}

std::string H2Stream::read_some() const {
  State& stream = connection_->state(id_);
  connection_->need([&] { return !stream.body.empty() || stream.ended || stream.closed; }, "more of the body");
  return std::exchange(stream.body, {});
}

Response H2Stream::read_response() const {
  Response out = read_head();
  if (out.status < 200) return out;
  for (std::string piece = read_some(); !piece.empty(); piece = read_some()) out.body += piece;
  if (!ended()) FAIL("the response breaks off: " << out.head << out.body.size() << " bytes");
  out.trailers = trailers();
  return out;
}

std::string H2Stream::trailers() const { return connection_->state(id_).trailers; }
bool H2Stream::ended() const { return connection_->state(id_).ended; }
bool H2Stream::lost() const { return connection_->state(id_).lost; }
std::optional<std::uint32_t> H2Stream::reset_code() const { return connection_->state(id_).reset; }

bool H2Stream::closed_by_peer() const {
  State& stream = connection_->state(id_);
  return connection_->until([&] { return stream.ended || stream.closed; }, Clock::now() + kPatience);
}

bool H2Stream::silent(milliseconds time) const {
  State& stream = connection_->state(id_);
  return !connection_->until([&] { return !stream.heads.empty() || !stream.body.empty() || stream.ended || stream.closed; },
                             Clock::now() + time);
}

void H2Stream::withhold_credit(bool on) const {
  State& stream = connection_->state(id_);
  stream.holds = on;
  if (on || stream.withheld == 0) return;
  nghttp2_session_consume_stream(connection_->session(), id_, std::exchange(stream.withheld, 0));
  connection_->flush();
}

class StreamWire final : public Wire {
 public:
  explicit StreamWire(H2Stream stream) : stream_(std::move(stream)) {}
  ~StreamWire() override {
    if (!stream_.connection_->ended()) stream_.reset();
  }
  Fill read(std::string& into, Time deadline) override {
    State& stream = stream_.connection_->state(stream_.id_);
    const auto news = [&] { return !stream.body.empty() || stream.ended || stream.closed; };
    if (!stream_.connection_->until(news, deadline)) return Fill::timeout;
    if (!stream.body.empty()) {
      into += std::exchange(stream.body, {});
      return Fill::bytes;
    }
    return stream.ended ? Fill::end : Fill::reset;
  }
  bool send(std::string_view bytes) override { return stream_.send(bytes); }
  void half_close() override { stream_.finish(); }
  void abort() override { stream_.reset(); }

 private:
  H2Stream stream_;
};

Client H2Stream::bytes() const { return Client(std::make_unique<StreamWire>(*this)); }

// --- H2Client -----------------------------------------------------------------------------------------------------------------

H2Client::H2Client(Client below, const H2Options& options)
    : connection_(std::make_shared<H2Connection>(std::move(below), options)) {}

H2Stream H2Client::open(const Fields& head, bool end) const { return {connection_, connection_->open(head, end)}; }

std::uint32_t H2Client::setting(std::int32_t id) const {
  connection_->need([&] { return connection_->settled; }, "SETTINGS");
  return nghttp2_session_get_remote_settings(connection_->session(), static_cast<nghttp2_settings_id>(id));
}

std::optional<std::uint32_t> H2Client::goaway_code() const { return connection_->goaway; }

bool H2Client::ping() const {
  connection_->pong = false;
  nghttp2_submit_ping(connection_->session(), NGHTTP2_FLAG_NONE, nullptr);
  connection_->flush();
  return connection_->until([&] { return connection_->pong; }, Clock::now() + kPatience) && connection_->pong;
}

bool H2Client::closed_by_peer(milliseconds timeout) const {
  return connection_->until([] { return false; }, Clock::now() + timeout);
}

void H2Client::close() { connection_->close(); }

}  // namespace e2e
