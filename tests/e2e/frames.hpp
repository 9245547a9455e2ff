// HTTP/2 by hand (RFC 9113), for what no library sends: frames of any content, header blocks of any lines. What is received is
// split into frames, and header blocks are decoded. Both sides: a client of the proxy, and an upstream that it connects to.
#pragma once

#include <nghttp2/nghttp2.h>

#include <deque>
#include <map>
#include <optional>

#include "support.hpp"

namespace e2e::h2 {

enum Type : std::uint8_t { kData, kHeaders, kPriority, kReset, kSettings, kPushPromise, kPing, kGoaway, kWindow, kContinuation };
enum Flag : std::uint8_t { kNone = 0, kEndStream = 1, kAck = 1, kEndHeaders = 4, kPadded = 8, kHasPriority = 0x20 };
constexpr std::uint8_t kWhole = kEndHeaders | kEndStream;  // a message that is its header block alone
enum Setting : std::uint16_t { kTableSize = 1, kEnablePush, kMaxStreams, kInitialWindow, kMaxFrame, kMaxHeaderList };

enum Code : std::uint32_t {
  kNoError,
  kProtocolError,
  kInternalError,
  kFlowControlError,
  kSettingsTimeout,
  kStreamClosed,
  kFrameSizeError,
  kRefusedStream,
  kCancel,
  kCompressionError,
  kConnectError,
  kEnhanceYourCalm,
  kInadequateSecurity,
  kHttp11Required,
};

inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

using Lines = std::vector<std::pair<std::string, std::string>>;

std::string u32(std::uint32_t number);
std::string frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, std::string_view payload = {});
std::string frame_head(std::size_t length, std::uint8_t type, std::uint8_t flags, std::uint32_t stream);
// HPACK (RFC 7541): literals that are neither indexed nor compressed, so that a block says exactly these bytes.
std::string integer(std::size_t number, unsigned prefix_bits, std::uint8_t first_bits);
std::string block(const Lines& lines);
std::string headers(std::uint32_t stream, const Lines& lines, std::uint8_t flags = kWhole);
// The block cut into HEADERS and as many CONTINUATIONs as it takes.
std::string long_headers(std::uint32_t stream, const Lines& lines, std::uint8_t flags = kWhole, std::size_t piece = 16'000);
std::string data(std::uint32_t stream, std::string_view bytes, std::uint8_t flags = kEndStream);
std::string reset(std::uint32_t stream, std::uint32_t code = kCancel);
std::string goaway(std::uint32_t last, std::uint32_t code = kNoError);
std::string window(std::uint32_t stream, std::uint32_t increment);
std::string settings(const std::vector<std::pair<std::uint16_t, std::uint32_t>>& values = {}, std::uint8_t flags = kNone);
std::string ping(std::uint8_t flags = kNone);

struct Frame {
  std::uint8_t type = 0, flags = 0;
  std::uint32_t stream = 0;
  std::string payload;
  std::uint32_t number(std::size_t at = 0) const;  // of the payload
};

// What has come on a stream.
struct Message {
  std::vector<Lines> heads;  // interim ones, the final one, trailers
  std::string body;
  std::string never_indexed;  // names of fields that came so (RFC 7541 section 6.2.3), a blank behind each
  bool ended = false;
  std::optional<std::uint32_t> reset;  // RST_STREAM's code
  int resets = 0;

  bool over() const { return ended || reset.has_value(); }
  std::string field(std::string_view name) const;  // of the first head that has it
  int status() const;                              // the last head's that has one
};

// One side of a connection, from outside of the program that is at its other end. Answers SETTINGS and PING, and gives windows
// back, unless it is told not to.
class Endpoint {
 public:
  virtual ~Endpoint();

  virtual bool send(std::string_view bytes) = 0;  // false: the other side has closed
  std::optional<Frame> next();                    // nothing at the end of the connection
  // Until this is so, or the connection has ended; what was asked of it is then in `streams`, `code` and `ended`.
  bool until(const std::function<bool()>& so);
  Message& message(std::uint32_t stream);  // until it is over
  Message& head(std::uint32_t stream);     // until its (next) head is there
  void exchange_pings();                   // everything sent before has been looked at, and what it led to at once has arrived
  // Until the connection ends; the code of the last GOAWAY.
  std::optional<std::uint32_t> end();

  std::map<std::uint32_t, Message> streams;
  std::uint32_t newest = 0;           // the highest stream a header block came on
  std::optional<std::uint32_t> code;  // of GOAWAY
  std::uint32_t last_stream = 0;      // ... and its other number
  std::map<std::uint16_t, std::uint32_t> peer_settings;
  bool ended = false, settled = false, acknowledged = false;
  int pongs = 0;
  bool answers = true, gives_windows = true;

 protected:
  Endpoint();
  virtual std::string receive() = 0;  // empty at the end
  std::string buffer_;

 private:
  bool fill(std::size_t count);
  void take(const Frame& frame);
  void decode(std::uint32_t stream, bool end);

  std::unique_ptr<nghttp2_hd_inflater, void (*)(nghttp2_hd_inflater*)> inflater_;
  std::string block_;
  bool block_ends_ = false;
  std::chrono::steady_clock::time_point deadline_;
};

// A client that has said the preface and SETTINGS.
class ClientSide final : public Endpoint {
 public:
  explicit ClientSide(std::uint16_t port, std::string_view first = {});
  explicit ClientSide(Client client, std::string_view first = {});
  bool send(std::string_view bytes) override { return client.send(bytes); }
  Client client;

 private:
  std::string receive() override { return client.read_some(); }
};

// The upstream's side of a connection that the proxy has opened.
class ServerSide final : public Endpoint {
 public:
  // Reads the preface. `first` is said before; a server's first frame is SETTINGS.
  explicit ServerSide(const Upstream& upstream, std::string_view first = settings());
  bool send(std::string_view bytes) override;
  std::uint32_t request();  // the next new request's stream, once its head is there; 0: the connection has ended
  Peer peer;

 private:
  std::string receive() override { return peer.read_some(); }
  std::uint32_t taken_ = 0;
};

// The lines of a request to the workspace's `path`.
Lines request(const Context& context, std::string_view path, std::string_view method = "GET",
              std::string_view authority = "localhost:3000");
Lines operator+(Lines lines, const Lines& more);
Lines without(Lines lines, std::string_view name);
Lines with(Lines lines, std::string_view name, std::string_view value);  // in place of the first of that name

// A context whose loopback requests go to this port over HTTP/2 ("h2c") or HTTP/1 ("http").
Context context_to(const Proxy& proxy, std::string_view scheme, std::uint16_t port);

}  // namespace e2e::h2
