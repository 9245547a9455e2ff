// Arena: memory for what goes in the order in which it came, in chunks, so that taking and giving back cost next to nothing.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>

namespace cmux::inspect {

class Arena {
 public:
  static constexpr std::size_t kLeast = 4 * 1024, kUsual = 256 * 1024;  // of a chunk

  // Chunks of a sixty-fourth of what all of them may be together.
  void limit(std::size_t bytes) { chunk_ = std::clamp(bytes / 64, kLeast, kUsual); }
  char* take(std::size_t bytes) {
    if (chunks_.empty() || chunks_.back().size - chunks_.back().used < bytes) {
      Chunk chunk;
      chunk.size = std::max(chunk_, bytes);
      chunk.bytes.reset(new char[chunk.size]);
      bytes_ += chunk.size;
      chunks_.push_back(std::move(chunk));
    }
    Chunk& last = chunks_.back();
    char* const out = last.bytes.get() + last.used;
    last.used += bytes;
    ++last.taken;
    return out;
  }
  // What was taken first of all that is there.
  void give_back_first() {
    if (--chunks_.front().taken > 0) return;
    bytes_ -= chunks_.front().size;
    chunks_.pop_front();
  }
  std::size_t bytes() const { return bytes_; }

 private:
  struct Chunk {
    std::unique_ptr<char[]> bytes;
    std::size_t size = 0, used = 0, taken = 0;
  };
  std::deque<Chunk> chunks_;
  std::size_t chunk_ = kUsual, bytes_ = 0;
};

}  // namespace cmux::inspect
