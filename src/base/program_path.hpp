// Where the running program is, to start it once more.
#pragma once

#include <string>

namespace cmux {

// What execvp(3) takes: a path.
std::string program_path();

// By main(): where the system does not tell, what the program was started as does.
void remember_program(const char* first_argument);

}  // namespace cmux
