// The local CA's files: one directory, read and replaced by one process at a time, and never found half replaced. Blocking; for
// start-up and for the command line. Knows paths, modes and owners, and nothing of certificates.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace cmux::tls {

struct AuthorityPaths {
  explicit AuthorityPaths(const std::string& directory)
      : certificate(directory + "/ca.crt"),
        key(directory + "/ca.key"),
        next_certificate(certificate + ".new"),
        next_key(key + ".new"),
        old_certificate(certificate + ".old"),
        lock(directory + "/ca.lock") {}
  std::string certificate, key, next_certificate, next_key, old_certificate, lock;
};

// The CA's directory for as long as this lives. Other processes wait.
class AuthorityFiles {
 public:
  static constexpr std::chrono::milliseconds kMostWait{10'000};  // making a CA takes some milliseconds

  // Makes the directory (0700) where it is missing, and waits for whoever has it. Refuses one that others may write to and that
  // cannot be changed: they could put a CA of their own there.
  static Result<AuthorityFiles> lock(const std::string& directory, std::chrono::milliseconds wait = kMostWait);
  AuthorityFiles(AuthorityFiles&& other) noexcept;
  ~AuthorityFiles();

  const AuthorityPaths& paths() const { return paths_; }

  // A file's text; nothing where there is none.
  static Result<std::optional<std::string>> read(const std::string& path);
  // The same, of a file that nobody else may read: a symbolic link, somebody else's and one with an open mode are refused, with
  // what to do about it.
  static Result<std::optional<std::string>> read_secret(const std::string& path);

  // Both files for those that are there, of which the certificate is kept as ca.crt.old, for people to find it in trust stores.
  // The old key is not kept. What survives a crash is the old pair, or the new certificate with ca.key.new: see finish().
  Result<void> replace(std::string_view certificate, std::string_view key, std::string_view old_certificate);
  // The rest of a replace() that got as far as the new certificate.
  Result<void> finish();
  // Removes what a replace() that got less far has left.
  void drop_unfinished();

 private:
  explicit AuthorityFiles(const std::string& directory) : directory_(directory), paths_(directory) {}
  Result<void> sync_directory() const;

  std::string directory_;
  AuthorityPaths paths_;
  int lock_ = -1;
};

}  // namespace cmux::tls
