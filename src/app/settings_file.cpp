#include "app/settings_file.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

namespace cmux::app {
namespace {

std::string name_of_type(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table: return "a table";
    case toml::node_type::array: return "an array";
    case toml::node_type::string: return "a string";
    case toml::node_type::integer: return "an integer";
    case toml::node_type::floating_point: return "a floating-point number";
    case toml::node_type::boolean: return "a boolean";
    default: return "a date or time";
  }
}

void read_array(const toml::array& array, FileEntry& entry) {
  for (const toml::node& item : array) {
    if (!item.is_string()) {
      entry.type_name = fmt::format("an array that holds {}", name_of_type(item));
      entry.line = item.source().begin.line;
      return;
    }
    entry.texts.push_back(**item.as_string());
  }
  entry.type = FileType::strings;
}

FileEntry read_entry(std::string key, const toml::node& node) {
  FileEntry entry;
  entry.key = std::move(key);
  entry.line = node.source().begin.line;
  entry.type_name = name_of_type(node);
  if (const auto* text = node.as_string()) {
    entry.type = FileType::string;
    entry.texts = {text->get()};
  } else if (const auto* number = node.as_integer()) {
    entry.type = FileType::integer;
    entry.texts = {std::to_string(number->get())};
  } else if (const auto* flag = node.as_boolean()) {
    entry.type = FileType::boolean;
    entry.texts = {flag->get() ? "true" : "false"};
  } else if (const auto* array = node.as_array()) {
    read_array(*array, entry);
  }
  return entry;
}

Result<std::string> read_whole(const std::string& path) {
  const auto refused = [&](const std::string& why) {
    return make_error(Errc::config, fmt::format("{}: cannot be read: {}", path, why));
  };
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return refused("it is a folder");
  const std::ifstream file(path, std::ios::binary);
  if (!file) return refused(std::strerror(errno));
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

Result<std::vector<FileEntry>> read_settings_file(const std::string& path) {
  const auto text = read_whole(path);
  if (!text) return text.error();
  std::vector<FileEntry> entries;
  try {
    for (const auto& [key, node] : toml::parse(*text)) entries.push_back(read_entry(std::string(key.str()), node));
  } catch (const toml::parse_error& error) {
    return make_error(Errc::config, fmt::format("{}:{}: not TOML: {}", path, error.source().begin.line, error.description()));
  }
  std::stable_sort(entries.begin(), entries.end(), [](const FileEntry& a, const FileEntry& b) { return a.line < b.line; });
  return entries;
}

}  // namespace cmux::app
