#include "base/buffer.hpp"

#include <array>
#include <bit>
#include <cstring>
#include <memory>
#include <vector>

namespace cmux {
namespace {

constexpr std::size_t kRecycled = 4096;
constexpr std::size_t kClasses = 7;  // 4 KB, 8 KB … 256 KB
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CMUX_ADDRESS_SANITIZER
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define CMUX_ADDRESS_SANITIZER
#endif
#ifdef CMUX_ADDRESS_SANITIZER
constexpr std::size_t kKeptBytes = 0;  // a block that is used after it was given back is seen only if it is gone
#else
constexpr std::size_t kKeptBytes = 1 << 20;  // of each class, at the most
#endif

struct Pool {
  std::array<std::vector<std::unique_ptr<char[]>>, kClasses> free;
};
thread_local Pool pool;

std::size_t class_of(std::size_t size) {
  return static_cast<std::size_t>(std::countr_zero(std::bit_ceil(std::max(size, kRecycled)) / kRecycled));
}

char* take(std::size_t& size) {
  const std::size_t index = class_of(size);
  size = kRecycled << index;
  if (index < kClasses && !pool.free[index].empty()) {
    char* block = pool.free[index].back().release();
    pool.free[index].pop_back();
    return block;
  }
  return new char[size];
}

void give_back(char* block, std::size_t size) noexcept {
  std::unique_ptr<char[]> owned(block);
  if (size < kRecycled) return;  // of shrink()
  const std::size_t index = class_of(size);
  if (index < kClasses && (pool.free[index].size() + 1) * size <= kKeptBytes) pool.free[index].push_back(std::move(owned));
}

}  // namespace

std::span<char> Buffer::prepare(std::size_t least) {
  if (capacity_ - end_ >= least && block_) return {block_ + end_, capacity_ - end_};
  const std::size_t held = size();
  if (block_ && capacity_ - held >= least && begin_ >= held) {
    std::memcpy(block_, block_ + begin_, held);
  } else {
    std::size_t wanted = held + least;
    char* block = take(wanted);
    if (held) std::memcpy(block, block_ + begin_, held);
    if (block_) give_back(block_, capacity_);
    block_ = block;
    capacity_ = wanted;
  }
  begin_ = 0;
  end_ = held;
  return {block_ + end_, capacity_ - end_};
}

void Buffer::append(std::string_view bytes) {
  if (bytes.empty()) return;
  std::memcpy(prepare(bytes.size()).data(), bytes.data(), bytes.size());
  commit(bytes.size());
}

void Buffer::release() noexcept {
  if (!block_) return;
  give_back(std::exchange(block_, nullptr), capacity_);
  capacity_ = begin_ = end_ = 0;
}

void Buffer::shrink_block() {
  static_assert(kLittle + 128 < kRecycled);
  const std::size_t held = size();
  const std::size_t wanted = (held + 127) / 128 * 128;
  char* const block = new char[wanted];
  std::memcpy(block, block_ + begin_, held);
  give_back(block_, capacity_);
  block_ = block;
  capacity_ = wanted;
  begin_ = 0;
  end_ = held;
}

void Buffer::drop_recycled() noexcept {
  for (auto& blocks : pool.free) std::vector<std::unique_ptr<char[]>>().swap(blocks);
}

}  // namespace cmux
