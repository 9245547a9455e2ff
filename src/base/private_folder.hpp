// Folders for what is secret. Blocking; for start-up and for the command line.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"

namespace cmux {

// Makes the folder and the parents that are missing, each with mode 0700 whatever the umask is. One that is there stays as it is.
Result<void> make_private_folder(const std::string& path);

// An error about what is kept in a folder, with the variable that names another one: for a disk that is full or read-only.
Error with_way_out(Error error, std::string_view variable);

}  // namespace cmux
