#include "base/memory.hpp"

#include <catch2/catch.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "base/buffer.hpp"
#include "base/platform.hpp"

using namespace cmux;

namespace {

[[maybe_unused]] long resident_kb() {
  long pages = 0;
  if (std::FILE* const file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%*d %ld", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return pages * 4;
}

}  // namespace

TEST_CASE("what is free goes back to the system, though what is in use stands behind it") {
#if !CMUX_LINUX || !defined(__GLIBC__) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  SUCCEED("not here");
#else
  std::vector<std::unique_ptr<std::string> > load;
  std::vector<Buffer> buffers(200);
  for (int i = 0; i < 40'000; ++i) load.push_back(std::make_unique<std::string>(1'000, 'x'));
  for (Buffer& buffer : buffers) buffer.append("x");
  const auto stays = std::make_unique<std::string>(1'000, 'x');
  const long peak = resident_kb();
  load.clear();
  buffers.clear();
  give_back_memory();
  CHECK(resident_kb() < peak - 20'000);
#endif
}
