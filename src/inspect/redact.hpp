// Redact: what may be shown of a message whose secrets stay hidden. Pure. A secret becomes kHidden; names, and what else is said
// beside it, stay, so that one sees that it was there.
#pragma once

#include <string>
#include <string_view>

#include "http/fields.hpp"

namespace cmux::inspect {

inline constexpr std::string_view kHidden = "•••";

// Who is named before a host, as in user:pass@host. Of an authority, what is left without it:
inline std::string_view without_user(std::string_view authority) { return authority.substr(authority.rfind('@') + 1); }
std::string redacted_authority(std::string_view authority);
// ... of a URL, or what of a target stands before its query, with `instead` in its place: added to `out`. Costs one look where
// nobody is named.
void add_without_user(std::string& out, std::string_view text, std::string_view instead);

// A URL or a target: values in its query and its fragment are hidden, parts of them that have none but for a few flags, and user
// info.
std::string redacted_url(std::string_view url);
// A field's value, as utf8(): credentials and cookies, what a route adds of its own, what is called a secret or looks like one,
// and URLs as above.
std::string redacted(const http::Fields::Field& field);

// The other way, for a request that is sent again: what is hidden in `shown` is what stands there in `original`. What stands
// there for nothing stays.
std::string restored_url(std::string_view shown, std::string_view original);

// As JSON takes it: bytes that are no UTF-8 are read as Latin-1.
std::string utf8(std::string_view bytes);

}  // namespace cmux::inspect
