// Authorities, URLs of previews, and routes made of them.
#include <boost/json.hpp>

#include "../fuzz.hpp"
#include "policy/route_json.hpp"
#include "policy/route_url.hpp"

namespace {

using namespace cmux;

void authority(std::string_view text) {
  const auto parsed = net::parse_authority(text);
  if (!parsed) return;
  const auto again = net::parse_authority(parsed->text());
  fuzz::check(again && again->host == parsed->host && again->port == parsed->port && again->ipv6 == parsed->ipv6,
              "an authority's text means the same authority", text);
  fuzz::check(parsed->host.find_first_of("/@?# \r\n\t") == std::string::npos, "a host has no delimiters", text);
  if (const auto address = net::Endpoint::from_ip(parsed->host, 1); address && address->is_loopback())
    fuzz::check(net::is_loopback_name(parsed->host), "a loopback address is a loopback name", text);
}

void url(std::string_view text) {
  static const std::vector<std::string> more = {"previews.example"};
  const auto found = policy::route_from_url(text, more);
  if (!found) return;
  fuzz::check(policy::check_route(found->route).has_value(), "a route from a URL is a route", text);
  fuzz::check(found->port != 0, "a preview has a port", text);
  const auto back = policy::route_from_json(policy::route_to_json(found->route, false));
  fuzz::check(back.has_value(), "a route survives JSON", text);
  const auto there = policy::destination_of(found->route, policy::Scheme::http, "localhost", found->port);
  fuzz::check(there && !there->host.empty() && there->port != 0, "a route leads somewhere", text);
  fuzz::check(!net::is_loopback_name(there->host), "a preview is elsewhere", text);
}

void route(std::string_view text) {
  boost::system::error_code failed;
  const auto value = boost::json::parse({text.data(), text.size()}, failed);
  if (failed) return;
  const auto read = policy::route_from_json(value);
  if (!read) return;
  const auto there = policy::destination_of(*read, policy::Scheme::https, "localhost", 65535);
  fuzz::check(there.has_value(), "a checked route leads somewhere", text);
  for (const auto& [name, content] : there->headers)
    fuzz::check((name + content).find_first_of("\r\n") == std::string::npos, "a route's headers are one line", text);
}

void run(std::string_view bytes) {
  fuzz::Source source(bytes);
  switch (source.below(3)) {
    case 0: return authority(source.rest());
    case 1: return url(source.rest());
    default: return route(source.rest());
  }
}
CMUX_FUZZ_TARGET("names", run);

}  // namespace
