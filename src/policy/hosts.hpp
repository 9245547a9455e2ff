// Hosts: which of them are a workspace's. Loopback names are, and those that its route names; names of the cmux domains, and what
// the instance's settings except, never are. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/route.hpp"

namespace cmux::policy {

// What an instance says of hosts, whatever a route says. All in lower case.
struct HostRules {
  std::vector<std::string> domains;      // more cmux domains
  std::vector<std::string> never_route;  // globs
};

// The domains whose names are never rewritten, and under which *.localhost is no loopback.
std::span<const std::string_view> known_domains();
// Is it one of them, or of `more`?
bool is_known_domain(std::string_view domain, std::span<const std::string> more);

// Loopback as the contract says: net::is_loopback_name, but not a name under a known domain or one of `more`. All in lower case.
bool is_loopback_target(std::string_view host, std::span<const std::string> more);

// How a target is reached in a context with that route (null: none).
enum class Way : std::uint8_t {
  direct,    // where it says
  loopback,  // destination_of()
  network,   // destination_of_host(): a name of the workspace's network
};
Way way_of(const Route* route, std::string_view host, const HostRules& rules);

// Bounds of Route::hosts.
constexpr std::size_t kMostHosts = 50;

}  // namespace cmux::policy
