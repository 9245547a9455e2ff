#include "http2/recycling.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "base/task.hpp"

namespace cmux::http2 {
namespace {

// What a block's size is stands before it.
constexpr std::size_t kBefore = alignof(std::max_align_t);

void* allocate(std::size_t size, void*) {
  void* const block = allocate_frame(size + kBefore);
  *static_cast<std::size_t*>(block) = size;
  return static_cast<char*>(block) + kBefore;
}
void release(void* memory, void*) {
  if (!memory) return;
  void* const block = static_cast<char*>(memory) - kBefore;
  release_frame(block, *static_cast<std::size_t*>(block) + kBefore);
}
void* allocate_zeroed(std::size_t count, std::size_t size, void* user) {
  return std::memset(allocate(count * size, user), 0, count * size);
}
void* reallocate(void* memory, std::size_t size, void* user) {
  if (!memory) return allocate(size, user);
  const std::size_t held = *reinterpret_cast<std::size_t*>(static_cast<char*>(memory) - kBefore);
  void* const moved = std::memcpy(allocate(size, user), memory, std::min(held, size));
  release(memory, user);
  return moved;
}

}  // namespace

nghttp2_mem recycling_memory() { return {nullptr, allocate, release, allocate_zeroed, reallocate}; }

}  // namespace cmux::http2
