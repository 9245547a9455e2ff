// docs/limits.md is made from the table in limits_table_*.cpp, with the values that the sources and the settings have: change
// one, and this test says so; with CMUX_UPDATE_DOCS=1 in the environment it writes the page anew. Every setting that is a limit
// or a time, and every constant that is called kMost…, kMax… or kLongest…, has a row there, or a reason why not.
#include <catch2/catch.hpp>

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>

#include "app/limits_table.hpp"
#include "app/settings_table.hpp"
#include "source.hpp"

namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Sums of products of numbers.
std::uint64_t worth(std::string text) {
  std::erase_if(text, [](char c) { return c == '\'' || c == ' '; });
  std::uint64_t sum = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('+', at), text.size());
    std::uint64_t product = 1;
    while (at < end) {
      const std::size_t star = std::min(text.find('*', at), end);
      product *= std::stoull(text.substr(at, star - at));
      at = star + 1;
    }
    sum += product;
    at = end + 1;
  }
  return sum;
}

std::string shown(std::uint64_t value, Unit unit) {
  switch (unit) {
    case Unit::ms: return value % 1000 == 0 ? fmt::format("{} s", value / 1000) : fmt::format("{} ms", value);
    case Unit::s: return fmt::format("{} s", value);
    case Unit::bytes:
      if (value % (1024 * 1024) == 0) return fmt::format("{} MB", value / 1024 / 1024);
      return value % 1024 == 0 ? fmt::format("{} KB", value / 1024) : fmt::format("{} bytes", value);
    case Unit::count: break;
  }
  return fmt::format("{}", value);
}

std::vector<Bound> all_bounds() {
  std::vector<Bound> out = kTrafficBounds;
  for (const auto& more : {kInstanceBounds, kGatewayBounds}) out.insert(out.end(), more.begin(), more.end());
  return out;
}

std::string value_of(const Bound& bound) {
  if (bound.place.starts_with("--")) {
    for (const cmux::app::Row& row : cmux::app::setting_rows()) {
      if (row.info.name != bound.place.substr(2)) continue;
      std::string value = row.print(cmux::app::Settings{});
      std::erase(value, '"');
      return value;
    }
    FAIL("there is no setting " << bound.place);
  }
  const std::size_t colon = bound.place.find(": ");
  const std::string text = text_of(source("src/" + bound.place.substr(0, colon)));
  const std::regex wanted("\\b" + bound.place.substr(colon + 2) + "\\s*[={]\\s*([0-9][0-9'*+ ]*)");
  std::smatch found;
  if (!std::regex_search(text, found, wanted)) FAIL("nothing has that value: " << bound.place);
  return shown(worth(found[1]), bound.unit);
}

std::string made_page() {
  std::string out =
      "# Limits\n\n"
      "Every limit and every time, what it is by default, and what happens at its edge. A flag in the second column changes it\n"
      "([configuration.md](configuration.md)); the others stand in the file that the column names, below `src/`. The last column "
      "names the\n"
      "tests that go to the edge. This page is made from the table in `tests/unit/app/limits_page_test.cpp`, which holds it "
      "against the\n"
      "program.\n";
  for (const Bound& bound : all_bounds()) {
    if (bound.place.empty()) {
      out += fmt::format("\n## {}\n\n| limit | set by | is | at its edge | tests |\n|---|---|---|---|---|\n", bound.what);
      continue;
    }
    std::string tests;
    for (const std::string& test : bound.tests) tests += fmt::format("{}`{}`", tests.empty() ? "" : ", ", test);
    out += fmt::format("| {} | `{}` | {} | {} | {} |\n", bound.what, bound.place, value_of(bound), bound.edge, tests);
  }
  return out;
}

std::set<std::string> places() {
  std::set<std::string> out;
  for (const Bound& bound : all_bounds())
    if (!bound.place.empty()) {
      INFO(bound.place);
      CHECK(out.insert(bound.place).second);
    }
  return out;
}

}  // namespace

TEST_CASE("limits: docs/limits.md is what the program has") {
  const std::string page = made_page(), path = source("docs/limits.md");
  if (std::getenv("CMUX_UPDATE_DOCS")) std::ofstream(path) << page;
  INFO("CMUX_UPDATE_DOCS=1 writes it anew");
  CHECK(text_of(path) == page);
}

TEST_CASE("limits: every one has a row") {
  const std::set<std::string> rows = places();
  for (const cmux::app::SettingInfo& setting : cmux::app::setting_table())
    if (setting.argument == "TIME" || setting.argument == "BYTES" || setting.name.starts_with("max-")) {
      INFO(setting.name);
      CHECK(rows.contains("--" + setting.name));
    }
  const std::regex declared(R"(\b(k(?:Most|Max|Longest)\w*)\s*(?:=[^=]|\{))");
  const fs::path root = source("src");
  std::set<std::string> seen;
  for (const auto& each : fs::recursive_directory_iterator(root)) {
    if (each.path().extension() != ".cpp" && each.path().extension() != ".hpp") continue;
    const std::string text = text_of(each.path());
    for (std::sregex_iterator at(text.begin(), text.end(), declared); at != std::sregex_iterator(); ++at)
      seen.insert(fmt::format("{}: {}", fs::relative(each.path(), root).string(), (*at)[1].str()));
  }
  for (const std::string& place : seen) {
    INFO(place << ": a limit needs its row in the table of this test, with what happens at its edge");
    CHECK((rows.contains(place) || kNoBounds.contains(place)));
  }
  for (const std::string& place : kNoBounds) {
    INFO(place);
    CHECK(seen.contains(place));
  }
}
