#include "upstream/user_info.hpp"

#include <charconv>

namespace cmux::upstream {
namespace {

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned char byte = static_cast<unsigned char>(text[i]);
    if (text[i] == '%') {
      const std::string_view digits = text.substr(i + 1, 2);
      const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
      if (digits.size() != 2 || failed != std::errc() || end != digits.data() + 2) return std::nullopt;
      i += 2;
    }
    if (byte < 0x20 || byte == 0x7f) return std::nullopt;
    out += static_cast<char>(byte);
  }
  return out;
}

}  // namespace

std::optional<UserInfo> parse_user_info(std::string_view text) {
  const std::size_t colon = text.find(':');
  auto username = percent_decoded(text.substr(0, colon));
  auto password = percent_decoded(colon == text.npos ? "" : text.substr(colon + 1));
  if (!username || !password) return std::nullopt;
  return UserInfo{std::move(*username), std::move(*password)};
}

}  // namespace cmux::upstream
