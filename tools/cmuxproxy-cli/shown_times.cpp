#include "shown_times.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "base/time_text.hpp"

namespace cmux::cli {
namespace {

std::optional<std::chrono::system_clock::time_point> time_in(const json::value& time) {
  return time.is_string() ? from_rfc3339(shown(time)) : std::nullopt;
}

}  // namespace

std::string age_of(const json::value& time) {
  const auto then = time_in(time);
  if (!then) return "-";
  const auto passed = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now() - *then).count();
  if (passed < 60) return fmt::format("{}s", std::max<std::int64_t>(passed, 0));
  if (passed < 3600) return fmt::format("{}m", passed / 60);
  if (passed < 48 * 3600) return fmt::format("{}h", passed / 3600);
  return fmt::format("{}d", passed / 86400);
}

std::string clock_of(const json::value& time) {
  const auto then = time_in(time);
  if (!then) return "-";
  return fmt::format("{:%H:%M:%S}", fmt::localtime(std::chrono::system_clock::to_time_t(*then)));
}

}  // namespace cmux::cli
