// What all fuzz targets share. A target is one function over bytes that aborts where what must hold does not: under libFuzzer,
// which makes up the bytes (the `fuzz` preset, scripts/fuzz.sh), and over the corpus in every preset (cmux-fuzz-replay).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "http/stream.hpp"

namespace cmux::fuzz {

struct Target {
  const char* name;
  void (*run)(std::string_view bytes);
};
std::vector<Target>& targets();

// A target's name is its file's and its corpus's.
struct Registered {
  Registered(const char* name, void (*run)(std::string_view)) { targets().push_back({name, run}); }
};
#define CMUX_FUZZ_TARGET(name, function) static const ::cmux::fuzz::Registered registered(name, function)

// Ends the process: `promise` does not hold. What was seen is printed escaped.
[[noreturn]] void broken(std::string_view promise, std::string_view seen = {});
inline void check(bool holds, std::string_view promise, std::string_view seen = {}) {
  if (!holds) broken(promise, seen);
}

// The input as a source of decisions and of bytes. Once it is used up it gives zeros and nothing.
class Source {
 public:
  explicit Source(std::string_view bytes) : rest_(bytes) {}
  bool empty() const { return rest_.empty(); }
  // Below `bound`, which is 256 at the most.
  unsigned below(unsigned bound) {
    if (rest_.empty() || bound == 0) return 0;
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    return byte % bound;
  }
  std::string_view take(std::size_t most) {
    const std::string_view out = rest_.substr(0, most);
    rest_.remove_prefix(out.size());
    return out;
  }
  std::string_view rest() const { return rest_; }
  template <class T, std::size_t N>
  const T& one_of(const T (&table)[N]) {
    return table[below(static_cast<unsigned>(N))];
  }

 private:
  std::string_view rest_;
};

// What every message that the proxy takes for good must be: no control characters, framing only in its members, names that are
// tokens. What is sent on is made of these.
void check_request(const http::Head& head);
void check_response(const http::Head& head);

}  // namespace cmux::fuzz
