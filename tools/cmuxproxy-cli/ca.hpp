// What the subcommands of ca share.
#pragma once

#include <memory>

#include "cli.hpp"
#include "tls/authority.hpp"

namespace cmux::cli {

// The local CA; made where there is none yet. Throws Exit.
std::unique_ptr<tls::Authority> open_authority();

void add_ca_install(CLI::App& group, Action& chosen);

}  // namespace cmux::cli
