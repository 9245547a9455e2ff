// Buffer: contiguous bytes with a read and a write end, in blocks that are recycled per thread. An empty buffer holds no block,
// so an idle connection costs none. Views of its data live until the next call that is not const.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

#include "base/check.hpp"

namespace cmux {

class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)),
        capacity_(std::exchange(other.capacity_, 0)),
        begin_(std::exchange(other.begin_, 0)),
        end_(std::exchange(other.end_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    if (this != &other) {
      release();
      block_ = std::exchange(other.block_, nullptr);
      capacity_ = std::exchange(other.capacity_, 0);
      begin_ = std::exchange(other.begin_, 0);
      end_ = std::exchange(other.end_, 0);
    }
    return *this;
  }
  ~Buffer() { release(); }

  std::string_view view() const { return {block_ + begin_, end_ - begin_}; }
  std::size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }
  std::size_t capacity() const { return capacity_; }

  // At least `least` bytes to write into; all the room there is. Follow with commit().
  std::span<char> prepare(std::size_t least);
  void commit(std::size_t written) {
    CMUX_CHECK(written <= capacity_ - end_, "no more is committed than there was room for");
    end_ += written;
  }
  void append(std::string_view bytes);
  // Drops bytes from the front. The block stays until release(), or until the next prepare() moves what is left.
  void consume(std::size_t count) {
    CMUX_CHECK(count <= end_ - begin_, "no more is consumed than there is");
    begin_ += count;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  void clear() { begin_ = end_ = 0; }
  // Gives the block back.
  void release() noexcept;
  // Before a wait: gives back what the bytes need not. Who only waits holds no memory, and who waits for the rest of little holds
  // little.
  void shrink() {
    if (begin_ == end_) release();
    else if (capacity_ > 2 * kLittle && end_ - begin_ <= kLittle) shrink_block();
  }

  // Frees the blocks that this thread keeps for the next buffers.
  static void drop_recycled() noexcept;

 private:
  static constexpr std::size_t kLittle = 2048 - 128;  // its block is smaller than any that is recycled
  void shrink_block();

  char* block_ = nullptr;
  std::size_t capacity_ = 0, begin_ = 0, end_ = 0;
};

}  // namespace cmux
