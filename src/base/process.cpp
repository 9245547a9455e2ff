#include "base/process.hpp"

#include <signal.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>

#include "base/loop.hpp"
#if CMUX_LINUX
#include <poll.h>
#include <sys/syscall.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#else
#include <fmt/format.h>

#include <fstream>
#endif

namespace cmux {

#if CMUX_LINUX

namespace {

// It pins the process, so that a reused number is not mistaken for it, and is readable once the process has ended, even as a
// zombie. Closed on exec by itself. -1: there is no such process, or no descriptor left.
int open_process(pid_t pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }

}  // namespace

bool process_runs(pid_t pid) {
  const int descriptor = open_process(pid);
  if (descriptor < 0) return kill(pid, 0) == 0 || errno == EPERM;
  pollfd one{descriptor, POLLIN, 0};
  const bool ended = ::poll(&one, 1, 0) == 1;
  close(descriptor);
  return !ended;
}

#else

namespace {

// Has it ended, and waits for its parent to ask how? kill(2) does not tell.
bool is_zombie(pid_t pid) {
#ifdef __APPLE__
  int query[] = {CTL_KERN, KERN_PROC, KERN_PROC_PID, pid};
  kinfo_proc info{};
  std::size_t size = sizeof info;
  return sysctl(query, 4, &info, &size, nullptr, 0) == 0 && size == sizeof info && info.kp_proc.p_stat == SZOMB;
#else
  // "1234 (name) Z ...", where there is such a file.
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string line;
  std::getline(file, line);
  const std::size_t name_end = line.rfind(')');
  return name_end != line.npos && line.compare(name_end, 3, ") Z") == 0;
#endif
}

}  // namespace

bool process_runs(pid_t pid) { return (kill(pid, 0) == 0 || errno == EPERM) && !is_zombie(pid); }

#endif

// Shared with the wait, which comes back even when it was cancelled.
struct ProcessWatch::State : std::enable_shared_from_this<State> {
  State(pid_t watched, void (*call)(void*), void* with) : pid(watched), callback(call), argument(with) {}

  void begin() {
#if CMUX_LINUX
    const int opened = open_process(pid);
    if (opened >= 0) {
      descriptor.assign(opened);
      Loop::current().asio_began();
      descriptor.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                            [self = shared_from_this()](const boost::system::error_code&) {
                              Loop::current().asio_ended();
                              self->tell();
                            });
      return;
    }
    if (errno == ESRCH) return Loop::current().post([self = shared_from_this()] { self->tell(); });
#endif
    again.after(kInterval);
  }
  void tell() {
    if (callback) std::exchange(callback, nullptr)(argument);
  }
  static void look(void* self) {
    auto& me = *static_cast<State*>(self);
    if (process_runs(me.pid)) return me.again.after(kInterval);
    me.tell();
  }

  static constexpr milliseconds kInterval{200};
  pid_t pid;
  void (*callback)(void*);
  void* argument;
  boost::asio::posix::stream_descriptor descriptor{Loop::current().context()};
  Deadline again{look, this};
};

ProcessWatch::ProcessWatch(pid_t pid, void (*callback)(void*), void* argument)
    : state_(std::make_shared<State>(pid, callback, argument)) {
  state_->begin();
}

ProcessWatch::~ProcessWatch() {
  state_->callback = nullptr;
  state_->again.cancel();
  state_->descriptor.close();
}

}  // namespace cmux
