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

enum class Choice : std::uint8_t { automatic, on, off };

// Plain texts as the user gave them; check_route() says whether they may be used. Texts are empty where not set.
struct Route {
  std::string morph_id, scope, domain_suffix;
  std::string morph_domain_suffix;  // ".http.cloud.morph.so"
  std::string cmux_proxy_origin;    // "http://127.0.0.1:39379"; h2c:// for HTTP/2 without TLS
  std::string url_template;         // "https://{id}-{port}.example.dev"
  std::string suffix;               // fills {suffix} of a template
  HeaderList headers;               // go on every request of this route to its own destination, and nowhere else
  // Names beyond loopback that go through the workspace too, as globs: policy/hosts.hpp.
  std::vector<std::string> hosts;
  // Does the dev server see the client's own Host? Left alone: on every kind of route but a template.
  Choice host_override = Choice::automatic;
  bool host_header = false;  // of a template: it is Host itself that says so, not X-Cmux-Host-Override
  // Are Origin and Referer of the target renamed where the dev server sees the destination's Host? policy/rewrite.hpp.
  Choice rewrite_origin = Choice::automatic;
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
  // The dev server sees the target's own authority, not the destination's: `authority` is the target's, or X-Cmux-Host-Override
  // says it.
  bool host_override = false;
  bool tunnels = false;  // accepts CONNECT for raw tunnels: a cmuxProxyOrigin
};

// How much a route may hold: its headers go on every request, and each open connection may remember them.
constexpr std::size_t kMostHeaders = 50;
constexpr std::size_t kMostHeaderBytes = 16 * 1024;  // of all names and values together
constexpr std::size_t kLongestText = 2048;           // of any other field

// What it holds.
std::size_t bytes_of(const Route& route);

// What check_route() says of the headers, and of the hosts.
Result<void> check_headers(const HeaderList& headers);
Result<void> check_hosts(const std::vector<std::string>& hosts);

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

// The destination of a target that the route's `hosts` name: its cmuxProxyOrigin, which is told which host and port.
Result<Destination> destination_of_host(const Route& route, Scheme target_scheme, const net::Authority& target);

// Where its far end tells which ports listen in the workspace, should that be a gateway (GET /_cmux/ports). Errc::unsupported:
// there can be none.
Result<Destination> destination_of_ports(const Route& route);

// What is right and may still surprise, a sentence each, for whoever makes the route.
std::vector<std::string> warnings_of(const Route& route);

}  // namespace cmux::policy
