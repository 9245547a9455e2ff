#include "base/program_path.hpp"

#include <unistd.h>

#include <climits>

#include "base/platform.hpp"

namespace cmux {

std::string program_path() {
#if CMUX_LINUX
  constexpr const char* kSelf = "/proc/self/exe";
  char path[PATH_MAX];
  const ssize_t size = readlink(kSelf, path, sizeof path);
  const std::string found(path, size > 0 ? static_cast<std::size_t>(size) : 0);
  // The link itself leads to a program whose file was replaced, too, but then that is what ps calls it.
  return access(found.c_str(), X_OK) == 0 ? found : kSelf;
#else
  return "cmuxproxy";
#endif
}

}  // namespace cmux
