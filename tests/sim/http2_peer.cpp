#include "http2_peer.hpp"

namespace sim {

using namespace cmux;

struct PeerCallbacks {
  static Http2Peer& of(void* user) { return *static_cast<Http2Peer*>(user); }

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                       const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) {
    if (auto stream = of(user).find(frame->hd.stream_id))
      stream->fields.emplace(std::string(reinterpret_cast<const char*>(name), name_size),
                             std::string(reinterpret_cast<const char*>(value), value_size));
    return 0;
  }
  static int on_begin(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Http2Peer& peer = of(user);
    if (frame->hd.type != NGHTTP2_HEADERS) return 0;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
      auto made = std::make_shared<Http2Peer::Stream>();
      made->id = frame->hd.stream_id;
      peer.streams_[made->id] = made;
    } else if (auto stream = peer.find(frame->hd.stream_id); stream && frame->headers.cat == NGHTTP2_HCAT_HEADERS &&
                                                             stream->headed && !stream->get(":status").starts_with('1')) {
      return 0;  // trailers
    } else if (stream) stream->fields.clear();
    return 0;
  }
  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Http2Peer& peer = of(user);
    auto stream = peer.find(frame->hd.stream_id);
    if (!stream) return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
      stream->headed = true, peer.begun_.push_back(stream);
    if (frame->hd.type == NGHTTP2_HEADERS && !peer.server_ && !stream->get(":status").starts_with('1')) stream->headed = true;
    if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
      stream->ended = true;
    stream->changed.set();
    return 0;
  }
  static int on_data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* bytes, std::size_t size, void* user) {
    if (auto stream = of(user).find(id)) stream->in.append(reinterpret_cast<const char*>(bytes), size), stream->changed.set();
    return 0;
  }
  static int on_close(nghttp2_session*, std::int32_t id, std::uint32_t code, void* user) {
    Http2Peer& peer = of(user);
    if (auto stream = peer.find(id)) {
      stream->closed = true, stream->code = code;
      stream->changed.set();
      peer.streams_.erase(id);
    }
    return 0;
  }
  // Nothing that is malformed may come of the proxy.
  static int on_invalid(nghttp2_session*, const nghttp2_frame* frame, int error, void*) {
    fail_with("well-formed", "an HTTP/2 frame of type {}: {}", frame->hd.type, nghttp2_strerror(error));
  }
  static ssize_t read(nghttp2_session*, std::int32_t, std::uint8_t* into, std::size_t size, std::uint32_t* flags,
                      nghttp2_data_source* source, void*) {
    auto& stream = *static_cast<Http2Peer::Stream*>(source->ptr);
    const std::size_t count = std::min(size, stream.out.size());
    std::memcpy(into, stream.out.data(), count);
    stream.out.erase(0, count);
    if (stream.out.empty() && !stream.last)
      return stream.stopped = true, count > 0 ? static_cast<ssize_t>(count) : ssize_t{NGHTTP2_ERR_DEFERRED};
    if (stream.out.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(count);
  }
};

Http2Peer::Http2Peer(std::unique_ptr<net::Transport> transport, bool server, Random random,
                     std::vector<nghttp2_settings_entry> settings, bool mute)
    : wire_(std::move(transport), random, kPatience), server_(server) {
  nghttp2_session_callbacks* set = nullptr;
  nghttp2_session_callbacks_new(&set);
  nghttp2_session_callbacks_set_on_begin_headers_callback(set, PeerCallbacks::on_begin);
  nghttp2_session_callbacks_set_on_header_callback(set, PeerCallbacks::on_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(set, PeerCallbacks::on_frame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(set, PeerCallbacks::on_data);
  nghttp2_session_callbacks_set_on_stream_close_callback(set, PeerCallbacks::on_close);
  nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(set, PeerCallbacks::on_invalid);
  if (server_) nghttp2_session_server_new(&session_, set, this);
  else nghttp2_session_client_new(&session_, set, this);
  nghttp2_session_callbacks_del(set);
  if (!mute) nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
}

Http2Peer::~Http2Peer() { nghttp2_session_del(session_); }

std::shared_ptr<Http2Peer::Stream> Http2Peer::find(std::int32_t id) {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second;
}

Task<void> Http2Peer::write() {
  while (!over_) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t count = nghttp2_session_mem_send(session_, &bytes);
    if (count > 0) {
      std::string piece(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(count));
      const bool sent = co_await wire_.send(std::move(piece));
      if (!sent) break;
      continue;
    }
    if (count < 0 || (nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0)) break;
    wake_.clear();
    co_await wake_;
  }
  wire_.leave(false);
}

Task<void> Http2Peer::run(std::function<void(std::shared_ptr<Stream>)> serve) {
  serve_ = std::move(serve);
  Scope writing;
  writing.spawn(write());
  while (true) {
    if (!wire_.in.empty()) {
      const std::string bytes = std::exchange(wire_.in, {});
      const ssize_t taken = nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
      if (taken < 0) {
        // A client's broken connection may end within the preface; all else that cannot be read is malformed.
        fail_with("well-formed", "HTTP/2: {}", nghttp2_strerror(static_cast<int>(taken)));
      }
      for (const auto& stream : std::exchange(begun_, {})) serve_(stream);
      wake_.set();
    }
    const bool more = co_await wire_.fill();
    if (!more) break;
  }
  over_ = true;
  wake_.set();
  wire_.leave(false);
  co_await writing.join();
  for (auto& [id, stream] : std::exchange(streams_, {})) stream->closed = true, stream->code = UINT32_MAX, stream->changed.set();
}

nghttp2_data_provider Http2Peer::provider(Stream& stream) {
  nghttp2_data_provider made{};
  made.source.ptr = &stream;
  made.read_callback = PeerCallbacks::read;
  return made;
}

namespace {

std::vector<nghttp2_nv> pairs(const std::vector<Header>& head) {
  std::vector<nghttp2_nv> out;
  for (const auto& [name, value] : head)
    out.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                   reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
                   NGHTTP2_NV_FLAG_NONE});
  return out;
}

}  // namespace

std::shared_ptr<Http2Peer::Stream> Http2Peer::open(const std::vector<Header>& head, std::string body, bool has_body) {
  auto made = std::make_shared<Stream>();
  made->out = std::move(body);
  const auto list = pairs(head);
  const nghttp2_data_provider data = provider(*made);
  made->id = nghttp2_submit_request(session_, nullptr, list.data(), list.size(), has_body ? &data : nullptr, nullptr);
  if (over_ || made->id < 0) return nullptr;
  wire_.patient();
  streams_[made->id] = made;
  flush();
  return made;
}

void Http2Peer::respond(Stream& stream, const std::vector<Header>& head, std::string body, bool stop_behind) {
  if (stream.closed || over_) return;
  const auto list = pairs(head);
  const bool has_body = !body.empty() || stop_behind;
  stream.out = std::move(body);
  stream.last = !stop_behind;
  const nghttp2_data_provider data = provider(stream);
  nghttp2_submit_response(session_, stream.id, list.data(), list.size(), has_body ? &data : nullptr);
  flush();
}

void Http2Peer::interim(Stream& stream, const std::vector<Header>& head) {
  if (stream.closed || over_) return;
  const auto list = pairs(head);
  nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, stream.id, nullptr, list.data(), list.size(), nullptr);
  flush();
}

void Http2Peer::reset(Stream& stream, std::uint32_t code) {
  if (stream.closed || over_) return;
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id, code);
  flush();
}

void Http2Peer::go_away(std::int32_t last) {
  last_ = last;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, nullptr, 0);
  flush();
}

void Http2Peer::ping_often(int count) {
  for (int i = 0; i < count; ++i) nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
  flush();
}

void Http2Peer::finish() {
  nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR);
  flush();
}

}  // namespace sim
