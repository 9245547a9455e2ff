// cmux-fuzz-replay CORPUS: every target over its own part of the corpus, with whatever compiler and sanitizer built it. What was
// found once stays found.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/log.hpp"
#include "fuzz.hpp"

int main(int count, char** arguments) {
  if (count != 2) return std::fputs("usage: cmux-fuzz-replay CORPUS\n", stderr), 2;
  cmux::log::set_level(cmux::log::Level::off);
  for (const cmux::fuzz::Target& target : cmux::fuzz::targets()) {
    unsigned files = 0;
    const std::filesystem::path folder = std::filesystem::path(arguments[1]) / target.name;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(file), {}};
      // Said first, so that a crash is known by the last line.
      std::printf("%s %s\n", target.name, entry.path().filename().c_str());
      std::fflush(stdout);
      target.run(bytes);
      ++files;
    }
    if (files == 0) return std::fprintf(stderr, "%s is empty\n", folder.c_str()), 1;
  }
  return 0;
}
