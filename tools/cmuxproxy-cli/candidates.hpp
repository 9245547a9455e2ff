// What can stand at the end of an unfinished command line. The shells' completions ask for it (`cmuxproxy __complete WORD…`), so
// that all of them know what the tree of commands knows, the contexts that there are now, and no more.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace cmux::cli {

// The first argument by which a shell asks.
inline constexpr std::string_view kCompleteWord = "__complete";

// `words` are those behind the program's name; the last one is not finished, and may be empty. Each line is a candidate, with a
// tab and what it means behind it where that is known, or one of two that stand alone: ":files", and ":command N", where words N
// and on are a command line of their own.
std::vector<std::string> candidates(const CLI::App& app, const std::vector<std::string>& words);

// Commands and flags that are told of: those with an empty group are not.
std::vector<const CLI::App*> shown_commands(const CLI::App& command);
std::vector<const CLI::Option*> shown_flags(const CLI::App& command);

}  // namespace cmux::cli
