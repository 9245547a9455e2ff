// A browser as a child of a guard, which is a child of this process: the browser ends with any of the two, and whoever of them is
// left drops the profile. So a SIGKILL of either leaves nothing, and ^C reaches us alone: the browser is told to end, and may.
#pragma once

#include <string>
#include <vector>

#include "browser_profile.hpp"

namespace cmux::cli {

// Until the browser has ended. Returns its exit code, as shells have it for one that a signal has ended. Throws Exit.
int run_guarded(const std::vector<std::string>& command, Profile& profile);

}  // namespace cmux::cli
