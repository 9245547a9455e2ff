// A browser's profile: a folder <state dir>/browser/NAME, locked while a browser of ours uses it. One without a name is for this
// time alone: it goes with the last process that holds it, and what even a SIGKILL of all of them has left goes when the next
// browser is opened. Throws Exit.
#pragma once

#include <string>

namespace cmux::cli {

class Profile {
 public:
  // Empty: one for this time.
  explicit Profile(const std::string& name);
  ~Profile();
  Profile(const Profile&) = delete;
  const std::string& path() const { return path_; }
  // Nobody uses it any more. Its process may have forked: the lock is all of theirs.
  void drop();

 private:
  std::string path_;
  bool kept_ = false;
  int lock_ = -1;
};

}  // namespace cmux::cli
