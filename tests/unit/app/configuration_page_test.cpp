// docs/configuration.md against the table of settings: no flag, variable, key or default is missing or stale.
#include <catch2/catch.hpp>

#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "app/settings_table.hpp"
#include "source.hpp"

using namespace cmux::app;
using Catch::Contains;

namespace {

std::string page() {
  std::ifstream file(source("docs/configuration.md"));
  return {std::istreambuf_iterator<char>(file), {}};
}

// "drain-timeout" as CMUXPROXY_DRAIN_TIMEOUT.
std::string variable_of(std::string name) {
  for (char& c : name) c = c == '-' ? '_' : static_cast<char>(std::toupper(c));
  return "CMUXPROXY_" + name;
}

// The columns of a setting before the one for people.
std::string row_of(const Row& row) {
  std::string argument = row.info.argument;
  for (std::size_t at = 0; (at = argument.find('|', at)) != std::string::npos; at += 2) argument.insert(at, "\\");
  const std::string value = row.print(Settings{});
  return fmt::format("| `--{}{}{}{}` | `{}` | `{}` | {} |", row.info.negated_flag ? "no-" : "", row.info.name,
                     argument.empty() ? "" : " ", argument, variable_of(row.info.name), row.info.name,
                     value.empty() ? std::string("not set") : fmt::format("`{}`", value));
}

}  // namespace

TEST_CASE("configuration: docs/configuration.md has every setting as it is, in the table's order, and no other") {
  std::vector<std::string> rows;
  std::istringstream lines(page());
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| `--")) continue;
    std::size_t end = 0;
    for (int column = 0; column < 5; ++column) {
      end = line.find('|', end);
      while (end > 0 && line[end - 1] == '\\') end = line.find('|', end + 1);
      ++end;
    }
    rows.push_back(line.substr(0, end));
  }
  std::vector<std::string> expected;
  for (const Row& row : setting_rows()) expected.push_back(row_of(row));
  CHECK(rows == expected);
}

TEST_CASE("configuration: docs/configuration.md says which settings need a restart") {
  std::string fixed;
  for (const SettingInfo& info : setting_table())
    if (info.fixed) fixed += fmt::format("{}`{}`", fixed.empty() ? "" : ", ", info.name);
  std::string text = page();
  for (char& c : text)
    if (c == '\n') c = ' ';
  CHECK_THAT(text, Contains("which the log says where they have changed: " + fixed + "."));
}
