#include "admin/instance_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>
#include <cstdlib>
#include <limits>
#include <utility>

#include "base/private_folder.hpp"

namespace cmux::admin {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostBytes = 64 * 1024;  // an instance file has a few hundred

struct Descriptor {
  int number = -1;
  ~Descriptor() {
    if (number >= 0) close(number);
  }
};

const char* variable(const char* name) {
  const char* const value = std::getenv(name);
  return value && *value ? value : nullptr;
}

std::string path_in(std::string_view directory, std::string_view name, std::string_view ending) {
  return fmt::format("{}/{}.{}", directory, name, ending);
}

std::string text_of(const json::object& object, json::string_view key) {
  const json::value* const value = object.if_contains(key);
  if (!value || !value->is_string()) return {};
  const json::string& text = value->get_string();
  return {text.data(), text.size()};
}

Error elsewhere(Error error) { return with_way_out(std::move(error), "CMUXPROXY_RUNTIME_DIR"); }

Result<std::string> read_text(int descriptor, const std::string& path) {
  std::string text;
  char block[4096];
  while (text.size() <= kMostBytes) {
    const ssize_t count = ::read(descriptor, block, sizeof block);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return from_errno(errno, fmt::format("read {}", path));
    if (count == 0) return text;
    text.append(block, static_cast<std::size_t>(count));
  }
  return make_error(Errc::config, fmt::format("{} is no instance file: it is too large", path));
}

Result<InstanceRecord> parse_record(const std::string& text, const std::string& path, std::string_view name) {
  json::error_code failed;
  const json::value value = json::parse(text, failed);
  const json::object* const object = failed ? nullptr : value.if_object();
  const auto bad = [&] { return make_error(Errc::config, fmt::format("{} is no instance file", path)); };
  if (!object) return bad();
  InstanceRecord record;
  record.name = name;
  const json::value* const pid = object->if_contains("pid");
  const std::int64_t* const number = pid ? pid->if_int64() : nullptr;
  if (!number || *number < 1 || *number > std::numeric_limits<pid_t>::max()) return bad();
  record.pid = static_cast<pid_t>(*number);
  record.proxy = text_of(*object, "proxy");
  record.admin = text_of(*object, "admin");
  record.token = text_of(*object, "token");
  if (record.proxy.empty() || record.admin.empty() || record.token.empty()) return bad();
  return record;
}

Error not_ours(const std::string& path) {
  return make_error(Errc::config,
                    fmt::format("{} must be a folder of yours that nobody else may write to: whoever can might pose "
                                "as an instance, and get its secrets; chmod go-w it, or set CMUXPROXY_RUNTIME_DIR to "
                                "another one",
                                path));
}

Result<void> check_directory(const std::string& path) {
  const Descriptor folder{open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (folder.number < 0 && errno == ENOENT) return {};
  struct stat status {};
  if (folder.number < 0 || fstat(folder.number, &status) != 0)
    return make_error(Errc::config, from_errno(errno, fmt::format("open {}", path)).detail);
  if (status.st_uid != geteuid() || (status.st_mode & 0022) != 0) return not_ours(path);
  return {};
}

struct Found {
  InstanceRecord record;
  bool runs = false;  // its process holds the file's lock: the record is that of a living instance
};

// A process number proves nothing, it may be somebody else's by now. The lock does: it is on this very file, from before it had
// its name, and the system lets go of it when the process ends.
Result<Found> read_record(const std::string& path, std::string_view name) {
  const Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
  if (file.number < 0 && errno == ENOENT) return make_error(Errc::closed, fmt::format("no instance '{}' is running", name));
  if (file.number < 0) return make_error(Errc::config, from_errno(errno, fmt::format("open {}", path)).detail);
  struct stat status {};
  // Somebody else's file could send the secrets of routes to an impostor.
  if (fstat(file.number, &status) != 0 || status.st_uid != geteuid())
    return make_error(Errc::config, fmt::format("{} belongs to another user", path));
  auto text = read_text(file.number, path);
  if (!text) return text.error();
  auto record = parse_record(*text, path, name);
  if (!record) return record.error();
  const bool held = flock(file.number, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  return Found{std::move(*record), held};
}

// A process that ends removes its lock file, so the file that was locked may be no longer the one that the path names.
bool is_file_at(int descriptor, const std::string& path) {
  struct stat held {
  }, named{};
  return fstat(descriptor, &held) == 0 && stat(path.c_str(), &named) == 0 && held.st_ino == named.st_ino &&
         held.st_dev == named.st_dev;
}

Error taken(const std::string& path, std::string_view name) {
  const auto holder = read_record(path, name);
  const std::string who =
      holder && holder->runs ? fmt::format("with pid {}", holder->record.pid) : std::string("and is starting or stopping");
  return make_error(Errc::limit,
                    fmt::format("instance '{}' is already running, {}; choose another name with --instance", name, who));
}

Result<void> write_all_text(int descriptor, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t count = ::write(descriptor, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return elsewhere(from_errno(errno, fmt::format("write {}", path)));
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

}  // namespace

Result<std::string> runtime_directory() {
  if (const char* const own = variable("CMUXPROXY_RUNTIME_DIR")) return std::string(own);
  if (const char* const xdg = variable("XDG_RUNTIME_DIR")) return std::string(xdg) + "/cmuxproxy";
  if (const char* const home = variable("HOME")) return std::string(home) + "/.cmuxproxy/run";
  return make_error(Errc::config, "no runtime directory: set CMUXPROXY_RUNTIME_DIR, XDG_RUNTIME_DIR or HOME");
}

Result<void> check_instance_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  };
  bool good = !name.empty() && name.size() <= 64 && name.front() != '.';
  for (const char c : name) good = good && allowed(c);
  if (good) return {};
  return make_error(Errc::config,
                    "an instance's name is made of letters, digits, '.', '_' and '-', 64 at the most, without a dot first");
}

Result<InstanceRecord> read_instance(std::string_view name) {
  if (auto checked = check_instance_name(name); !checked) return checked.error();
  const auto directory = runtime_directory();
  if (!directory) return directory.error();
  if (auto checked = check_directory(*directory); !checked) return checked.error();
  auto found = read_record(path_in(*directory, name, "json"), name);
  if (!found) return found.error();
  if (found->runs) return std::move(found->record);
  return make_error(Errc::closed, fmt::format("no instance '{}' is running (pid {} has ended)", name, found->record.pid));
}

Result<InstanceFile> InstanceFile::claim(std::string_view name) {
  if (auto checked = check_instance_name(name); !checked) return checked.error();
  const auto directory = runtime_directory();
  if (!directory) return directory.error();
  if (auto made = make_private_folder(*directory); !made) return elsewhere(made.error());
  if (auto checked = check_directory(*directory); !checked) return checked.error();
  const std::string lock_path = path_in(*directory, name, "lock");
  InstanceFile file;
  file.path_ = path_in(*directory, name, "json");
  for (int attempt = 0; attempt < 100; ++attempt) {
    file.lock_ = open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file.lock_ < 0) return elsewhere(from_errno(errno, fmt::format("open {}", lock_path)));
    if (flock(file.lock_, LOCK_EX | LOCK_NB) != 0) {
      const int number = errno;
      close(std::exchange(file.lock_, -1));  // it is another's, and not removed
      if (number == EWOULDBLOCK) return taken(file.path_, name);
      return from_errno(number, fmt::format("lock {}", lock_path));
    }
    if (is_file_at(file.lock_, lock_path)) {
      unlink(file.path_.c_str());  // stale: who holds the lock is the only one
      return Result<InstanceFile>(std::move(file));
    }
    close(std::exchange(file.lock_, -1));
  }
  return make_error(Errc::system, fmt::format("{} changes all the time", lock_path));
}

Result<void> InstanceFile::write(const InstanceRecord& record) {
  json::object object;
  object["pid"] = record.pid;
  object["proxy"] = record.proxy;
  object["admin"] = record.admin;
  object["token"] = record.token;
  const std::string temporary = fmt::format("{}.{}.tmp", path_, getpid());
  unlink(temporary.c_str());  // of a process that had this pid before
  Descriptor file{open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (file.number < 0) return elsewhere(from_errno(errno, fmt::format("write {}", temporary)));
  if (flock(file.number, LOCK_EX | LOCK_NB) != 0) return from_errno(errno, fmt::format("lock {}", temporary));
  auto written = write_all_text(file.number, json::serialize(object) + "\n", temporary);
  if (written && rename(temporary.c_str(), path_.c_str()) != 0) written = from_errno(errno, fmt::format("write {}", path_));
  if (written) record_ = std::exchange(file.number, -1);
  else unlink(temporary.c_str());
  return written;
}

InstanceFile::InstanceFile(InstanceFile&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)), record_(std::exchange(other.record_, -1)) {}

InstanceFile::~InstanceFile() {
  if (lock_ < 0) return;
  if (record_ >= 0) {
    unlink(path_.c_str());
    close(record_);
  }
  // Removed while it is locked: whoever has opened it meanwhile sees in claim() that it is gone, and opens it anew.
  unlink((path_.substr(0, path_.size() - 4) + "lock").c_str());
  close(lock_);
}

}  // namespace cmux::admin
