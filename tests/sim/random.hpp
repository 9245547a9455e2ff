// Random: where every choice of a run comes from. SplitMix64: small, and the same everywhere.
#pragma once

#include <cstdint>
#include <string_view>

namespace sim {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // 0 to n-1; n is not 0.
  std::uint64_t below(std::uint64_t n) { return next() % n; }
  // Both ends included.
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low + 1)));
  }
  bool chance(unsigned percent) { return below(100) < percent; }
  // Small ones are as likely as large ones: 1 to `most`, evenly in its logarithm.
  std::uint64_t size(std::uint64_t most) {
    unsigned bits = 0;
    while (bits < 63 && (most >> bits) > 1) ++bits;
    const std::uint64_t top = std::uint64_t{1} << below(bits + 1);
    const std::uint64_t drawn = top + below(top);
    return drawn < most ? drawn : most;
  }
  // A stream of its own, so that one more draw here changes nothing there.
  Random fork(std::string_view name) {
    std::uint64_t mixed = next();
    for (const char c : name) mixed = (mixed ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return Random(mixed);
  }

 private:
  std::uint64_t state_;
};

}  // namespace sim
