// The instance that `run` uses.
#pragma once

#include "cli.hpp"

namespace cmux::cli {

constexpr std::string_view kDefaultInstance = "default";

// The one of that name; with no name given, the default one or, where that does not run, a private one, started here, which ends
// with this process. Throws Exit.
admin::Client instance_for_run(const std::string& name);

}  // namespace cmux::cli
