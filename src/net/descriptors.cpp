#include "net/descriptors.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <limits>
#include <utility>

namespace cmux::net {
namespace {

constexpr int kReserve = 64;

int usable(rlim_t limit) {
  return static_cast<int>(std::min<rlim_t>(limit, static_cast<rlim_t>(std::numeric_limits<int>::max())));
}

// Until set_descriptor_limit(): all that can be opened is for whoever wants it.
std::atomic<int> limit_now{std::numeric_limits<int>::max()};

std::atomic<int> claims{0};

// For one more and those that are claimed?
bool has_room(int claimed) {
  const int next = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
  if (next < 0) return errno != EMFILE && errno != ENFILE;  // standard input is closed: there is nothing to ask with
  close(next);
  return next + claimed < traffic_descriptors();
}

}  // namespace

void set_descriptor_limit(unsigned most) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = most != 0 ? std::min<rlim_t>(most, limit.rlim_max) : limit.rlim_max;
  if (limit.rlim_cur != wanted) {
    rlimit changed = limit;
    changed.rlim_cur = wanted;
    if (setrlimit(RLIMIT_NOFILE, &changed) == 0) limit = changed;
  }
  limit_now = usable(limit.rlim_cur);
}

int descriptor_limit() { return limit_now; }

int traffic_descriptors() {
  const int limit = limit_now;
  return limit - std::min(kReserve, limit / 4);
}

bool has_descriptors() { return has_room(0); }

int moved_down(int descriptor) { return fcntl(descriptor, F_DUPFD_CLOEXEC, 0); }

Claim::Claim() : granted_(has_room(claims.fetch_add(1, std::memory_order_relaxed))) {}

void Claim::end() {
  if (std::exchange(held_, false)) claims.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace cmux::net
