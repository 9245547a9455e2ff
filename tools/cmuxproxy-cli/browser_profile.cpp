#include "browser_profile.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "admin/instance_file.hpp"
#include "app/settings.hpp"
#include "base/private_folder.hpp"
#include "cli.hpp"

namespace cmux::cli {
namespace {

namespace fs = std::filesystem;

constexpr char kForThisTime = '.';  // begins the names of those that do not stay, which users' names may not
constexpr const char* kLock = "/cmuxproxy.lock";

// -1: somebody else has it, or there is no such folder.
int locked(const std::string& path) {
  const int file = open((path + kLock).c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file >= 0 && flock(file, LOCK_EX | LOCK_NB) == 0) return file;
  const int why = errno;
  if (file >= 0) close(file);
  errno = why;
  return -1;
}

void remove(const std::string& path) {
  std::error_code ignored;
  fs::remove_all(path, ignored);
}

void remove_left(const std::string& folder) {
  std::error_code failed;
  for (const auto& each : fs::directory_iterator(folder, failed)) {
    const std::string path = each.path().string();
    if (each.path().filename().string().front() != kForThisTime) continue;
    const int lock = locked(path);
    if (lock < 0) continue;
    remove(path);
    close(lock);
  }
}

}  // namespace

Profile::Profile(const std::string& name) : kept_(!name.empty()) {
  if (kept_)
    if (const auto good = admin::check_instance_name(name); !good)
      throw Exit{kUsage, "--profile: letters, digits, '.', '_' and '-', 64 at the most, without a dot first"};
  const auto state = app::state_directory([](const char* variable) -> const char* { return std::getenv(variable); });
  if (!state) throw Exit{kFailed, "browser: " + state.error().detail};
  const std::string folder = *state + "/browser";
  if (const auto made = make_private_folder(folder); !made) throw Exit{kFailed, made.error().detail};
  remove_left(folder);
  const std::string path = kept_ ? fmt::format("{}/{}", folder, name) : fmt::format("{}/{}{}", folder, kForThisTime, getpid());
  if (const auto made = make_private_folder(path); !made) throw Exit{kFailed, made.error().detail};
  lock_ = locked(path);
  if (lock_ < 0 && errno == EWOULDBLOCK)
    throw Exit{kFailed, fmt::format("browser: another browser has the profile '{}' open; close it, or take another name", name)};
  if (lock_ < 0) throw Exit{kFailed, fmt::format("browser: {}{}: {}", path, kLock, std::strerror(errno))};
  path_ = path;
}

Profile::~Profile() { drop(); }

void Profile::drop() {
  if (lock_ < 0) return;
  if (!kept_) remove(path_);
  close(std::exchange(lock_, -1));
}

}  // namespace cmux::cli
