// The scripts by which shells complete command lines.
#pragma once

#include <span>

namespace cmux::cli {

struct ShellScript {
  const char* shell;
  const char* file;  // what it is called where packages put it
  const char* text;
  const char* example;
};
std::span<const ShellScript> completion_scripts();

}  // namespace cmux::cli
