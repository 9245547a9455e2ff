#include "browser_guard.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/platform.hpp"
#include "cli.hpp"

#if CMUX_LINUX
#include <sys/prctl.h>
#endif

namespace cmux::cli {
namespace {

constexpr timespec kGraceful{3, 0};  // for a browser that was told to end
constexpr int kCannotRun = 126, kBySignal = 128;

int code_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : kBySignal + WTERMSIG(status); }

// In a process group of its own, so that all of it can be ended.
[[noreturn]] void become_browser(const std::vector<std::string>& command, const sigset_t& signals, pid_t guard) {
  setpgid(0, 0);
#if CMUX_LINUX
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != guard) _exit(kCannotRun);
#else
  static_cast<void>(guard);
#endif
  sigprocmask(SIG_SETMASK, &signals, nullptr);
  for (const int number : {SIGPIPE, SIGINT, SIGTERM, SIGHUP}) signal(number, SIG_DFL);
  std::vector<char*> arguments;
  for (const std::string& each : command) arguments.push_back(const_cast<char*>(each.c_str()));
  arguments.push_back(nullptr);
  execv(arguments[0], arguments.data());
  print_note(fmt::format("cmuxproxy: browser: {}: {}", command.front(), std::strerror(errno)));
  _exit(kCannotRun);
}

// Waits for the browser, or for the end of `parent`; SIGCHLD is blocked but in here. False: not in `limit`.
bool wait_for(pid_t browser, int parent, const timespec* limit, const sigset_t& unblocked, int& status) {
  while (true) {
    if (waitpid(browser, &status, WNOHANG) == browser) return true;
    fd_set wanted;
    FD_ZERO(&wanted);
    if (parent >= 0) FD_SET(parent, &wanted);
    const int ready = pselect(parent + 1, &wanted, nullptr, nullptr, limit, &unblocked);
    if (ready >= 0) return false;
  }
}

[[noreturn]] void guard(int parent, const std::vector<std::string>& command, Profile& profile) {
  setsid();
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) signal(number, SIG_IGN);
  sigset_t child, before;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child, &before);
  signal(SIGCHLD, [](int) {});
  const pid_t self = getpid(), browser = fork();
  if (browser == 0) become_browser(command, before, self);
  // Whoever reads what the browser prints sees its end.
  const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(nothing, standard);
  int status = kCannotRun << 8;
  if (browser > 0) {
    setpgid(browser, browser);
    if (!wait_for(browser, parent, nullptr, before, status)) {
      kill(browser, SIGTERM);
      if (!wait_for(browser, -1, &kGraceful, before, status)) {
        kill(-browser, SIGKILL);
        while (waitpid(browser, &status, 0) < 0 && errno == EINTR) {}
      }
    }
    kill(-browser, SIGKILL);  // whoever it has left
  }
  profile.drop();
  _exit(code_of(status));
}

}  // namespace

int run_guarded(const std::vector<std::string>& command, Profile& profile) {
  int ends[2];
  if (pipe(ends) != 0) throw Exit{kFailed, fmt::format("browser: pipe: {}", std::strerror(errno))};
  for (const int end : ends) fcntl(end, F_SETFD, FD_CLOEXEC);
  std::fflush(stdout);
  const pid_t child = fork();
  if (child < 0) throw Exit{kFailed, fmt::format("browser: fork: {}", std::strerror(errno))};
  if (child == 0) {
    close(ends[1]);
    guard(ends[0], command, profile);
  }
  close(ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
  profile.drop();
  return code_of(status);
}

}  // namespace cmux::cli
