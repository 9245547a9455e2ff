#include "base/task.hpp"

#include <array>
#include <new>

namespace cmux {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kRecycle = false;  // a recycled frame would hide a use after free
#else
constexpr bool kRecycle = true;
#endif
constexpr std::size_t kStep = 64, kClasses = 64;  // frames of up to 4 KB are recycled
constexpr unsigned kKept = 256;                   // of each class, at the most

struct Free {
  Free* next;
};
struct Cache {
  struct List {
    Free* head = nullptr;
    unsigned count = 0;
  };
  std::array<List, kClasses> lists;
  ~Cache() { drop(); }
  void drop() noexcept {
    for (List& list : lists) {
      while (list.head) ::operator delete(std::exchange(list.head, list.head->next));
      list.count = 0;
    }
  }
};
thread_local Cache cache;

}  // namespace

void* allocate_frame(std::size_t size) {
  const std::size_t index = (size - 1) / kStep;
  if (kRecycle && index < kClasses) {
    auto& list = cache.lists[index];
    if (list.head) {
      --list.count;
      return std::exchange(list.head, list.head->next);
    }
    return ::operator new((index + 1) * kStep);
  }
  return ::operator new(size);
}

void release_frame(void* frame, std::size_t size) noexcept {
  const std::size_t index = (size - 1) / kStep;
  if (kRecycle && index < kClasses && cache.lists[index].count < kKept) {
    auto& list = cache.lists[index];
    list.head = new (frame) Free{list.head};
    ++list.count;
    return;
  }
  ::operator delete(frame);
}

void drop_recycled_frames() noexcept { cache.drop(); }

}  // namespace cmux
