// Routes from preview URLs: what a user has before he has a route. Pure.
#pragma once

#include <span>

#include "policy/route.hpp"

namespace cmux::policy {

struct Preset;

// A route and the port from a preview URL, http or https. The forms, first match first; the domain of cmux ones is known or one
// of `more` (in lower case):
//   port-<port>-morphvm-<id>.<suffix>
//   cmux-<morphId>-<scope>-<port>.<domain>, or manaflow-…; without a scope it is base
//   port-<port>-<id>.<domain>: what the cmux proxy takes to morph
//   <workspace>-<port>-<vm>.<domain>: what it takes to that machine
//   those of the presets
// Path, query and fragment are left out; user info and an explicit port are refused. The route has passed check_route(). The
// error (Errc::config) says what was expected, without the URL.
struct FromUrl {
  Route route;
  std::uint16_t port = 0;
  const Preset* preset = nullptr;
};
Result<FromUrl> route_from_url(std::string_view url, std::span<const std::string> more);

// The same route straight to the proxy in the machine, without what the public one does to pages. For cmux and morph routes;
// Errc::config for others. The route is checked.
Result<Route> direct_route(Route route);

}  // namespace cmux::policy
