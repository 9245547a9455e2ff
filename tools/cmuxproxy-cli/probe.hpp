// What the files of `probe` share.
#pragma once

#include "cli.hpp"

namespace cmux::cli {

// `probe` without a URL: checks the instance itself.
int check_instance(const Common& common);

}  // namespace cmux::cli
