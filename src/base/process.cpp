#include "base/process.hpp"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#ifdef __linux__
#include <sys/syscall.h>
#endif

namespace cmux {
namespace {

constexpr milliseconds kInterval{200};

int open_process([[maybe_unused]] pid_t pid) {
#if defined(__linux__) && defined(SYS_pidfd_open)
  return static_cast<int>(syscall(SYS_pidfd_open, pid, 0));  // closed on exec by itself
#else
  return -1;
#endif
}

bool has_ended(int descriptor) {
  pollfd one{descriptor, POLLIN, 0};
  return ::poll(&one, 1, 0) == 1;
}

}  // namespace

bool process_runs(pid_t pid) {
  const int descriptor = open_process(pid);
  if (descriptor < 0) return kill(pid, 0) == 0 || errno == EPERM;
  const bool ended = has_ended(descriptor);  // a zombie has ended
  close(descriptor);
  return !ended;
}

// The pidfd pins the process, so that a reused number is not mistaken for it, and it tells of a zombie. It is asked at intervals:
// contexts with an owner are few, and one way of waiting serves all systems.
ProcessWatch::ProcessWatch(pid_t pid, void (*callback)(void*), void* argument)
    : pid_(pid), callback_(callback), argument_(argument), again_(poll, this), descriptor_(open_process(pid)) {
  again_.after(kInterval);
}

ProcessWatch::~ProcessWatch() {
  if (descriptor_ >= 0) close(descriptor_);
}

void ProcessWatch::poll(void* self) {
  auto& me = *static_cast<ProcessWatch*>(self);
  const bool ended = me.descriptor_ >= 0 ? has_ended(me.descriptor_) : kill(me.pid_, 0) != 0 && errno == ESRCH;
  if (ended) return me.callback_(me.argument_);
  me.again_.after(kInterval);
}

}  // namespace cmux
