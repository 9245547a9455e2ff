#include "base/time_text.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cstdio>
#include <ctime>

namespace cmux {

std::string rfc3339(std::chrono::system_clock::time_point time) {
  using namespace std::chrono;
  const auto since = floor<milliseconds>(time.time_since_epoch());
  const auto whole = floor<seconds>(since);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(static_cast<std::time_t>(whole.count())),
                     (since - whole).count());
}

std::optional<std::chrono::system_clock::time_point> from_rfc3339(const std::string& text) {
  std::tm parts{};
  const char* const rest = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  int thousandths = 0, size = 0;
  if (!rest || std::sscanf(rest, ".%3dZ%n", &thousandths, &size) != 1 || size != 5 || rest[size] != '\0') return std::nullopt;
  return std::chrono::system_clock::from_time_t(timegm(&parts)) + std::chrono::milliseconds(thousandths);
}

}  // namespace cmux
