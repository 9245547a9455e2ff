// The setting upstream-proxy: a URL, "env:VAR" for one that a variable holds, or "auto" for what the environment says.
#pragma once

#include <boost/json.hpp>
#include <string>

#include "app/settings.hpp"

namespace cmux::app {

// Checks what can be checked of it, and gives it back. No error quotes it: it may hold a password.
Result<std::string> parse_parent_setting(const std::string& text);

// For `serve --check`: a password is left out, so that text with one cannot be read back.
std::string print_parent_setting(const std::string& text);

// What it means. Errc::config where a variable is missing or wrong.
Result<upstream::Parents> find_parents(const std::string& text, const Environment& environment);

// For status: null where there is none; no credentials.
boost::json::value parents_json(const upstream::Parents& parents);

}  // namespace cmux::app
