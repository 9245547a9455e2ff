// gateway key, gateway token: the keys of access tokens in their file, and tokens.
#pragma once

#include "cli.hpp"

namespace cmux::cli {

void add_gateway_keys(CLI::App& group, Action& chosen);

}  // namespace cmux::cli
