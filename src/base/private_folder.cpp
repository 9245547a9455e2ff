#include "base/private_folder.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

#include <fmt/format.h>

namespace cmux {

Result<void> make_private_folder(const std::string& path) {
  const std::filesystem::path whole(path);
  std::filesystem::path made;
  for (const auto& part : whole) {
    made /= part;
    // What cannot be made in the middle shows at the end: a folder that may not be written to can still hold one that may.
    if (mkdir(made.c_str(), 0700) != 0 && errno != EEXIST && made == whole)
      return from_errno(errno, fmt::format("cannot make {}", path));
  }
  return {};
}

Error with_way_out(Error error, std::string_view variable) {
  error.detail += fmt::format("; {} names another folder", variable);
  return error;
}

}  // namespace cmux
