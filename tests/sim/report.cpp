#include "report.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "kernel.hpp"

namespace sim {
namespace {

Report own;
Report* current = &own;

void mix(std::uint64_t& hash, std::uint64_t value) { hash = (hash ^ value) * 0x9fb21c651e98df25, hash ^= hash >> 29; }

void copy(char* into, std::size_t size, std::string_view text) {
  const std::size_t count = std::min(size - 1, text.size());
  std::memcpy(into, text.data(), count);
  into[count] = '\0';
}

}  // namespace

bool tracing = false;

Report& report() { return *current; }
void share_report(Report* shared) { current = shared; }

void trace_hash(std::string_view what, std::int64_t a, std::int64_t b, std::int64_t c) {
  std::uint64_t& hash = current->hash;
  for (const char letter : what) mix(hash, static_cast<unsigned char>(letter));
  mix(hash, static_cast<std::uint64_t>(kernel ? kernel->now() : 0));
  for (const std::int64_t value : {a, b, c}) mix(hash, static_cast<std::uint64_t>(value));
}

void trace_line(std::string_view what, std::string_view line) {
  const Time now = kernel ? kernel->now() : 0;
  std::printf("%12.3f ms  %-10.*s %.*s\n", static_cast<double>(now / kMicro) / 1000.0, static_cast<int>(what.size()), what.data(),
              static_cast<int>(line.size()), line.data());
}

void note(std::string_view what, std::string_view text) {
  for (const char letter : text) mix(current->hash, static_cast<unsigned char>(letter));
  trace(what, 0, 0, 0, "{}", text);
}

void fail(std::string_view oracle, std::string_view text) {
  current->failed = true;
  copy(current->oracle, sizeof current->oracle, oracle);
  copy(current->text, sizeof current->text, text);
  if (tracing) {
    trace_line("FAILED", current->text);
    std::fflush(stdout);
  }
  _exit(1);
}

}  // namespace sim
