// A settings file as a list of keys and values with their lines. Knows TOML and nothing of what the settings are.
#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"

namespace cmux::app {

enum class FileType { string, integer, boolean, strings, other };

struct FileEntry {
  std::string key;
  unsigned line = 0;
  FileType type = FileType::other;
  std::string type_name;           // for people: "an integer"
  std::vector<std::string> texts;  // the value; one text but for arrays; none for FileType::other
};

// The entries of the top level in the order of their lines. Errors (Errc::config) begin with "<path>:<line>: " or "<path>: ".
Result<std::vector<FileEntry>> read_settings_file(const std::string& path);

}  // namespace cmux::app
