// What the files of routes share: the characters of their texts, and URLs read as strictly as a route needs it. For policy/
// alone.
#pragma once

#include <algorithm>

#include "policy/route.hpp"

namespace cmux::policy {

// Not <cctype>: these must not follow the locale.
inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || is_digit(c); }

inline bool is_scope(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_lower_or_digit); }

inline bool is_morph_id(std::string_view text) {
  return !text.empty() && text.front() != '-' && text.back() != '-' &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_lower_or_digit(c) || c == '-'; });
}

// Errc::config, "field: why".
Error refused(std::string_view field, std::string_view why);

struct Url {
  Scheme scheme = Scheme::http;
  bool h2c = false;
  net::Authority authority;
  std::string path;
  bool has_more = false;  // a query or a fragment
};

// An absolute http or https URL, or one of `h2c` where that is allowed, without user info. Errors do not quote it: what is wrong
// may be a password.
Result<Url> parse_url(std::string_view field, std::string_view text, bool h2c_allowed = false);

}  // namespace cmux::policy
