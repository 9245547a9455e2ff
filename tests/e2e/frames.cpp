#include "frames.hpp"

#include <sys/time.h>

namespace e2e::h2 {

std::string u32(std::uint32_t number) {
  return {static_cast<char>(number >> 24), static_cast<char>(number >> 16), static_cast<char>(number >> 8),
          static_cast<char>(number)};
}

std::string frame_head(std::size_t length, std::uint8_t type, std::uint8_t flags, std::uint32_t stream) {
  std::string out = u32(static_cast<std::uint32_t>(length)).substr(1);
  out += static_cast<char>(type);
  out += static_cast<char>(flags);
  return out + u32(stream);
}

std::string frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, std::string_view payload) {
  return frame_head(payload.size(), type, flags, stream).append(payload);
}

std::string integer(std::size_t number, unsigned prefix_bits, std::uint8_t first_bits) {
  const std::size_t most = (1u << prefix_bits) - 1;
  if (number < most) return std::string(1, static_cast<char>(first_bits | number));
  std::string out(1, static_cast<char>(first_bits | most));
  for (number -= most; number >= 128; number >>= 7) out += static_cast<char>((number & 127) | 128);
  return out += static_cast<char>(number);
}

std::string block(const Lines& lines) {
  std::string out;
  for (const auto& [name, value] : lines)
    out.append(1, '\0').append(integer(name.size(), 7, 0)).append(name).append(integer(value.size(), 7, 0)).append(value);
  return out;
}

std::string headers(std::uint32_t stream, const Lines& lines, std::uint8_t flags) {
  return frame(kHeaders, flags, stream, block(lines));
}

std::string long_headers(std::uint32_t stream, const Lines& lines, std::uint8_t flags, std::size_t piece) {
  const std::string whole = block(lines);
  std::string out;
  for (std::size_t at = 0; at < whole.size(); at += piece) {
    const std::uint8_t last = at + piece >= whole.size() ? kEndHeaders : kNone;
    const std::uint8_t first = static_cast<std::uint8_t>(flags & ~kEndHeaders);
    out += frame(at == 0 ? kHeaders : kContinuation, at == 0 ? first | last : last, stream, whole.substr(at, piece));
  }
  return out;
}

std::string data(std::uint32_t stream, std::string_view bytes, std::uint8_t flags) { return frame(kData, flags, stream, bytes); }
std::string reset(std::uint32_t stream, std::uint32_t code) { return frame(kReset, kNone, stream, u32(code)); }
std::string goaway(std::uint32_t last, std::uint32_t code) { return frame(kGoaway, kNone, 0, u32(last) + u32(code)); }
std::string window(std::uint32_t stream, std::uint32_t increment) { return frame(kWindow, kNone, stream, u32(increment)); }
std::string ping(std::uint8_t flags) { return frame(kPing, flags, 0, "12345678"); }

std::string settings(const std::vector<std::pair<std::uint16_t, std::uint32_t>>& values, std::uint8_t flags) {
  std::string payload;
  for (const auto& [name, value] : values) payload += u32(name).substr(2) + u32(value);
  return frame(kSettings, flags, 0, payload);
}

std::uint32_t Frame::number(std::size_t at) const {
  std::uint32_t out = 0;
  for (std::size_t i = at; i < at + 4 && i < payload.size(); ++i) out = out << 8 | static_cast<unsigned char>(payload[i]);
  return out;
}

std::string Message::field(std::string_view name) const {
  for (const Lines& lines : heads)
    for (const auto& line : lines)
      if (line.first == name) return line.second;
  return {};
}

int Message::status() const {
  int out = 0;
  for (const Lines& lines : heads)
    for (const auto& line : lines)
      if (line.first == ":status") out = std::atoi(line.second.c_str());
  return out;
}

// --- Endpoint ---------------------------------------------------------------------------------------------------------------

Endpoint::Endpoint() : inflater_(nullptr, &nghttp2_hd_inflate_del) {
  nghttp2_hd_inflater* made = nullptr;
  nghttp2_hd_inflate_new(&made);
  inflater_.reset(made);
}

Endpoint::~Endpoint() = default;

bool Endpoint::fill(std::size_t count) {
  while (buffer_.size() < count) {
    if (ended) return false;
    if (std::chrono::steady_clock::now() > deadline_) FAIL("frames keep coming, but not the awaited one");
    const std::string more = receive();
    if (more.empty()) ended = true;
    buffer_ += more;
  }
  return true;
}

std::optional<Frame> Endpoint::next() {
  deadline_ = std::chrono::steady_clock::now() + kPatience;
  if (!fill(9)) return {};
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(buffer_[at]); };
  const std::size_t length = std::size_t{byte(0)} << 16 | std::size_t{byte(1)} << 8 | byte(2);
  if (length > 16'384) FAIL("no frame: '" << buffer_.substr(0, 200) << "'");
  Frame out{byte(3),
            byte(4),
            static_cast<std::uint32_t>(byte(5) & 0x7f) << 24 | static_cast<std::uint32_t>(byte(6)) << 16 |
                static_cast<std::uint32_t>(byte(7)) << 8 | byte(8),
            {}};
  if (!fill(9 + length)) return {};
  out.payload = buffer_.substr(9, length);
  buffer_.erase(0, 9 + length);
  take(out);
  return out;
}

void Endpoint::take(const Frame& frame) {
  const bool end = (frame.flags & kEndStream) != 0, ack = (frame.flags & kAck) != 0;
  switch (frame.type) {
    case kData: {
      Message& message = streams[frame.stream];
      message.body += frame.payload;
      message.ended = message.ended || end;
      if (gives_windows && !frame.payload.empty()) {
        const auto size = static_cast<std::uint32_t>(frame.payload.size());
        send(window(0, size) + (end ? std::string() : window(frame.stream, size)));
      }
      break;
    }
    case kHeaders:
      block_ = frame.payload.substr((frame.flags & kHasPriority) != 0 ? 5 : 0);
      block_ends_ = end;
      if ((frame.flags & kEndHeaders) != 0) decode(frame.stream, end);
      break;
    case kContinuation:
      block_ += frame.payload;
      if ((frame.flags & kEndHeaders) != 0) decode(frame.stream, block_ends_);
      break;
    case kReset: {
      Message& message = streams[frame.stream];
      if (!message.reset) message.reset = frame.number();
      ++message.resets;
      break;
    }
    case kSettings:
      if (ack) {
        acknowledged = true;
        break;
      }
      settled = true;
      for (std::size_t at = 0; at + 6 <= frame.payload.size(); at += 6)
        peer_settings[static_cast<std::uint16_t>(frame.number(at) >> 16)] = frame.number(at + 2);
      if (answers) send(settings({}, kAck));
      break;
    case kPing:
      if (ack) ++pongs;
      else if (answers) send(h2::frame(kPing, kAck, 0, frame.payload));
      break;
    case kGoaway:
      last_stream = frame.number();
      code = frame.number(4);
      break;
    default: break;
  }
}

void Endpoint::decode(std::uint32_t stream, bool end) {
  Lines lines;
  const auto* at = reinterpret_cast<const std::uint8_t*>(block_.data());
  std::size_t left = block_.size();
  while (true) {
    nghttp2_nv line{};
    int flags = 0;
    const ssize_t used = nghttp2_hd_inflate_hd2(inflater_.get(), &line, &flags, at, left, 1);
    if (used < 0) FAIL("a header block that cannot be decoded: " << nghttp2_strerror(static_cast<int>(used)));
    at += used, left -= static_cast<std::size_t>(used);
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
      lines.emplace_back(std::string(reinterpret_cast<const char*>(line.name), line.namelen),
                         std::string(reinterpret_cast<const char*>(line.value), line.valuelen));
      if ((line.flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0) streams[stream].never_indexed += lines.back().first + " ";
    }
    if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
  }
  nghttp2_hd_inflate_end_headers(inflater_.get());
  Message& message = streams[stream];
  message.heads.push_back(std::move(lines));
  message.ended = message.ended || end;
  newest = std::max(newest, stream);
}

bool Endpoint::until(const std::function<bool()>& so) {
  const auto limit = std::chrono::steady_clock::now() + 2 * kPatience;
  while (!so()) {
    if (!next()) return so();
    if (std::chrono::steady_clock::now() > limit) FAIL("frames keep coming, but not the awaited one");
  }
  return true;
}

Message& Endpoint::message(std::uint32_t stream) {
  until([&] { return streams[stream].over(); });
  return streams[stream];
}

Message& Endpoint::head(std::uint32_t stream) {
  const std::size_t before = streams[stream].heads.size();
  until([&] { return streams[stream].over() || streams[stream].heads.size() > before; });
  return streams[stream];
}

void Endpoint::exchange_pings() {
  const int before = pongs;
  if (send(ping())) until([&] { return pongs > before; });
}

std::optional<std::uint32_t> Endpoint::end() {
  until([] { return false; });
  return code;
}

ClientSide::ClientSide(std::uint16_t port, std::string_view first) : ClientSide(Client(port), first) {}

ClientSide::ClientSide(Client raw, std::string_view first) : client(std::move(raw)) {
  client.send(std::string(kPreface).append(first.empty() ? settings() : first));
}

ServerSide::ServerSide(const Upstream& upstream, std::string_view first) : peer(upstream.accept()) {
  const timeval patience{10, 0};
  setsockopt(peer.fd(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (!first.empty()) send(first);
  while (buffer_.size() < kPreface.size()) {
    const std::string more = peer.read_some();
    if (more.empty()) FAIL("closed without a preface");
    buffer_ += more;
  }
  if (!buffer_.starts_with(kPreface)) FAIL("no preface: '" << buffer_ << "'");
  buffer_.erase(0, kPreface.size());
}

bool ServerSide::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(peer.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EAGAIN) FAIL("the proxy stopped reading from the upstream");
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

std::uint32_t ServerSide::request() {
  if (!until([&] { return newest > taken_; })) return 0;
  return taken_ = streams.upper_bound(taken_)->first;
}

// --- requests -----------------------------------------------------------------------------------------------------------------

Lines request(const Context& context, std::string_view path, std::string_view method, std::string_view authority) {
  return {{":method", std::string(method)},
          {":scheme", "http"},
          {":authority", std::string(authority)},
          {":path", std::string(path)},
          {"proxy-authorization", "Basic " + base64(context.username + ":" + context.password)}};
}

Lines operator+(Lines lines, const Lines& more) {
  lines.insert(lines.end(), more.begin(), more.end());
  return lines;
}

Lines without(Lines lines, std::string_view name) {
  std::erase_if(lines, [&](const auto& line) { return line.first == name; });
  return lines;
}

Lines with(Lines lines, std::string_view name, std::string_view value) {
  for (auto& line : lines)
    if (line.first == name) {
      line.second = value;
      break;
    }
  return lines;
}

Context context_to(const Proxy& proxy, std::string_view scheme, std::uint16_t port) {
  return proxy.context({"--cmux-proxy-origin", fmt::format("{}://127.0.0.1:{}", scheme, port), "--morph-id", "abc", "--scope",
                        "base", "--domain-suffix", "cmux.test"});
}

}  // namespace e2e::h2
