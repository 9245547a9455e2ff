#include "serve_detach.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <optional>
#include <thread>

#include "app/settings.hpp"
#include "base/log.hpp"
#include "base/private_folder.hpp"
#include "base/signals.hpp"

namespace cmux::cli {
namespace {

constexpr std::chrono::seconds kMostStart{30};  // another process may be making the CA
constexpr std::chrono::seconds kCheck{5};       // between two looks at the log's size

[[noreturn]] void fail(std::string_view what) {
  throw Exit{kFailed, fmt::format("--detach: {}: {}", what, std::strerror(errno))};
}

int open_log(const std::string& path) {
  const int descriptor = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor >= 0) fchmod(descriptor, 0600);  // one that was there
  return descriptor;
}

void write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = write(descriptor, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;  // a full disk is no reason not to run
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

// Standard output and error go to a file that does not grow without end. By descriptor, so that what a crash says gets there,
// too.
class LogFile {
 public:
  LogFile(std::string path, int descriptor) : path_(std::move(path)) {
    use(descriptor);
    const SignalsBlocked blocked;  // in the thread
    thread_ = std::thread([this] { watch(); });
  }
  ~LogFile() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }
  LogFile(const LogFile&) = delete;

 private:
  static void use(int descriptor) {
    dup2(descriptor, STDOUT_FILENO);
    dup2(descriptor, STDERR_FILENO);
    close(descriptor);
  }
  void watch() {
    std::unique_lock lock(mutex_);
    do turn();
    while (!wake_.wait_for(lock, kCheck, [this] { return ended_; }));
  }
  void turn() {
    struct stat status {};
    if (fstat(STDERR_FILENO, &status) != 0 || static_cast<std::size_t>(status.st_size) <= kMostLog) return;
    const bool moved = rename(path_.c_str(), (path_ + ".1").c_str()) == 0;
    const int next = moved ? open_log(path_) : -1;
    if (next >= 0) use(next);
    else if (ftruncate(STDERR_FILENO, 0) != 0) return;  // where there is no place for a second file: bounded all the same
  }

  const std::string path_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool ended_ = false;
  std::thread thread_;
};

struct Pipe {
  int read = -1, write = -1;
  Pipe() {
    int ends[2];
    if (pipe(ends) != 0) fail("pipe");
    read = ends[0];
    write = ends[1];
    fcntl(read, F_SETFD, FD_CLOEXEC);
    fcntl(write, F_SETFD, FD_CLOEXEC);
  }
};

// What the caller has open is none of an instance's that stays: a pipe whose end somebody waits for, a lock.
void close_others(std::initializer_list<int> kept) {
  std::vector<int> others;
  std::error_code failed;
  for (const auto& each : std::filesystem::directory_iterator("/dev/fd", failed)) {
    const int number = std::atoi(each.path().filename().c_str());
    if (number > STDERR_FILENO && std::find(kept.begin(), kept.end(), number) == kept.end()) others.push_back(number);
  }
  for (const int each : others) close(each);
}

[[noreturn]] void run_child(const Pipe& ready, const Pipe& errors, int log_file, int kept, const std::string& path,
                            const std::function<int(const SayReady&)>& serve) {
  setsid();
  const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(nothing, STDOUT_FILENO) < 0 || dup2(errors.write, STDERR_FILENO) < 0)
    _exit(kFailed);
  close_others({ready.write, log_file, kept});
  std::optional<LogFile> file;
  int code = kFailed;
  try {
    code = serve([&](const std::string& line) {
      log::flush();  // what was said until now is for who started it, too
      file.emplace(path, log_file);
      write_all(ready.write, line + "\n");
      close(ready.write);
    });
  } catch (const std::exception& error) {  // as main() does
    print_note(fmt::format("cmuxproxy: {}", error.what()));
  }
  file.reset();
  std::exit(code);
}

// Both to their ends, which come when the child is ready, or has ended. False: not in time.
bool read_both(int first, std::string& first_text, int second, std::string& second_text) {
  const auto deadline = std::chrono::steady_clock::now() + kMostStart;
  pollfd wanted[2] = {{first, POLLIN, 0}, {second, POLLIN, 0}};
  std::string* const texts[2] = {&first_text, &second_text};
  while (wanted[0].fd >= 0 || wanted[1].fd >= 0) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (left <= 0) return false;
    if (poll(wanted, 2, static_cast<int>(left)) < 0 && errno != EINTR) return false;
    for (int i = 0; i < 2; ++i) {
      if (wanted[i].fd < 0 || wanted[i].revents == 0) continue;
      char block[4096];
      const ssize_t count = read(wanted[i].fd, block, sizeof block);
      if (count > 0) texts[i]->append(block, static_cast<std::size_t>(count));
      else if (count == 0 || errno != EINTR) wanted[i].fd = -1;
    }
  }
  return true;
}

int end_of(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
  return WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : kFailed;
}

}  // namespace

std::string log_path(const std::string& instance) {
  const auto state = app::state_directory([](const char* name) -> const char* { return std::getenv(name); });
  if (!state) throw Exit{kFailed, "--detach: " + state.error().detail};
  return fmt::format("{}/log/{}.log", *state, instance);
}

int detach(const std::string& instance, Log log, int kept, const std::function<int(const SayReady&)>& serve) {
  std::string path = "/dev/null";
  if (log == Log::keep) {
    path = log_path(instance);
    if (auto made = make_private_folder(path.substr(0, path.rfind('/'))); !made)
      throw Exit{kFailed, "--detach: " + with_way_out(made.error(), "CMUXPROXY_STATE_DIR").detail};
  }
  const int file = log == Log::keep ? open_log(path) : open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0) fail(path + ", where CMUXPROXY_STATE_DIR names another folder");
  const Pipe ready, errors;
  std::fflush(stdout);  // else the child has it, too
  const pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) run_child(ready, errors, file, kept, path, serve);
  close(ready.write);
  close(errors.write);
  std::string line, said;
  const bool in_time = read_both(ready.read, line, errors.read, said);
  if (in_time && line.ends_with('\n')) {
    write_all(file, said);  // warnings, which belong to its log, and to who starts it
    write_all(STDERR_FILENO, said);
    print(line);
    return kOk;
  }
  if (!in_time) kill(child, SIGKILL);
  const int code = end_of(child);
  write_all(STDERR_FILENO, said);
  if (!in_time) throw Exit{kFailed, fmt::format("--detach: it was not ready in {} s, and has been ended", kMostStart.count())};
  return code;
}

}  // namespace cmux::cli
