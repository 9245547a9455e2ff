// Instance files: how the CLI finds a running `serve`. <runtime dir>/<instance>.json, mode 0600, removed at exit.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/error.hpp"

namespace cmux::admin {

struct InstanceRecord {
  std::string name;
  pid_t pid = 0;
  std::string proxy;  // "127.0.0.1:39385"
  std::string admin;  // "http://127.0.0.1:40001" or "unix:/path"
  std::string token;
};

// $CMUXPROXY_RUNTIME_DIR, else $XDG_RUNTIME_DIR/cmuxproxy, else ~/.cmuxproxy/run.
Result<std::string> runtime_directory();
// Letters, digits, '.', '_' and '-', not starting with '.', 64 at the most.
Result<void> check_instance_name(std::string_view name);

// Of an instance that runs: it holds the file's lock. Errc::closed: none of that name does (no file, or a stale one).
// Errc::config: the file cannot be read, or others could have put it there.
Result<InstanceRecord> read_instance(std::string_view name);

// Holds the name for this process: creates the directory (0700), refuses one that others may write to, refuses where a live
// instance has the name (Errc::limit, detail names its pid), replaces a stale file. Two processes that start together: one wins
// (an flock on <instance>.lock).
class InstanceFile {
 public:
  static Result<InstanceFile> claim(std::string_view name);
  Result<void> write(const InstanceRecord& record);  // atomically: readers see all of it or none
  InstanceFile(InstanceFile&& other) noexcept;
  ~InstanceFile();  // removes the file, releases the name

 private:
  InstanceFile() = default;
  std::string path_;
  int lock_ = -1;
  int record_ = -1;  // the written file, locked
};

}  // namespace cmux::admin
