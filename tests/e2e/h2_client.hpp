// An HTTP/2 client for tests, on nghttp2: synchronous, several streams at once, over whatever carries a Client's bytes. It is
// strict: what breaks the protocol FAILs. Waits end after kPatience.
#pragma once

#include <map>
#include <optional>

#include "harness.hpp"

namespace e2e {

using Fields = std::vector<std::pair<std::string, std::string>>;

class H2Connection;

// One request and its response. Streams that nobody holds any more go on.
class H2Stream {
 public:
  H2Stream() = default;
  H2Stream(std::shared_ptr<H2Connection> connection, std::int32_t id) : connection_(std::move(connection)), id_(id) {}
  std::int32_t id() const { return id_; }

  // Returns once all is sent, which takes the peer's credit; false where the stream has ended before.
  bool send(std::string_view bytes) const;
  void offer(std::string_view bytes) const;  // does not wait: what credit allows goes out whenever the connection is used
  std::size_t unsent() const;                // of what was offered
  void finish(const Fields& trailers = {}) const;
  void reset(std::uint32_t code = 8) const;  // 8: CANCEL

  // The next head, an interim one too, in HTTP/1's form: "HTTP/2 200\r\nname: value\r\n\r\n".
  Response read_head() const;
  std::string read_some() const;                    // of the body; empty at its end
  Response read_response() const;                   // the next head, with the whole body and the trailers where it is a final one
  std::string trailers() const;                     // lines, as in Response; once the end was read
  bool ended() const;                               // the message was complete, as far as it has arrived
  bool closed_by_peer() const;                      // waits for the stream's end, clean or not; what came first stays readable
  std::optional<std::uint32_t> reset_code() const;  // of the peer's RST_STREAM
  bool lost() const;                                // the connection has ended, and the stream had not
  bool silent(milliseconds time) const;             // nothing new comes, no end either

  // From now on, what arrives earns the peer no credit for more on this stream; or it does again.
  void withhold_credit(bool on = true) const;

  // The stream's bytes both ways, once its request was answered: a tunnel.
  Client bytes() const;

 private:
  friend class StreamWire;
  std::shared_ptr<H2Connection> connection_;
  std::int32_t id_ = 0;
};

struct H2Options {
  std::uint32_t stream_window = 64 * 1024 - 1;  // what the peer may send ahead on a stream
};

class H2Client {
 public:
  H2Client() = default;
  explicit H2Client(Client below, const H2Options& options = {});

  // Sends the head as it is given, pseudo-fields first; `end`: no body follows.
  H2Stream open(const Fields& head, bool end = true) const;
  std::uint32_t setting(std::int32_t id) const;  // the peer's; waits for them
  std::optional<std::uint32_t> goaway_code() const;
  bool ping() const;  // is it answered?
  bool closed_by_peer(milliseconds timeout = kPatience) const;
  void close();
  explicit operator bool() const { return connection_ != nullptr; }

 private:
  std::shared_ptr<H2Connection> connection_;
};

}  // namespace e2e
