// Times as text for JSON: RFC 3339, UTC, milliseconds.
#pragma once

#include <chrono>
#include <string>

namespace cmux {

std::string rfc3339(std::chrono::system_clock::time_point time);

}  // namespace cmux
