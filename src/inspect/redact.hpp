// Redact: what may be shown of a message whose secrets stay hidden. Pure. A secret becomes kHidden; names, and what else is said
// beside it, stay, so that one sees that it was there.
#pragma once

#include <string>
#include <string_view>

#include "http/fields.hpp"

namespace cmux::inspect {

inline constexpr std::string_view kHidden = "•••";

// A URL or a target: values in its query and its fragment are hidden, and so is user info.
std::string redacted_url(std::string_view url);
// A field's value: credentials and cookies, what a route adds of its own, what is called a token, and URLs as above.
std::string redacted(const http::Fields::Field& field);

// The other way, for a request that is sent again: what is hidden in `shown` is what stands there in `original`.
std::string restored_url(std::string_view shown, std::string_view original);

// As JSON takes it: bytes that are no UTF-8 are read as Latin-1.
std::string utf8(std::string_view bytes);

}  // namespace cmux::inspect
