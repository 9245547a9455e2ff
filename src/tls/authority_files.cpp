#include "tls/authority_files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <thread>
#include <utility>

#include "base/log.hpp"
#include "base/private_folder.hpp"

namespace cmux::tls {
namespace {

constexpr std::size_t kMostBytes = 64 * 1024;  // a certificate has about one
constexpr mode_t kOthersUse = 0077, kOthersWrite = 0022;

struct Descriptor {
  int number = -1;
  ~Descriptor() {
    if (number >= 0) close(number);
  }
};

Error failed(int number, std::string_view doing, const std::string& path) {
  return from_errno(number, fmt::format("{} {}", doing, path));
}

Error cannot_write(int number, const std::string& path) {
  return with_way_out(failed(number, "cannot write", path), "CMUXPROXY_STATE_DIR");
}

Result<void> make_directory(const std::string& path) {
  if (auto made = make_private_folder(path); !made) return with_way_out(made.error(), "CMUXPROXY_STATE_DIR");
  const Descriptor held{open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  struct stat status {};
  if (held.number < 0 || fstat(held.number, &status) != 0) return failed(errno, "cannot open the state directory", path);
  if ((status.st_mode & kOthersWrite) == 0) return {};
  // A sticky one is shared on purpose, such as /tmp, and nothing to change the mode of.
  const bool own = status.st_uid == geteuid() && (status.st_mode & S_ISVTX) == 0;
  if (!own || fchmod(held.number, (status.st_mode & 07777) & ~kOthersWrite) != 0)
    return make_error(Errc::config, fmt::format("other users may write to the state directory {}, and could put a CA of their "
                                                "own there; set CMUXPROXY_STATE_DIR to a directory of yours",
                                                path));
  log::warn("other users could write to the state directory {}: this has been switched off", path);
  return {};
}

Result<std::string> read_all(int descriptor, const std::string& path) {
  std::string text;
  char block[4096];
  while (text.size() <= kMostBytes) {
    const ssize_t count = ::read(descriptor, block, sizeof block);
    if (count < 0 && errno == EINTR) continue;
    const int number = errno;
    if (count > 0) text.append(block, static_cast<std::size_t>(count));
    OPENSSL_cleanse(block, sizeof block);
    if (count < 0) return failed(number, "cannot read", path);
    if (count == 0) return text;
  }
  return make_error(Errc::config, fmt::format("{} is too large for what it should be", path));
}

Result<std::optional<std::string>> read_file(const std::string& path, bool secret) {
  // A pipe must not hold the start, and a secret is where it seems to be.
  const Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | (secret ? O_NOFOLLOW : 0))};
  if (file.number < 0 && errno == ENOENT) return std::optional<std::string>();
  if (file.number < 0 && errno == ELOOP)
    return make_error(Errc::config,
                      fmt::format("{} is a symbolic link; put the file itself there, or set CMUXPROXY_STATE_DIR to the "
                                  "directory that holds it",
                                  path));
  struct stat status {};
  if (file.number < 0 || fstat(file.number, &status) != 0) return failed(errno, "cannot read", path);
  if (!S_ISREG(status.st_mode)) return make_error(Errc::config, fmt::format("{} is no file", path));
  if (secret && status.st_uid != geteuid())
    return make_error(Errc::config, fmt::format("{} belongs to another user; run as that user, or set CMUXPROXY_STATE_DIR to "
                                                "a directory of yours",
                                                path));
  if (secret && (status.st_mode & kOthersUse) != 0)
    return make_error(Errc::config,
                      fmt::format("other users may have read {}: if none has, chmod 600 it; else remove it and ca.crt, "
                                  "and a new CA is made",
                                  path));
  auto text = read_all(file.number, path);
  if (!text) return text.error();
  return std::optional<std::string>(std::move(*text));
}

Result<void> write_new(const std::string& path, std::string_view text, mode_t mode) {
  unlink(path.c_str());  // of a process that did not come to its end
  const Descriptor file{open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)};
  if (file.number < 0) return cannot_write(errno, path);
  while (!text.empty()) {
    const ssize_t count = ::write(file.number, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return cannot_write(errno, path);
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  if (fsync(file.number) != 0) return cannot_write(errno, path);
  return {};
}

Result<void> move_file(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) return cannot_write(errno, to);
  return {};
}

}  // namespace

Result<AuthorityFiles> AuthorityFiles::lock(const std::string& directory, std::chrono::milliseconds wait) {
  if (auto made = make_directory(directory); !made) return made.error();
  AuthorityFiles files(directory);
  const std::string& path = files.paths_.lock;
  files.lock_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (files.lock_ < 0) {
    // Nobody replaces files where nobody can write: a CA that is already there needs no lock.
    if (errno == EROFS || errno == EACCES) return Result<AuthorityFiles>(std::move(files));
    return failed(errno, "cannot open", path);
  }
  const auto start = std::chrono::steady_clock::now();
  while (flock(files.lock_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return failed(errno, "cannot lock", path);
    if (std::chrono::steady_clock::now() - start > wait)
      return make_error(Errc::system, fmt::format("another process holds {} and does not let go of it", path));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));  // style: before any loop runs; flock(2) has no time limit
  }
  return Result<AuthorityFiles>(std::move(files));
}

AuthorityFiles::AuthorityFiles(AuthorityFiles&& other) noexcept
    : directory_(std::move(other.directory_)), paths_(std::move(other.paths_)), lock_(std::exchange(other.lock_, -1)) {}

AuthorityFiles::~AuthorityFiles() {
  if (lock_ >= 0) close(lock_);
}

Result<std::optional<std::string>> AuthorityFiles::read(const std::string& path) { return read_file(path, false); }
Result<std::optional<std::string>> AuthorityFiles::read_secret(const std::string& path) { return read_file(path, true); }

// The rename of the certificate is the moment at which the new pair is the one: before it, ca.key and ca.crt are the old pair;
// after it ca.key.new is complete on disk and fits ca.crt.
Result<void> AuthorityFiles::replace(std::string_view certificate, std::string_view key, std::string_view old_certificate) {
  if (auto done = write_new(paths_.next_key, key, 0600); !done) return done;
  if (!old_certificate.empty()) {
    if (auto done = write_new(paths_.next_certificate, old_certificate, 0644); !done) return done;
    if (auto done = move_file(paths_.next_certificate, paths_.old_certificate); !done) return done;
  }
  if (auto done = write_new(paths_.next_certificate, certificate, 0644); !done) return done;
  if (auto done = sync_directory(); !done) return done;
  if (auto done = move_file(paths_.next_certificate, paths_.certificate); !done) return done;
  return finish();
}

Result<void> AuthorityFiles::finish() {
  if (auto done = sync_directory(); !done) return done;
  if (auto done = move_file(paths_.next_key, paths_.key); !done) return done;
  return sync_directory();
}

void AuthorityFiles::drop_unfinished() {
  unlink(paths_.next_key.c_str());
  unlink(paths_.next_certificate.c_str());
}

Result<void> AuthorityFiles::sync_directory() const {
  const Descriptor held{open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  // EINVAL: the file system has no such thing.
  if (held.number < 0 || (fsync(held.number) != 0 && errno != EINVAL)) return cannot_write(errno, directory_);
  return {};
}

}  // namespace cmux::tls
