#include "base/check.hpp"

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string_view>

namespace cmux {

void check_failed(const char* file, int line, const char* promise) noexcept {
  // "src/base/wheel.cpp", wherever it was built.
  const char* shown = file;
  for (const char* at = file; (at = std::strstr(at, "src/")) != nullptr; ++at) shown = at;
  char text[512];
  std::size_t size = 0;
  const auto add = [&](std::string_view part) { size += part.copy(text + size, sizeof text - 1 - size); };
  char digits[12];
  char* first = digits + sizeof digits;
  for (int rest = line; first == digits + sizeof digits || rest > 0; rest /= 10) *--first = static_cast<char>('0' + rest % 10);
  add("cmuxproxy: a bug: ");
  add(promise);
  add(": broken at ");
  add(shown);
  add(":");
  add({first, static_cast<std::size_t>(digits + sizeof digits - first)});
  add(". Please report it with the log.");
  text[size++] = '\n';
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text, size);
  std::abort();
}

}  // namespace cmux
