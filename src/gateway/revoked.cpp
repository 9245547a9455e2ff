#include "gateway/revoked.hpp"

#include <fmt/format.h>

#include <charconv>

namespace cmux::gateway {

Result<std::shared_ptr<Revoked>> parse_revoked(std::string_view text) {
  auto out = std::make_shared<Revoked>();
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == text.npos ? std::string_view() : text.substr(end + 1);
    const auto wrong = [&](std::string_view why) { return make_error(Errc::config, fmt::format("line {}: {}", number, why)); };
    line = line.substr(0, line.find('#'));
    const auto word = [&] {
      while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
      const std::string_view found = line.substr(0, line.find_first_of(" \t\r"));
      line.remove_prefix(found.size());
      while (!line.empty() && (line.front() == ' ' || line.front() == '\t' || line.front() == '\r')) line.remove_prefix(1);
      return found;
    };
    const std::string_view id = word(), until = word();
    if (id.empty()) continue;
    if (!is_token_id(id)) return wrong("expected a token's id: 1 to 128 visible characters");
    std::int64_t seconds = 0;
    const auto read = std::from_chars(until.data(), until.data() + until.size(), seconds);
    if (!line.empty() || (!until.empty() && (read.ec != std::errc() || read.ptr != until.data() + until.size() || seconds < 0)))
      return wrong("expected nothing behind the id but a time as seconds since 1970");
    (*out)[std::string(id)] = until.empty() ? kNever : wall_time(seconds);
    if (out->size() > kMostRevoked) return wrong(fmt::format("there are more than {}: rotate the keys", kMostRevoked));
  }
  return out;
}

std::string print_revoked(std::string_view id, WallTime until) {
  return until == kNever ? fmt::format("{}\n", id) : fmt::format("{} {}\n", id, seconds_of(until));
}

RevokedPtr joined(const RevokedPtr& a, const RevokedPtr& b) {
  if (!a || !b) return a ? a : b;
  auto out = std::make_shared<Revoked>(*a);
  out->insert(b->begin(), b->end());
  return out;
}

}  // namespace cmux::gateway
