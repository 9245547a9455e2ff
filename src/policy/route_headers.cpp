// The headers that a route adds: which, and how many.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "policy/route.hpp"

namespace cmux::policy {
namespace {

// Hop-by-hop fields (RFC 9110 section 7.6.1), those that frame or address the message, and those that the proxy sets itself.
constexpr std::array<std::string_view, 18> kReservedHeaders = {
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
    "host",
    "content-length",
    "expect",
    "x-cmux-proxied",
    "x-cmux-port-internal",
    "x-cmux-host-override",
    "x-cmux-workspace-internal",
    "x-cmux-target-internal",
};

Error refused(std::string_view why) { return make_error(Errc::config, fmt::format("headers: {}", why)); }

bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

constexpr std::string_view kTokenMarks = "!#$%&'*+-.^_`|~";  // RFC 9110 section 5.6.2

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return is_letter_or_digit(c) || kTokenMarks.find(c) != kTokenMarks.npos; });
}

// RFC 9110 section 5.5, and RFC 9113 section 8.2.1 for the ends.
bool is_field_value(std::string_view text) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  if (!text.empty() && (is_blank(text.front()) || is_blank(text.back()))) return false;
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; });
}

}  // namespace

Result<void> check_headers(const HeaderList& headers) {
  if (headers.size() > kMostHeaders) return refused(fmt::format("are {}, {} at the most", headers.size(), kMostHeaders));
  std::size_t bytes = 0;
  for (const auto& [name, value] : headers) bytes += name.size() + value.size();
  if (bytes > kMostHeaderBytes)
    return refused(fmt::format("have {} bytes of names and values, {} are allowed", bytes, kMostHeaderBytes));
  std::vector<std::string> seen;
  for (const auto& [name, value] : headers) {
    if (!is_token(name)) return refused("a name must be made of letters, digits and !#$%&'*+-.^_`|~");
    std::string lower = net::to_lower(name);
    if (std::find(kReservedHeaders.begin(), kReservedHeaders.end(), lower) != kReservedHeaders.end())
      return refused(fmt::format("{} cannot be set: the proxy or the connection owns it", name));
    if (!is_field_value(value))
      return refused(fmt::format("the value of {} holds a control character or begins or ends with a space", name));
    if (std::find(seen.begin(), seen.end(), lower) != seen.end()) return refused(fmt::format("{} is given twice", name));
    seen.push_back(std::move(lower));
  }
  return {};
}

}  // namespace cmux::policy
