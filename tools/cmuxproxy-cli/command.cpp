#include "command.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "cli.hpp"

namespace cmux::cli {
namespace {

constexpr int kNotFound = 127;
constexpr std::size_t kMostSaid = 1 << 20;

// `out`, `err`: descriptors that it gets as its standard output and error.
pid_t start(const Command& command, int out, int err) {
  std::vector<char*> arguments;
  for (const std::string& each : command) arguments.push_back(const_cast<char*>(each.c_str()));
  arguments.push_back(nullptr);
  std::fflush(stdout);
  const pid_t child = fork();
  if (child != 0) return child;
  if (dup2(out, STDOUT_FILENO) < 0 || dup2(err, STDERR_FILENO) < 0) _exit(kNotFound);
  execvp(arguments[0], arguments.data());
  _exit(kNotFound);
}

int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return kNotFound;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

int run_command(const Command& command) {
  const pid_t child = start(command, STDERR_FILENO, STDERR_FILENO);
  return child < 0 ? kNotFound : wait_for(child);
}

Said ask_command(const Command& command) {
  Said said;
  said.code = kNotFound;
  int ends[2];
  const int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nowhere < 0) return said;
  if (pipe(ends) == 0) {
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    const pid_t child = start(command, ends[1], nowhere);
    close(ends[1]);
    char buffer[4096];
    for (ssize_t count = 0; child > 0 && (count = read(ends[0], buffer, sizeof buffer)) != 0;) {
      if (count < 0 && errno != EINTR) break;
      if (count > 0 && said.text.size() < kMostSaid) said.text.append(buffer, static_cast<std::size_t>(count));
    }
    close(ends[0]);
    if (child > 0) said.code = wait_for(child);
  }
  close(nowhere);
  return said;
}

std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return access(name.c_str(), X_OK) == 0 ? name : "";
  const char* const variable = std::getenv("PATH");
  for (std::string_view rest = variable ? variable : ""; !rest.empty();) {
    const std::size_t end = rest.find(':');
    const std::string path = std::string(rest.substr(0, end)) + "/" + name;
    if (access(path.c_str(), X_OK) == 0) return path;
    if (end == rest.npos) break;
    rest.remove_prefix(end + 1);
  }
  return {};
}

}  // namespace cmux::cli
