// docs/security.md names the test that holds each defence, docs/limits.md those that go to a limit's edge, docs/conformance.md
// those that show a requirement met: those tests exist. (Rows of the table of HTTP/1 that it names: tests/e2e/h1_table_test.cpp.)
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "source.hpp"

namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Every test's source in one text. The folder of somebody else's packages is left out.
std::string all_tests() {
  std::string out;
  for (auto each = fs::recursive_directory_iterator(source("tests")); each != fs::recursive_directory_iterator(); ++each) {
    if (each->path().filename() == "node_modules") each.disable_recursion_pending();
    else if (each->path().extension() == ".cpp" || each->path().extension() == ".mjs") out += text_of(each->path());
  }
  return out;
}

}  // namespace

TEST_CASE("pages that name tests name such as exist, one in every row at least") {
  struct Page {
    std::string path;
    std::vector<std::string_view> instead;  // words that a row may have in the place of a test
    std::size_t least;
  };
  const std::vector<Page> pages = {{"docs/security.md", {}, 40},
                                   {"docs/limits.md", {}, 100},
                                   {"docs/conformance.md", {"h1 table", "messages", "ecided"}, 130}};
  const std::string tests = all_tests();
  const auto exists = [&](const std::string& name) {
    const bool begins = name.ends_with("…");
    const std::string text = name.substr(0, name.size() - (begins ? std::string_view("…").size() : 0)) + (begins ? "" : "\"");
    return tests.find("TEST_CASE(\"" + text) != std::string::npos || tests.find("test('" + name + "'") != std::string::npos;
  };
  for (const Page& page : pages) {
    INFO(page.path);
    std::ifstream file(source(page.path));
    REQUIRE(file.good());
    std::size_t named = 0;
    bool row = false;
    for (std::string line; std::getline(file, line);) {
      if (!line.starts_with("|")) row = false;
      if (!std::exchange(row, line.starts_with("|---") || (row && line.starts_with("|"))) || line.starts_with("|---")) continue;
      INFO(line);
      REQUIRE(line.ends_with(" |"));
      std::string cell = line.substr(line.rfind(" | ", line.size() - 3) + 3);
      const std::size_t before = named;
      for (std::size_t open = cell.find('`'); open != std::string::npos; open = cell.find('`')) {
        const std::size_t close = cell.find('`', open + 1);
        REQUIRE(close != std::string::npos);
        const std::string name = cell.substr(open + 1, close - open - 1);
        INFO(name);
        CHECK(exists(name));
        cell.erase(0, close + 1);
        ++named;
      }
      const auto says = [&](std::string_view words) { return line.find(words) != std::string::npos; };
      CHECK((named > before || std::any_of(page.instead.begin(), page.instead.end(), says)));
    }
    CHECK(named > page.least);
  }
}
