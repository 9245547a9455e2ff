// Routes: where a context's loopback requests go (the URL rules). Pure: text in, values out, no I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "net/address.hpp"

namespace cmux::policy {

using HeaderList = std::vector<std::pair<std::string, std::string>>;

// Plain texts as the user gave them; check_route() says whether they may be used. Texts are empty where not set.
struct Route {
  std::string morph_id, scope, domain_suffix;
  std::string morph_domain_suffix;  // ".http.cloud.morph.so"
  std::string cmux_proxy_origin;    // "http://127.0.0.1:39379"; h2c:// for HTTP/2 without TLS
  std::string url_template;         // "https://{id}-{port}.example.dev"
  std::string suffix;               // fills {suffix} of a template
  HeaderList headers;               // go on every request of this route to its own destination, and nowhere else
};

enum class Scheme : std::uint8_t { http, https };

constexpr std::uint16_t default_port(Scheme scheme) { return scheme == Scheme::https ? 443 : 80; }

// Where a request goes after routing. Owns its texts.
struct Destination {
  Scheme scheme = Scheme::http;
  bool h2c = false;  // speaks HTTP/2 without TLS, by prior knowledge (RFC 9113 section 3.3)
  std::string host;  // normalised, no brackets
  std::uint16_t port = 0;
  std::string authority;    // what the upstream sees as Host or :authority, without the scheme's default port
  std::string path_prefix;  // of a template with a path, without trailing slash; usually empty
  // Set on the request, replacing what the client sent under these names: the X-Cmux-* fields first, then the route's own.
  HeaderList headers;
  // The dev server sees the target's own authority, not the destination's: `authority` is the target's (morph), or
  // X-Cmux-Host-Override says it (cmuxProxyOrigin).
  bool host_override = false;
  bool tunnels = false;  // accepts CONNECT for raw tunnels: a cmuxProxyOrigin
};

// How much a route may hold: its headers go on every request, and each open connection may remember them.
constexpr std::size_t kMostHeaders = 50;
constexpr std::size_t kMostHeaderBytes = 16 * 1024;  // of all names and values together
constexpr std::size_t kLongestText = 2048;           // of any other field

// What it holds.
std::size_t bytes_of(const Route& route);

// What check_route() says of the headers.
Result<void> check_headers(const HeaderList& headers);

// Checks every field that is set, and that the fields which the route's kind needs are set; fills nothing in. The kind is the
// first of cmuxProxyOrigin (needs nothing else), template (what its placeholders name), morphDomainSuffix (morphId), and none of
// these (morphId, scope and domainSuffix). The error is Errc::config and names the field as in JSON, and the reason: "scope: must
// be …"; it never holds a header's value. Lengths are checked for port 65535, so that a route that passes works for every port.
Result<void> check_route(const Route& route);

// The destination of a loopback target. The client's scheme says whether the target's port is left out of a Host that is the
// target's own; `target_host` is normalised as in net::Authority, so "LOCALHOST." is seen as "localhost" by the dev server. Fails
// (Errc::config) only for a route that check_route() refuses.
Result<Destination> destination_of(const Route& route, Scheme target_scheme, std::string_view target_host,
                                   std::uint16_t target_port);

// The domains whose names are never rewritten, and under which *.localhost is no loopback.
std::span<const std::string_view> known_domains();

// Loopback as the contract says: net::is_loopback_name, but not a name under a known domain or one of `more`. All in lower case.
bool is_loopback_target(std::string_view host, std::span<const std::string> more);

// A route and the port from a preview URL: http(s)://cmux-<morphId>-<scope>-<port>.<domain> (or manaflow-…), where the domain is
// known or one of `more` (in lower case); or port-<port>-morphvm-<id>.<suffix>. Path, query and fragment are left out; user info
// and an explicit port are refused. The route has passed check_route(). The error (Errc::config) says what was expected, without
// the URL.
struct FromUrl {
  Route route;
  std::uint16_t port = 0;
};
Result<FromUrl> route_from_url(std::string_view url, std::span<const std::string> more);

}  // namespace cmux::policy
