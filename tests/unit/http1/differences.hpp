// This parser against Boost.Beast's, on the same bytes: what both accept must mean the same to both, and end at the same byte.
// Where only one accepts, kDifferences has to say why. The two share no code, so that what both got wrong alike is unlikely.
// For the tests that make messages, and for the fuzzer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "http1/parser.hpp"

namespace cmux::http1 {

struct Comparison {
  std::string_view outcome;  // "both", "neither", or the name of the difference that is known
  std::string disagreement;  // for people; empty where all is explained
};
// The text as one message, or the start of one, in pieces of `step` bytes.
Comparison compared(Role role, std::string_view text, std::size_t step);

std::vector<std::string_view> known_differences();

// Bytes for people.
std::string shown(std::string_view text);

}  // namespace cmux::http1
