// docs/security.md names the test that holds each defence, docs/limits.md those that go to a limit's edge: those tests exist.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

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

TEST_CASE("security: docs/security.md names tests that exist, and so does docs/limits.md") {
  const bool limits = GENERATE(false, true);
  std::ifstream page(source(limits ? "docs/limits.md" : "docs/security.md"));
  REQUIRE(page.good());
  const std::string tests = all_tests();
  std::size_t named = 0;
  for (std::string line; std::getline(page, line);) {
    if (!line.starts_with("| ") || line.starts_with("| threat ") || line.starts_with("| limit ")) continue;
    INFO(line);
    REQUIRE(line.ends_with(" |"));
    std::string cell = line.substr(line.rfind(" | ", line.size() - 3) + 3);
    const std::size_t before = named;
    for (std::size_t open = cell.find('`'); open != std::string::npos; open = cell.find('`')) {
      const std::size_t close = cell.find('`', open + 1);
      REQUIRE(close != std::string::npos);
      const std::string name = cell.substr(open + 1, close - open - 1);
      INFO(name);
      CHECK((tests.find("TEST_CASE(\"" + name + "\"") != std::string::npos ||
             tests.find("test('" + name + "'") != std::string::npos));
      cell.erase(0, close + 1);
      ++named;
    }
    CHECK((named > before || (limits && cell == "none yet |")));
  }
  CHECK(named > 40);
}
