// Ports on the command line, for `ctx create` and `run`.
#pragma once

#include <cstdint>

#include "cli.hpp"

namespace cmux::cli {

// Throws Exit with kUsage, naming the flag.
std::uint16_t port_in(std::string_view text, std::string_view flag, unsigned least);

// "3000" or "3000:13000", as one more of the body's forwards; or "auto".
void add_forward(std::string_view text, json::object& body);
void add_forward_flag(CLI::App& command, std::vector<std::string>& forwards);

}  // namespace cmux::cli
