// Man pages, made from the tree of commands that --help shows.
#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <string>

namespace cmux::cli {

// A page a command, by the name of its file: "cmuxproxy-ctx-create.1".
std::map<std::string, std::string> man_pages(const CLI::App& app);

}  // namespace cmux::cli
