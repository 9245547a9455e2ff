// run and browser: what main() must know of them. Their command lines are two: ours, and that of another program.
#pragma once

#include "cli.hpp"

namespace cmux::cli {

// Takes what follows their first -- off the arguments: it is none of CLI11's business.
std::vector<std::string> take_command(int& argc, char** argv);

void add_run(CLI::App& app, Action& chosen, std::vector<std::string> command_line);
void add_browser(CLI::App& app, Action& chosen, std::vector<std::string> arguments);

}  // namespace cmux::cli
