// Where the running program is, to start it once more.
#pragma once

#include <string>

namespace cmux {

// What execvp(3) takes: a path, or where the system does not tell, a name to be looked for.
std::string program_path();

}  // namespace cmux
