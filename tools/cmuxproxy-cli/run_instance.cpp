#include "run_instance.hpp"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "admin/instance_file.hpp"
#include "base/process.hpp"
#include "base/program_path.hpp"

namespace cmux::cli {
namespace {

// `serve --detach` does the rest: returns when the instance is ready, which is then nobody's child, so that the command will not
// meet it when it waits for its own.
int start(const std::vector<std::string>& arguments) {
  std::vector<char*> pointers;
  for (const std::string& each : arguments) pointers.push_back(const_cast<char*>(each.c_str()));
  pointers.push_back(nullptr);
  const std::string program = program_path();
  const pid_t child = fork();
  if (child < 0) throw Exit{kFailed, fmt::format("run: fork: {}", std::strerror(errno))};
  if (child == 0) {
    // What it prints is the ready line, which nobody asked for.
    if (!std::freopen("/dev/null", "w", stdout)) _exit(kFailed);
    execvp(program.c_str(), pointers.data());
    _exit(kFailed);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
  return WIFEXITED(status) ? WEXITSTATUS(status) : kFailed;
}

// What a private instance leaves that was killed, and a run --transparent that was: both are named by a process that has ended.
void remove_left() {
  const auto folder = admin::runtime_directory();
  if (!folder) return;
  std::error_code failed;
  for (const auto& each : std::filesystem::directory_iterator(*folder, failed)) {
    const std::string name = each.path().stem().string();
    if (!name.starts_with("run-")) continue;
    const pid_t pid = std::atoi(name.c_str() + 4);
    if (pid <= 0 || process_runs(pid)) continue;
    // Claiming a name removes what there is of an instance that has ended, and fails where one has it.
    if (each.path().extension() == ".lock") static_cast<void>(admin::InstanceFile::claim(name));
    else if (each.path().extension() != ".json") unlink(each.path().c_str());
  }
}

admin::Client start_private() {
  const std::string pid = std::to_string(getpid()), name = "run-" + pid;
  // The rest of its settings are the user's, by variables and the file.
  const int code = start({"cmuxproxy", "serve", "--detach", "--discard-log", "--instance", name, "--owner-pid", pid, "--listen",
                          "127.0.0.1:0", "--admin", "127.0.0.1:0", "--drain-timeout", "0", "--log-level", "error"});
  if (code != kOk) throw Exit{code, "run: no instance runs, and a private one did not start"};
  return connect(name);
}

}  // namespace

admin::Client instance_for_run(const std::string& name) {
  remove_left();
  if (!name.empty()) return connect(name);
  try {
    return connect(std::string(kDefaultInstance));
  } catch (const Exit& exit) {
    if (exit.code != kNoInstance) throw;
  }
  return start_private();
}

}  // namespace cmux::cli
