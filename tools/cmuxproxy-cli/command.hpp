// Other programs that a command makes use of. Blocking.
#pragma once

#include <string>
#include <vector>

namespace cmux::cli {

using Command = std::vector<std::string>;

// Runs it with this process's own standard streams, the output among the notes on stderr. Its exit code; 127 where there is none
// such, 128 and more for a signal.
int run_command(const Command& command);
// The same, and what it prints; nothing of its errors is seen.
struct Said {
  int code = 0;
  std::string text;  // 1 MB at the most
};
Said ask_command(const Command& command);

// A program of that name in PATH that can be run, or the path itself; empty: none.
std::string find_program(const std::string& name);

}  // namespace cmux::cli
