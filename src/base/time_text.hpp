// Times as text for JSON: RFC 3339, UTC, milliseconds.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace cmux {

std::string rfc3339(std::chrono::system_clock::time_point time);

// One that rfc3339() has made; nothing for anything else.
std::optional<std::chrono::system_clock::time_point> from_rfc3339(const std::string& text);

}  // namespace cmux
