// The user and password in front of a URL's host (RFC 3986 section 3.2.1), with what is percent-encoded decoded. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace cmux::upstream {

struct UserInfo {
  std::string username, password;
};
// Nothing where it holds a control character, or % without two digits.
std::optional<UserInfo> parse_user_info(std::string_view text);

}  // namespace cmux::upstream
