// Times as the API writes them.
#pragma once

#include <chrono>
#include <string>

namespace cmux::admin {

// RFC 3339 in UTC with milliseconds: "2025-01-31T12:00:00.000Z".
std::string rfc3339(std::chrono::system_clock::time_point time);

}  // namespace cmux::admin
