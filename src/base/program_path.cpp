#include "base/program_path.hpp"

#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "base/platform.hpp"

namespace cmux {

#if CMUX_LINUX

std::string program_path() {
  constexpr const char* kSelf = "/proc/self/exe";
  char path[PATH_MAX];
  const ssize_t size = readlink(kSelf, path, sizeof path);
  const std::string found(path, size > 0 ? static_cast<std::size_t>(size) : 0);
  // The link itself leads to a program whose file was replaced, too, but then that is what ps calls it.
  return access(found.c_str(), X_OK) == 0 ? found : kSelf;
}

void remember_program(const char*) {}

#else

namespace {

std::string& remembered() {
  static std::string path = "cmuxproxy";
  return path;
}

}  // namespace

std::string program_path() { return remembered(); }

// With a slash it is a path; else the shell has found it in PATH (POSIX, Shell Command Language, 2.9.1.1).
void remember_program(const char* first_argument) {
  const std::string_view given = first_argument ? first_argument : "";
  std::error_code failed;
  const auto take = [&](const std::filesystem::path& path) {
    const auto whole = std::filesystem::absolute(path, failed);
    if (failed || access(whole.c_str(), X_OK) != 0) return false;
    remembered() = whole.string();
    return true;
  };
  if (given.find('/') != given.npos) {
    take(given);
    return;
  }
  const char* const variable = std::getenv("PATH");
  for (std::string_view rest = variable ? variable : ""; !rest.empty() && !given.empty();) {
    const std::size_t end = rest.find(':');
    if (take(std::filesystem::path(rest.substr(0, end)) / given)) return;
    if (end == rest.npos) return;
    rest.remove_prefix(end + 1);
  }
}

#endif

}  // namespace cmux
