#include "source.hpp"

std::string source(const std::string& relative) { return std::string(CMUX_SOURCE) + "/" + relative; }
