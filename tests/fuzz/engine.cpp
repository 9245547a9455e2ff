// libFuzzer's side: the program has one target.
#include <cstddef>
#include <cstdint>

#include "base/log.hpp"
#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const bool quiet = (cmux::log::set_level(cmux::log::Level::off), true);
  (void)quiet;
  cmux::fuzz::targets().front().run({reinterpret_cast<const char*>(data), size});
  return 0;
}
