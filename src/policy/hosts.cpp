#include "policy/hosts.hpp"

#include <array>

#include <fmt/format.h>

#include "net/resolver.hpp"
#include "policy/route_text.hpp"

namespace cmux::policy {
namespace {

constexpr std::array<std::string_view, 10> kKnownDomains = {
    "cmux.app",       "cmux.sh",      "cmux.dev",       "cmux.com",           "cmux.local",
    "cmux.localhost", "manaflow.com", "manaflow.local", "manaflow.localhost", "autobuild.app",
};

constexpr std::size_t kLongestHost = 253;

// Top-level domains under which the internet has no names: by RFC (6761, 6762, 9476), by ICANN's reservation ("internal"), or
// by custom, and never delegated. A glob may take all of one.
constexpr std::array<std::string_view, 13> kPrivate = {
    "internal", "local", "localhost", "lan", "home", "corp", "intranet", "private", "svc", "test", "alt", "invalid", "example",
};

// What stands for "com" and the like under a country's domain: "*.co.uk" would be as much as "*.com".
constexpr std::array<std::string_view, 11> kShared = {"ac", "co", "com", "edu", "gob", "gov", "go", "ne", "net", "or", "org"};

template <class List>
bool holds(const List& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

Error bad_host(std::string_view pattern, std::string_view why) { return refused("hosts", fmt::format("'{}' {}", pattern, why)); }

// What is wrong with a glob's wildcards, or nothing. Behind the last of them must stand a domain that somebody owns: anything
// shorter would take names of the internet away from those who own them.
std::string_view swallows(std::string_view pattern) {
  const std::size_t wild = pattern.find_last_of("*?");
  if (wild == pattern.npos) return {};
  constexpr std::string_view kTooMuch =
      "would take far more than a workspace's network: behind * and ? must stand a domain of its own, such as *.internal or "
      "*.corp.example.com";
  const std::size_t dot = pattern.find('.', wild);
  if (dot == pattern.npos) return kTooMuch;
  const std::string_view domain = pattern.substr(dot + 1);
  const std::size_t last_dot = domain.rfind('.');
  const std::string_view top = domain.substr(last_dot + 1);
  if (std::all_of(top.begin(), top.end(), is_digit)) return "has wildcards in an address";
  if (holds(kPrivate, top)) return {};
  if (last_dot == domain.npos) return kTooMuch;
  const std::string_view above = domain.substr(0, last_dot);
  if (top.size() == 2 && holds(kShared, above)) return kTooMuch;
  return {};
}

bool is_plain_host(std::string_view text) {
  if (net::Endpoint::from_ip(text, 1)) return true;
  std::string filled(text);
  for (char& c : filled)
    if (c == '*' || c == '?') c = 'x';
  const auto authority = net::parse_authority(filled);
  return authority && !authority->ipv6 && !authority->port && authority->host == filled;
}

}  // namespace

Result<void> check_hosts(const std::vector<std::string>& hosts) {
  if (hosts.size() > kMostHosts) return refused("hosts", fmt::format("are {}, {} at the most", hosts.size(), kMostHosts));
  for (const std::string& pattern : hosts) {
    if (pattern.empty()) return refused("hosts", "must not be empty");
    // Not quoted: it may be anything.
    if (pattern.size() > kLongestHost || !is_plain_host(pattern))
      return refused("hosts",
                     "must be names or addresses in lower case, in which * and ? may stand for any characters; no ports");
    if (const std::string_view why = swallows(pattern); !why.empty()) return bad_host(pattern, why);
  }
  return {};
}

std::span<const std::string_view> known_domains() { return kKnownDomains; }

bool is_known_domain(std::string_view domain, std::span<const std::string> more) {
  return holds(kKnownDomains, domain) || holds(more, domain);
}

namespace {

bool is_under_known(std::string_view host, std::span<const std::string> more) {
  const auto under = [&](std::string_view domain) { return net::is_under(host, domain); };
  return std::any_of(kKnownDomains.begin(), kKnownDomains.end(), under) || std::any_of(more.begin(), more.end(), under);
}

}  // namespace

bool is_loopback_target(std::string_view host, std::span<const std::string> more) {
  return net::is_loopback_name(host) && !is_under_known(host, more);
}

Way way_of(const Route* route, std::string_view host, const HostRules& rules) {
  if (!route) return Way::direct;
  const auto matches = [&](const std::string& pattern) { return net::matches_glob(pattern, host); };
  const bool loopback = is_loopback_target(host, rules.domains);
  if (!loopback && route->hosts.empty()) return Way::direct;
  if (std::any_of(rules.never_route.begin(), rules.never_route.end(), matches)) return Way::direct;
  if (loopback) return Way::loopback;
  const bool named = std::any_of(route->hosts.begin(), route->hosts.end(), matches);
  return named && !is_under_known(host, rules.domains) ? Way::network : Way::direct;
}

}  // namespace cmux::policy
