// Arena: memory for what goes in the order in which it came, in chunks, so that taking and giving back cost next to nothing. The
// chunk that was emptied last waits for the next one that is needed: to ask the system for memory, and to touch it for the first
// time, costs more than all that is written there.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <utility>

namespace cmux::inspect {

class Arena {
 public:
  static constexpr std::size_t kLeast = 4 * 1024, kUsual = 256 * 1024;  // of a chunk

  // Chunks of a sixty-fourth of what all of them may be together.
  void limit(std::size_t bytes) {
    chunk_ = std::clamp(bytes / 64, kLeast, kUsual);
    give_back_spare();
  }
  // What taking so much would add to bytes().
  std::size_t growth(std::size_t bytes) const {
    if (fits(bytes) || spare_.size >= bytes) return 0;
    return std::max(chunk_, bytes);
  }
  char* take(std::size_t bytes) {
    if (!fits(bytes)) add_chunk(bytes);
    Chunk& last = chunks_.back();
    char* const out = last.bytes.get() + last.used;
    last.used += bytes;
    ++last.taken;
    return out;
  }
  // What was taken first of all that is there.
  void give_back_first() {
    Chunk& first = chunks_.front();
    if (--first.taken > 0) return;
    if (first.size == chunk_) {
      give_back_spare();
      first.used = 0;
      spare_ = std::move(first);
    } else {
      bytes_ -= first.size;
    }
    chunks_.pop_front();
  }
  void give_back_spare() {
    bytes_ -= spare_.size;
    spare_ = {};
  }
  std::size_t bytes() const { return bytes_; }

 private:
  struct Chunk {
    std::unique_ptr<char[]> bytes;
    std::size_t size = 0, used = 0, taken = 0;
  };
  bool fits(std::size_t bytes) const { return !chunks_.empty() && chunks_.back().size - chunks_.back().used >= bytes; }
  void add_chunk(std::size_t bytes) {
    if (spare_.size >= bytes) {
      chunks_.push_back(std::exchange(spare_, {}));
      return;
    }
    Chunk chunk;
    chunk.size = std::max(chunk_, bytes);
    chunk.bytes.reset(new char[chunk.size]);
    bytes_ += chunk.size;
    chunks_.push_back(std::move(chunk));
  }

  std::deque<Chunk> chunks_;
  Chunk spare_;  // of the usual size; nothing: none is
  std::size_t chunk_ = kUsual, bytes_ = 0;
};

}  // namespace cmux::inspect
