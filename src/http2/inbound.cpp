#include "http2/inbound.hpp"

#include <algorithm>
#include <cstring>

#include "base/check.hpp"

namespace cmux::http2 {
namespace {

constexpr std::size_t kMostOpen = 4096;   // twice what may be at work on a connection
constexpr std::size_t kMostSkipped = 64;  // nobody has a reason to skip any

}  // namespace

bool FrameHeads::next(std::string_view& bytes) {
  const std::size_t passed = std::min(left_, bytes.size());
  left_ -= passed;
  bytes.remove_prefix(passed);
  const std::size_t taken = std::min(sizeof bytes_ - held_, bytes.size());
  std::memcpy(bytes_ + held_, bytes.data(), taken);
  bytes.remove_prefix(taken);
  held_ += static_cast<unsigned>(taken);
  if (held_ < sizeof bytes_) return false;
  held_ = 0;
  head_.length = static_cast<std::uint32_t>(bytes_[0] << 16 | bytes_[1] << 8 | bytes_[2]);
  head_.type = bytes_[3];
  head_.flags = bytes_[4];
  head_.stream = (bytes_[5] & 0x7f) << 24 | bytes_[6] << 16 | bytes_[7] << 8 | bytes_[8];
  left_ = head_.length;
  return true;
}

PeerStreams::State PeerStreams::state(std::int32_t id) const {
  if (id > last_) return State::unknown;
  for (const auto& [from, to] : skipped_)
    if (id >= from && id <= to) return State::skipped;
  if (id <= forgotten_ || std::binary_search(open_.begin(), open_.end(), id)) return State::open;
  return State::ended;
}

void PeerStreams::open(std::int32_t id) {
  CMUX_CHECK(id > last_, "a peer's streams go up");
  if (id > last_ + 2) {
    if (skipped_.size() == kMostSkipped) skipped_.erase(skipped_.begin());
    skipped_.emplace_back(last_ + 2, id - 2);
  }
  last_ = id;
  if (open_.size() == kMostOpen) {
    const auto half = open_.begin() + kMostOpen / 2;
    forgotten_ = *(half - 1);
    open_.erase(open_.begin(), half);
  }
  open_.push_back(id);
}

void PeerStreams::end(std::int32_t id) {
  const auto found = std::lower_bound(open_.begin(), open_.end(), id);
  if (found != open_.end() && *found == id) open_.erase(found);
}

}  // namespace cmux::http2
