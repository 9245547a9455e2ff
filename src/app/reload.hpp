// What settings that are read anew change in an instance that runs, and what they cannot.
#pragma once

#include "app/settings.hpp"

namespace cmux::app {

// Gives `read` what only a start can change as it is in `running`. Returns the names of those where `read` had something else.
std::vector<std::string> keep_fixed(const Settings& running, Settings& read);

// The names of the settings that are not the same in both.
std::vector<std::string> differing(const Settings& one, const Settings& other);

// An error's detail that tells of several, a line each.
std::vector<std::string> lines_of(const std::string& detail);

}  // namespace cmux::app
