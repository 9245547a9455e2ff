// Presets: what is known of clouds that show a workspace's ports under names of their own: the form of the names, and the fields
// that carry a token or keep a warning page away. Pure.
#pragma once

#include <span>

#include "policy/route.hpp"

namespace cmux::policy {

struct Preset {
  std::string_view name;                                 // "codespaces"
  std::string_view url;                                  // a route's template
  std::string_view token_header;                         // empty: it knows none
  std::string_view token_prefix;                         // in front of the token
  std::pair<std::string_view, std::string_view> header;  // goes on every request; empty: none
};
std::span<const Preset> presets();
const Preset* find_preset(std::string_view name);  // null: there is none

// Fills in what `route` leaves open: the template, and the headers that it does not set itself; `token` empty: none.
// Errc::config: a token for a preset that knows no header for it, or one that is no field's value.
Result<void> apply_preset(const Preset& preset, std::string_view token, Route& route);

// The text read as the template's host: the placeholders' values, where all of it fits.
struct Filled {
  std::string_view port, id, scope, suffix;
};
std::optional<Filled> read_host(std::string_view url_template, std::string_view host);

}  // namespace cmux::policy
