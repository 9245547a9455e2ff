// Child processes, and what the tests need of the system around them.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <poll.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "harness.hpp"

extern char** environ;

namespace e2e {
namespace {

using Time = std::chrono::steady_clock;

// Variables that would change what the programs do.
bool is_unwanted(std::string_view variable) {
  const std::string_view name = variable.substr(0, variable.find('='));
  if (name.starts_with("CMUXPROXY_")) return true;
  return name.size() >= 6 && strncasecmp(name.data() + name.size() - 6, "_proxy", 6) == 0;
}

std::string name_of(const std::string& variable) { return variable.substr(0, variable.find('=') + 1); }

Strings with_environment(const Strings& additions) {
  Strings out;
  for (char** each = environ; *each; ++each)
    if (!is_unwanted(*each)) out.emplace_back(*each);
  for (const std::string& addition : additions) {
    std::erase_if(out, [&](const std::string& old) { return old.starts_with(name_of(addition)); });
    out.push_back(addition);
  }
  return out;
}

std::vector<char*> pointers(const Strings& strings) {
  std::vector<char*> out;
  for (const std::string& each : strings) out.push_back(const_cast<char*>(each.c_str()));
  out.push_back(nullptr);
  return out;
}

pid_t spawn(const Strings& argv, const Strings& environment, int in, int out, int err) {
  const Strings variables = with_environment(environment);
  const std::vector<char*> arguments = pointers(argv), all = pointers(variables);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that crashes leaves nothing behind
    if (getppid() != parent) _exit(126);
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) _exit(126);
    execvpe(arguments[0], arguments.data(), all.data());
    dprintf(2, "%s: %s\n", arguments[0], std::strerror(errno));
    _exit(127);
  }
  if (child < 0) FAIL("fork: " << std::strerror(errno));
  return child;
}

int memory_file(std::string_view text = {}) {
  const int fd = memfd_create("e2e", MFD_CLOEXEC);
  if (fd < 0) FAIL("memfd_create: " << std::strerror(errno));
  while (!text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    if (count < 0) FAIL("write: " << std::strerror(errno));
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  lseek(fd, 0, SEEK_SET);
  return fd;
}

std::string text_of(int fd) {
  std::string text;
  char block[65536];
  for (off_t at = 0;;) {
    const ssize_t count = pread(fd, block, sizeof block, at);
    if (count <= 0) return text;
    text.append(block, static_cast<std::size_t>(count));
    at += count;
  }
}

int code_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status); }

void close_fd(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

// The number after `key` in a file of /proc.
std::size_t proc_number(pid_t pid, const char* file, std::string_view key) {
  std::ifstream in(fmt::format("/proc/{}/{}", pid, file));
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(key)) return std::stoul(line.substr(key.size()));
  FAIL("no " << key << " in /proc/" << pid << "/" << file);
  return 0;
}

}  // namespace

namespace {

// The build whose programs are tested: another preset's, where ctest of that one runs this very binary.
std::string build_folder() {
  const char* const other = std::getenv("CMUX_E2E_BUILD");
  return other ? other : CMUX_BUILD;
}

}  // namespace

const std::string& binary() {
  static const std::string path = build_folder() + "/cmuxproxy";
  return path;
}

std::string fixture(std::string_view name) { return fmt::format("{}/fixtures/{}", build_folder(), name); }
std::string source(std::string_view relative) { return fmt::format("{}/{}", CMUX_SOURCE, relative); }

const std::string& pki() {
  static const TempDir folder;
  static const std::string path = [] {
    const Run made = run({"/bin/sh", source("fixtures/certs.sh"), folder.path});
    if (made.exit != 0) FAIL("certs.sh: " << made.err);
    return folder.path;
  }();
  return path;
}

bool eventually(const std::function<bool()>& predicate, milliseconds limit) {
  const auto deadline = Time::now() + limit;
  while (!predicate()) {
    if (Time::now() >= deadline) return false;
    std::this_thread::sleep_for(20ms);  // style: between two looks
  }
  return true;
}

std::string base64(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) FAIL("cannot read " << path);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

void write_file(const std::string& path, std::string_view text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
  out.close();
  if (!out) FAIL("cannot write " << path);
}

TempDir::TempDir() : path((std::filesystem::temp_directory_path() / "cmux-e2e-XXXXXX").string()) {
  if (!mkdtemp(path.data())) FAIL("mkdtemp: " << std::strerror(errno));
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

Process::~Process() {
  if (running()) {
    kill(pid_, SIGKILL);
    reap(true);
  }
  for (int* fd : {&stdin_, &stdout_, &stderr_}) close_fd(*fd);
}

void Process::start(const Strings& argv, const Strings& environment, Stdin input, int error) {
  if (pid_ > 0) FAIL("started twice: " << argv.front());
  name_ = argv.front();
  int in[2] = {-1, -1}, out[2];
  if (pipe2(out, O_CLOEXEC) != 0 || (input == Stdin::pipe && pipe2(in, O_CLOEXEC) != 0)) FAIL("pipe: " << std::strerror(errno));
  if (input == Stdin::none) in[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
  stderr_ = memory_file();
  pid_ = spawn(argv, environment, in[0], out[1], error < 0 ? stderr_ : error);
  ::close(in[0]);
  ::close(out[1]);
  stdin_ = in[1];
  stdout_ = out[0];
}

bool Process::reap(bool wait_for_it) {
  if (ended_ || pid_ <= 0) return true;
  pid_t got = 0;
  do got = waitpid(pid_, &status_, wait_for_it ? 0 : WNOHANG);
  while (got < 0 && errno == EINTR);
  ended_ = got != 0;
  return ended_;
}

bool Process::running() { return pid_ > 0 && !reap(false); }

std::string Process::read_line(milliseconds timeout) {
  const auto deadline = Time::now() + timeout;
  while (true) {
    const std::size_t end = out_.find('\n');
    if (end != std::string::npos) {
      const std::string line = out_.substr(0, end);
      out_.erase(0, end + 1);
      return line;
    }
    const auto left = std::chrono::ceil<milliseconds>(deadline - Time::now()).count();
    pollfd wanted{stdout_, POLLIN, 0};
    const int ready = left > 0 ? poll(&wanted, 1, static_cast<int>(left)) : 0;
    if (ready < 0 && errno == EINTR) continue;
    char block[4096];
    const ssize_t count = ready > 0 ? ::read(stdout_, block, sizeof block) : -1;
    if (count > 0) out_.append(block, static_cast<std::size_t>(count));
    else
      FAIL(name_ << (ready > 0 ? " ended its output" : " printed nothing in time") << "; so far: '" << out_ << "', on stderr:\n"
                 << stderr_text());
  }
}

int Process::wait(milliseconds timeout) {
  const auto deadline = Time::now() + timeout;
  for (auto pause = 1ms; !reap(false); pause = std::min(pause * 2, milliseconds(20))) {
    if (Time::now() >= deadline) FAIL(name_ << " (pid " << pid_ << ") does not end; on stderr:\n" << stderr_text());
    std::this_thread::sleep_for(pause);  // style: between two looks
  }
  return code_of(status_);
}

int Process::stop(int number, milliseconds timeout) {
  signal(number);
  return wait(timeout);
}

void Process::signal(int number) {
  if (running()) kill(pid_, number);
}

void Process::close_stdin() { close_fd(stdin_); }

std::string Process::stderr_text() const { return stderr_ < 0 ? std::string() : text_of(stderr_); }

std::size_t Process::fds() const {
  std::size_t count = 0;
  std::error_code failed;
  for (const auto& each : std::filesystem::directory_iterator(fmt::format("/proc/{}/fd", pid_), failed)) {
    (void)each;
    ++count;
  }
  if (failed) FAIL("/proc/" << pid_ << "/fd: " << failed.message());
  return count;
}

std::size_t Process::anonymous_kb() const { return proc_number(pid_, "smaps_rollup", "Anonymous:"); }
std::size_t Process::peak_kb() const { return proc_number(pid_, "status", "VmHWM:"); }

boost::json::value Run::json() const {
  boost::json::error_code failed;
  boost::json::value value = boost::json::parse(out, failed);
  if (failed) FAIL("no JSON (" << failed.message() << "): '" << out << "', on stderr:\n" << err);
  return value;
}

Run run(const Strings& argv, const Strings& environment, std::string_view input, milliseconds timeout) {
  int in = memory_file(input), out = memory_file(), err = memory_file();
  const pid_t child = spawn(argv, environment, in, out, err);
  const auto deadline = Time::now() + timeout;
  int status = 0;
  bool late = false;
  for (auto pause = 1ms; waitpid(child, &status, WNOHANG) == 0; pause = std::min(pause * 2, milliseconds(20))) {
    if (!late && Time::now() >= deadline) late = kill(child, SIGKILL) == 0;
    std::this_thread::sleep_for(pause);  // style: between two looks
  }
  Run done{code_of(status), text_of(out), text_of(err)};
  for (int* fd : {&in, &out, &err}) close_fd(*fd);
  if (late) FAIL(fmt::format("{} does not end; it printed '{}', and on stderr:\n{}", argv.front(), done.out, done.err));
  return done;
}

}  // namespace e2e
