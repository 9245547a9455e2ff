// What the files of `probe` share.
#pragma once

#include <string_view>

#include "cli.hpp"

namespace cmux::cli {

// What to do about an error of Proxy-Status. Empty for one that is not known.
std::string_view hint_for(std::string_view proxy_error);

// `probe` without a URL: checks the instance itself.
int check_instance(const Common& common);

}  // namespace cmux::cli
