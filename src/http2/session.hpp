// Session: nghttp2's session with its callbacks turned into the calls of a Driver, and what both sides configure alike. No I/O.
#pragma once

#include <nghttp2/nghttp2.h>

#include <memory>
#include <optional>
#include <string>

#include "base/check.hpp"
#include "base/error.hpp"
#include "http/stream.hpp"
#include "http2/inbound.hpp"

namespace cmux::http2 {

enum class Role : std::uint8_t { server, client };

struct Options {
  http::Limits limits;
  std::uint32_t max_streams = 1000;        // that a client may have open at once; Chromium assumes 100 when told nothing
  std::uint64_t max_body = 0;              // bytes of a request; more is 413; 0: without limit
  milliseconds head_timeout{10'000};       // server: from a header block's first byte to its end
  milliseconds send_timeout{120'000};      // for the peer to take some of what waits for it; 0: none
  milliseconds idle_timeout{120'000};      // server: without a stream, then GOAWAY
  milliseconds response_timeout{120'000};  // client: for a response head, once the request is out; 0: none
  milliseconds ping_interval{15'000};      // client: silence with streams open, after which the peer is asked whether it lives
  milliseconds ping_timeout{10'000};       // client: for the answer, and for the peer's SETTINGS
  milliseconds ping_patience{1'000};       // client: for the answer, before requests go elsewhere
  milliseconds body_timeout{300'000};      // client: for more of a body of known length; 0: none
  std::int32_t stream_window = 64 * 1024;  // what a stream's peer may send ahead at first
  std::int32_t most_window = 1024 * 1024;  // ... and at the most, once the reader has kept up
};

class Stream;

// What the session tells while it receives or sends. No call may receive or send itself.
class Driver {
 public:
  // A request's header block begins; null refuses the stream. Server only.
  virtual Stream* on_begin(std::int32_t id) = 0;
  virtual void on_request(Stream& stream) = 0;
  // It has ended. May destroy it.
  virtual void on_closed(Stream& stream) = 0;
  virtual void on_settings() = 0;
  virtual void on_goaway() = 0;
  virtual void on_ping_answer() = 0;
  // The output of this turn is long enough; the rest later.
  virtual bool enough() const = 0;
  virtual void output(std::string_view head, Stream& stream, std::size_t length) = 0;

 protected:
  ~Driver() = default;
};

class Session {
 public:
  Session(Role role, const Options& options, Driver& driver);
  ~Session();
  Session(const Session&) = delete;

  nghttp2_session* get() const { return session_; }
  Role role() const { return role_; }
  const Options& options() const { return options_; }

  // Takes what the peer sent. After an error nothing more can be received; a GOAWAY that says why is in the output.
  Result<void> receive(std::string_view bytes);
  // The next output; empty: none. Valid until the next call. Bodies come through Driver::output().
  Result<std::string_view> send();

  // Ends the connection with this code once the output is written. Not for callbacks: nghttp2 goes on with what it was doing, in
  // a state that it does not expect (CVE-2026-27135).
  void terminate(std::uint32_t code) {
    CMUX_CHECK(!inside_, "a session is never terminated from nghttp2's callbacks");
    nghttp2_session_terminate_session(session_, code);
  }
  // What was wrong with the peer's frames, once a GOAWAY has told it; else empty.
  const std::string& complaint() const { return complaint_; }
  // A header block has been unpacked to so many bytes: a few on the wire may be as many as one likes (an HPACK bomb).
  void charge_decoded(std::size_t size);
  void submit_ping();
  // No streams from now on; those that are open go on.
  void submit_goaway();

 private:
  friend struct Callbacks;
  // Frames that cost us and bring nobody further are paid from a bucket that time and real work refill. An honest peer's never
  // runs dry: PING, SETTINGS, PRIORITY, empty DATA and reset floods (CVE-2019-9511 and what followed), and streams that we are
  // made to reset (CVE-2025-8671). Who runs dry is told so when nghttp2 has returned.
  void charge(int cost);
  void earn(int credit) { credit_ = std::min(credit_ + credit, kMostCredit); }
  // Bytes that were sent explain the WINDOW_UPDATEs that give them back, of the stream and of the connection, in pieces of half a
  // KB and more: Go sends eight for a frame of 16 KB, and all of them only once a window of megabytes was sent. These are no
  // credit: they pay for nothing else, and so need no bound.
  void expect_updates(std::size_t sent) { updates_due_ += 2 + sent / 256; }
  // What was on its way when this side has reset a stream is no fault of the peer's.
  void expect_late() { late_due_ += 8; }
  void charge_late(int cost) {
    if (late_due_ > 0) --late_due_;
    else charge(cost);
  }
  // A frame is about to go to nghttp2. Why it must not, or nothing.
  std::optional<std::uint32_t> judge(const FrameHead& frame);
  void charge_block(std::size_t size);
  Result<void> feed(std::string_view bytes);
  Result<void> refuse(std::uint32_t code);
  void complain(const nghttp2_goaway& told);
  static constexpr int kMostCredit = 2000;

  Role role_;
  const Options& options_;
  Driver& driver_;
  nghttp2_session* session_ = nullptr;
  int credit_ = kMostCredit;
  Clock::time_point refilled_;
  std::uint64_t updates_due_ = 0, late_due_ = 0;
  bool flooded_ = false, terminated_ = false;
  bool inside_ = false;  // nghttp2 is at work, and may call back
  FrameHeads heads_;
  PeerStreams peers_;      // server
  bool in_block_ = false;  // the next frame is to be a CONTINUATION
  std::size_t block_ = 0;  // bytes of the header block, as they came
  std::string last_error_, complaint_;
};

// For people: "PROTOCOL_ERROR".
std::string_view name_of_code(std::uint32_t code);

}  // namespace cmux::http2
