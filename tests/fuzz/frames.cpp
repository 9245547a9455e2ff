#include "frames.hpp"

#include <nghttp2/nghttp2.h>

#include <memory>

namespace cmux::fuzz {
namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::string_view kNames[] = {":method",
                                       ":scheme",
                                       ":authority",
                                       ":path",
                                       ":protocol",
                                       ":status",
                                       "content-length",
                                       "te",
                                       "cookie",
                                       "connection",
                                       "host",
                                       "transfer-encoding",
                                       "x-a",
                                       "expect",
                                       "upgrade",
                                       "X-Upper",
                                       "",
                                       "trailer",
                                       ":x",
                                       "proxy-connection",
                                       "sec-websocket-key"};
constexpr std::string_view kValues[] = {"GET",
                                        "POST",
                                        "CONNECT",
                                        "http",
                                        "https",
                                        "localhost:3000",
                                        "/",
                                        "/a?b",
                                        "*",
                                        "websocket",
                                        "200",
                                        "101",
                                        "103",
                                        "204",
                                        "0",
                                        "5",
                                        "05",
                                        "trailers",
                                        "chunked",
                                        "close",
                                        "a=b; c=d",
                                        "",
                                        " a",
                                        "a\r\nb: c",
                                        "HEAD",
                                        "OPTIONS",
                                        "99999999999999999999",
                                        "100-continue"};

class Writer {
 public:
  explicit Writer(Source& source) : source_(source) {
    nghttp2_hd_deflater* made = nullptr;
    if (nghttp2_hd_deflate_new(&made, 4096) != 0) std::abort();
    deflater_.reset(made);
  }

  void frame(unsigned type, unsigned flags, std::uint32_t stream, std::string_view payload) {
    const std::size_t size = payload.size();
    for (const int shift : {16, 8, 0}) out_ += static_cast<char>(size >> shift);
    out_ += static_cast<char>(type), out_ += static_cast<char>(flags);
    number(out_, stream);
    out_ += payload;
  }

  void headers(Peer peer, std::uint32_t stream) {
    std::string names[24], values[24];
    nghttp2_nv fields[24];
    std::size_t count = 0;
    const auto add = [&](std::string_view name, std::string_view value) {
      if (count == std::size(fields)) return;
      names[count] = name, values[count] = value;
      nghttp2_nv& field = fields[count];
      field.name = reinterpret_cast<std::uint8_t*>(names[count].data()), field.namelen = names[count].size();
      field.value = reinterpret_cast<std::uint8_t*>(values[count].data()), field.valuelen = values[count].size();
      field.flags = source_.below(8) == 7 ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
      ++count;
    };
    // Usually what a peer would say; then, or in its place, anything.
    if (const unsigned kind = source_.below(6); kind < 5) {
      if (peer == Peer::server) add(":status", kind == 4 ? "103" : "200");
      else {
        add(":method", kind == 1 ? "POST" : kind >= 3 ? "CONNECT" : "GET");
        if (kind == 4) add(":protocol", "websocket");
        if (kind != 3) add(":scheme", "http"), add(":path", "/a");
        add(":authority", "localhost:3000");
      }
    }
    for (unsigned more = source_.below(5); more > 0; --more) {
      const std::string_view name = source_.one_of(kNames);
      add(name, source_.below(4) == 3 ? source_.take(source_.below(40)) : source_.one_of(kValues));
    }
    std::string block(nghttp2_hd_deflate_bound(deflater_.get(), fields, count), '\0');
    const auto size =
        nghttp2_hd_deflate_hd(deflater_.get(), reinterpret_cast<std::uint8_t*>(block.data()), block.size(), fields, count);
    if (size < 0) return;
    block.resize(static_cast<std::size_t>(size));
    const unsigned end = source_.below(2);
    if (source_.below(8) != 7) return frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | end, stream, block);
    const std::size_t cut = block.size() / 2;
    frame(NGHTTP2_HEADERS, end, stream, block.substr(0, cut));
    if (source_.below(4) == 3) frame(NGHTTP2_PING, 0, 0, "12345678");  // not allowed there
    frame(NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, stream, block.substr(cut));
  }

  void next(Peer peer) {
    const std::uint32_t stream = 1 + 2 * source_.below(6);
    std::string payload;
    switch (source_.below(14)) {
      case 0:
      case 1:
      case 2: return headers(peer, stream);
      case 3:
      case 4: return frame(NGHTTP2_DATA, source_.below(2), stream, source_.take(source_.below(64)));
      case 5:
        number(payload, source_.below(3) == 2 ? 0x7fffffff : source_.below(256) * 257);
        return frame(NGHTTP2_WINDOW_UPDATE, 0, source_.below(2) ? stream : 0, payload);
      case 6: number(payload, source_.below(14)); return frame(NGHTTP2_RST_STREAM, 0, stream, payload);
      case 7:
        for (unsigned count = source_.below(4); count > 0; --count) {
          payload += '\0', payload += static_cast<char>(source_.below(10));
          number(payload, source_.below(3) == 2 ? 0xffffffff : source_.below(256));
        }
        return frame(NGHTTP2_SETTINGS, source_.below(8) == 7 ? NGHTTP2_FLAG_ACK : 0, 0, payload);
      case 8: return frame(NGHTTP2_PING, source_.below(2), 0, "12345678");
      case 9: number(payload, source_.below(16)), number(payload, source_.below(14)); return frame(NGHTTP2_GOAWAY, 0, 0, payload);
      case 10:
        number(payload, source_.below(16)), payload += static_cast<char>(source_.below(256));
        return frame(NGHTTP2_PRIORITY, 0, source_.below(8), payload);
      case 11: return frame(source_.below(32), source_.below(256), source_.below(16), source_.take(source_.below(32)));
      case 12: return frame(NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, stream, source_.take(source_.below(64)));
      default: out_ += source_.take(source_.below(32));
    }
  }

  std::string take() { return std::move(out_); }

 private:
  static void number(std::string& into, std::uint32_t value) {
    for (const int shift : {24, 16, 8, 0}) into += static_cast<char>(value >> shift);
  }
  struct Delete {
    void operator()(nghttp2_hd_deflater* deflater) const { nghttp2_hd_deflate_del(deflater); }
  };
  Source& source_;
  std::unique_ptr<nghttp2_hd_deflater, Delete> deflater_;
  std::string out_;
};

}  // namespace

std::string frames(Source& source, Peer peer) {
  Writer writer(source);
  if (source.below(16) != 15) writer.frame(NGHTTP2_SETTINGS, 0, 0, {});
  while (!source.empty()) writer.next(peer);
  return (peer == Peer::client ? std::string(kPreface) : std::string()) + writer.take();
}

void check_frames(std::string_view output, bool preface) {
  if (preface) output.remove_prefix(std::min(output.size(), kPreface.size()));
  while (output.size() >= 9) {
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(output[at]); };
    const std::size_t size = std::size_t{byte(0)} << 16 | std::size_t{byte(1)} << 8 | byte(2);
    check(byte(3) <= NGHTTP2_CONTINUATION || byte(3) == NGHTTP2_ALTSVC, "a frame's type is known", output.substr(0, 9));
    output.remove_prefix(std::min(output.size(), 9 + size));
  }
}

}  // namespace cmux::fuzz
