// Times for people, in lists and views.
#pragma once

#include <string>

#include "cli.hpp"

namespace cmux::cli {

// "12s", "3m", "2h", "5d": what has passed since a time of the API; "-" where there is none.
std::string age_of(const json::value& time);

// "12:03:59" in this machine's time zone; "-" where there is none.
std::string clock_of(const json::value& time);

}  // namespace cmux::cli
