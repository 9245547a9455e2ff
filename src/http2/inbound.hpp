// What a peer's frames say by their nine bytes of head alone, before nghttp2 sees them: it ignores some that RFC 9113 wants
// refused, and tells of others to nobody, so that they would cost nothing. Pure.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace cmux::http2 {

struct FrameHead {
  std::uint32_t length = 0;
  std::uint8_t type = 0, flags = 0;
  std::int32_t stream = 0;
};

// Finds the frames' heads in bytes that are cut anywhere.
class FrameHeads {
 public:
  // `skip`: bytes in front of the first frame.
  explicit FrameHeads(std::size_t skip) : left_(skip) {}
  // Takes bytes up to the end of the next head, or all where it ends later, off the front. True: head() is complete.
  bool next(std::string_view& bytes);
  const FrameHead& head() const { return head_; }

 private:
  std::size_t left_;  // of the payload
  unsigned held_ = 0;
  unsigned char bytes_[9];
  FrameHead head_;
};

// Which streams the peer has opened, and which of them it has ended, whatever has become of them here (RFC 9113 section 5.1).
// Holds those that it has not ended, which a client with small requests never has.
class PeerStreams {
 public:
  enum class State : std::uint8_t {
    open,     // it may send: or it is not known any more, and this side has reset it
    unknown,  // higher than all before
    skipped,  // lower than one that was opened, and never opened itself
    ended,    // by END_STREAM or RST_STREAM
  };
  State state(std::int32_t id) const;
  void open(std::int32_t id);  // which is unknown
  void end(std::int32_t id);

 private:
  std::int32_t last_ = -1;
  std::int32_t forgotten_ = 0;  // up to here it is not known which were ended
  std::vector<std::int32_t> open_;
  std::vector<std::pair<std::int32_t, std::int32_t>> skipped_;  // from, to
};

}  // namespace cmux::http2
