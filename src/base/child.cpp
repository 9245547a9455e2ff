#include "base/child.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>
#include <cerrno>
#include <string_view>

extern char** environ;

namespace cmux {

Result<std::unique_ptr<Child>> Child::start(const std::string& command,
                                            const std::vector<std::pair<std::string, std::string>>& variables) {
  std::vector<std::string> lines;
  for (const auto& [name, value] : variables) lines.push_back(fmt::format("{}={}", name, value));
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view line = *entry;
    bool set = false;
    for (const auto& [name, value] : variables) set = set || line.substr(0, line.find('=')) == name;
    if (!set) lines.emplace_back(line);
  }
  std::vector<char*> environment;
  for (std::string& line : lines) environment.push_back(line.data());
  environment.push_back(nullptr);
  std::string shell = "sh", flag = "-c", text = command;
  char* const arguments[] = {shell.data(), flag.data(), text.data(), nullptr};

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setpgroup(&attributes, 0);
  sigset_t usual;  // what we ignore is not for it
  sigemptyset(&usual);
  for (const int number : {SIGPIPE, SIGINT, SIGTERM, SIGHUP}) sigaddset(&usual, number);
  posix_spawnattr_setsigdefault(&attributes, &usual);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
  pid_t pid = 0;
  const int failed = posix_spawn(&pid, "/bin/sh", &files, &attributes, arguments, environment.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  if (failed != 0) return from_errno(failed, "start /bin/sh");
  return std::unique_ptr<Child>(new Child(pid));
}

Child::Child(pid_t pid)
    : pid_(pid),
      watch_(
          pid, [](void* self) { static_cast<Child*>(self)->ended_.set(); }, this) {}

Child::~Child() {
  if (reaped_) return;
  kill();
  reap();
}

void Child::kill() {
  if (!reaped_) ::kill(-pid_, SIGKILL);
}

int Child::reap() {
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {}
  reaped_ = true;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

Task<int> Child::wait() {
  co_await ended_;
  co_return reap();
}

}  // namespace cmux
