#include "base/memory.hpp"

#include <features.h>

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
#include <malloc.h>
#include <unistd.h>

#include <cstdio>
#include <mutex>
#include <optional>
#endif

#include "base/buffer.hpp"
#include "base/task.hpp"

namespace cmux {
namespace {

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)

constexpr long kWorthwhile = 2 * 1024 * 1024;
constexpr long kLess = 256 * 1024;

struct Heap {
  long used = 0;
  long unused = 0;  // held by the process, in use by nobody
};

// Nothing: not known.
std::optional<Heap> look() {
  long resident = 0, shared = 0;
  std::FILE* const file = std::fopen("/proc/self/statm", "re");
  if (!file) return {};
  const bool read = std::fscanf(file, "%*d %ld %ld", &resident, &shared) == 2;
  std::fclose(file);
  if (!read) return {};
  const struct mallinfo2 info = mallinfo2();
  Heap heap;
  heap.used = static_cast<long>(info.uordblks + info.hblkhd);
  heap.unused = (resident - shared) * sysconf(_SC_PAGESIZE) - heap.used;
  return heap;
}

// What the last time has left: holes between what was in use, and what is not the heap's. It stays until more becomes free, or
// less is in use.
std::mutex guard;
Heap left;

void trim() {
  const std::scoped_lock lock(guard);
  const auto now = look();
  if (now && now->unused < left.unused + kWorthwhile && now->used > left.used - kLess) return;
  malloc_trim(0);
  left = look().value_or(Heap{});
}

#else
void trim() {}
#endif

}  // namespace

void give_back_memory() noexcept {
  Buffer::drop_recycled();
  drop_recycled_frames();
  trim();
}

}  // namespace cmux
