// Routes as JSON, with the keys of the contract: morphId, scope, domainSuffix, morphDomainSuffix, cmuxProxyOrigin, template,
// suffix, headers, hosts, hostOverride, hostHeader, rewriteOrigin.
#pragma once

#include <boost/json/fwd.hpp>

#include "policy/route.hpp"

namespace cmux::policy {

// Reads and checks (check_route). An unknown key or a wrong type is an error (Errc::config) that names it and lists what is
// allowed. A key that is null counts as not set.
Result<Route> route_from_json(const boost::json::value& value);

// The same without check_route, for who has something to add.
Result<Route> read_route(const boost::json::value& value);

// Keys that are set; header values as they are, or "***" where `redacted`.
boost::json::object route_to_json(const Route& route, bool redacted);

}  // namespace cmux::policy
