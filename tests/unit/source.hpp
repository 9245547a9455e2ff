// Where the sources are, for tests that hold a page of docs/ against the program.
#pragma once

#include <string>

// A path in the repository.
std::string source(const std::string& relative);
