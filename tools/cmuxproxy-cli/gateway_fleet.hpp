// gateway revoke, gateway fleet: what stands in a fleet's store; and the flags that say where that is.
#pragma once

#include "app/gateway.hpp"
#include "cli.hpp"

namespace cmux::cli {

void add_store_flags(CLI::App& command, app::StoreFlags& flags);
void add_gateway_fleet(CLI::App& group, Action& chosen);

}  // namespace cmux::cli
