// The flags with which a Chromium uses a context's port, for `ctx create --format chromium` and `browser`.
#pragma once

#include "cli.hpp"

namespace cmux::cli {

// A secure proxy where the instance has a CA: Chromium speaks HTTP/2 to no other.
std::vector<std::string> chromium_flags(const json::object& context, const json::object& status);

}  // namespace cmux::cli
