#include "policy/route.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "policy/route_text.hpp"

namespace cmux::policy {
namespace {

constexpr std::uint16_t kLongestPort = 65535;
constexpr std::size_t kLongestLabel = 63;
constexpr std::size_t kLongestName = 253;

enum class Kind : std::uint8_t { proxy_origin, url_template, morph, cmux };

Kind kind_of(const Route& route) {
  if (!route.cmux_proxy_origin.empty()) return Kind::proxy_origin;
  if (!route.url_template.empty()) return Kind::url_template;
  if (!route.morph_domain_suffix.empty()) return Kind::morph;
  return Kind::cmux;
}

// A DNS name that no one takes for an IPv4 address.
bool is_domain(std::string_view text) {
  const std::string_view last = text.substr(text.rfind('.') + 1);
  return net::is_dns_name(text) && !std::all_of(last.begin(), last.end(), is_digit);
}

Result<Url> parse_proxy_origin(const Route& route) {
  auto url = parse_url("cmuxProxyOrigin", route.cmux_proxy_origin, true);
  if (url && (!url->path.empty() || url->has_more))
    return refused("cmuxProxyOrigin", "must be http(s):// or h2c://, host[:port], and nothing more");
  return url;
}

// What a placeholder stands for, or what is missing.
Result<std::string> placeholder(const Route& route, std::string_view name, std::uint16_t port) {
  const std::string& suffix = route.suffix.empty() ? route.domain_suffix : route.suffix;
  if (name == "port") return fmt::format("{}", port);
  if (name == "id" && route.morph_id.empty()) return refused("morphId", "is required by {id} in template");
  if (name == "id") return route.morph_id;
  if (name == "scope" && route.scope.empty()) return refused("scope", "is required by {scope} in template");
  if (name == "scope") return route.scope;
  if (name == "suffix" && suffix.empty()) return refused("suffix", "is required by {suffix} in template (or domainSuffix)");
  if (name == "suffix") return suffix;
  return refused("template", "has an unknown placeholder; allowed are {port}, {id}, {scope} and {suffix}");
}

Result<Url> fill_template(const Route& route, std::uint16_t port) {
  std::string filled;
  std::string_view rest = route.url_template;
  while (!rest.empty()) {
    const std::size_t open = rest.find('{');
    filled += rest.substr(0, open);
    if (open == rest.npos) break;
    const std::size_t close = rest.find('}', open);
    if (close == rest.npos) return refused("template", "has a { without its }");
    const auto value = placeholder(route, rest.substr(open + 1, close - open - 1), port);
    if (!value) return value.error();
    filled += *value;
    rest.remove_prefix(close + 1);
  }
  auto url = parse_url("template", filled);
  if (url && url->has_more) return refused("template", "must not have a query or a fragment");
  return url;
}

Result<void> check_template(const Route& route) {
  const std::string lower = net::to_lower(route.url_template);
  if (!lower.starts_with("http://") && !lower.starts_with("https://"))
    return refused("template", "must start with http:// or https://");
  if (lower.find("{port}") == lower.npos) return refused("template", "must contain {port}");
  // A port beside a percent sign would become part of an encoded character.
  if (lower.find('%') != lower.npos) return refused("template", "must not be percent-encoded");
  const auto url = fill_template(route, kLongestPort);
  if (!url) return url.error();
  return {};
}

// All texts under their names in JSON.
std::array<std::pair<std::string_view, std::string_view>, 7> texts_of(const Route& route) {
  return {{{"morphId", route.morph_id},
           {"scope", route.scope},
           {"domainSuffix", route.domain_suffix},
           {"morphDomainSuffix", route.morph_domain_suffix},
           {"cmuxProxyOrigin", route.cmux_proxy_origin},
           {"template", route.url_template},
           {"suffix", route.suffix}}};
}

std::string_view without_dot(std::string_view suffix) {
  if (suffix.starts_with('.')) suffix.remove_prefix(1);
  return suffix;
}

std::string morph_host(const Route& route, std::uint16_t port) {
  return net::to_lower(fmt::format("port-{}-morphvm-{}.{}", port, route.morph_id, without_dot(route.morph_domain_suffix)));
}

std::string cmux_host(const Route& route, std::uint16_t port) {
  return net::to_lower(fmt::format("cmux-{}-{}-{}.{}", route.morph_id, route.scope, port, route.domain_suffix));
}

Result<void> check_length(std::string_view host, std::string_view suffix_field) {
  const std::size_t label = std::min(host.find('.'), host.size());
  if (label > kLongestLabel)
    return refused("morphId", fmt::format("is too long: the label {} has {} characters, {} are allowed", host.substr(0, label),
                                          label, kLongestLabel));
  if (host.size() > kLongestName)
    return refused(suffix_field,
                   fmt::format("is too long: the name has {} characters, {} are allowed", host.size(), kLongestName));
  return {};
}

Result<void> check_required(const Route& route, Kind kind) {
  if (kind == Kind::proxy_origin || kind == Kind::url_template) return {};
  if (route.morph_id.empty()) return refused("morphId", "is required");
  if (kind == Kind::morph) return check_length(morph_host(route, kLongestPort), "morphDomainSuffix");
  if (route.scope.empty()) return refused("scope", "is required");
  if (route.domain_suffix.empty()) return refused("domainSuffix", "is required");
  return check_length(cmux_host(route, kLongestPort), "domainSuffix");
}

// Where `url` is, as the upstream knows it.
Destination at(const Url& url) {
  Destination destination;
  destination.scheme = url.scheme;
  destination.h2c = url.h2c;
  destination.host = url.authority.host;
  destination.port = url.authority.port.value_or(default_port(url.scheme));
  net::Authority authority = url.authority;
  if (destination.port == default_port(url.scheme)) authority.port.reset();
  destination.authority = authority.text();
  return destination;
}

Destination at_https(std::string host) {
  Destination destination;
  destination.scheme = Scheme::https;
  destination.port = default_port(Scheme::https);
  destination.authority = host;
  destination.host = std::move(host);
  return destination;
}

std::string target_text(std::string_view host, std::optional<std::uint16_t> port) {
  net::Authority target;
  target.host = host;
  target.ipv6 = host.find(':') != host.npos;
  target.port = port;
  return target.text();
}

// Makes the dev server see the target's own authority. Morph hands Host on as it is; the cmux proxies, in public and in the
// machine, go by a field.
void override_host(const Route& route, Kind kind, Scheme scheme, std::string_view host, std::uint16_t port,
                   Destination& destination) {
  if (kind == Kind::morph || route.host_header)
    destination.authority = target_text(host, port == default_port(scheme) ? std::nullopt : std::optional(port));
  else destination.headers.emplace_back("X-Cmux-Host-Override", target_text(host, port));
}

}  // namespace

std::size_t bytes_of(const Route& route) {
  std::size_t bytes = 0;
  for (const auto& [name, text] : texts_of(route)) bytes += text.size();
  for (const auto& [name, value] : route.headers) bytes += sizeof(HeaderList::value_type) + name.size() + value.size();
  for (const std::string& host : route.hosts) bytes += sizeof host + host.size();
  return bytes;
}

Result<void> check_route(const Route& route) {
  for (const auto& [name, text] : texts_of(route))
    if (text.size() > kLongestText) return refused(name, fmt::format("has {} bytes, {} are allowed", text.size(), kLongestText));
  if (!route.morph_id.empty() && !is_morph_id(route.morph_id))
    return refused("morphId", "must be lower-case letters, digits and inner dashes");
  if (!route.scope.empty() && !is_scope(route.scope)) return refused("scope", "must be lower-case letters and digits");
  if (!route.domain_suffix.empty() && !is_domain(route.domain_suffix)) return refused("domainSuffix", "must be a DNS name");
  if (!route.morph_domain_suffix.empty() && !is_domain(without_dot(route.morph_domain_suffix)))
    return refused("morphDomainSuffix", "must be a DNS name, with or without a leading dot");
  if (!route.suffix.empty() && !net::is_dns_name(route.suffix)) return refused("suffix", "must be a DNS name or a part of one");
  if (!route.cmux_proxy_origin.empty()) {
    if (const auto origin = parse_proxy_origin(route); !origin) return origin.error();
  }
  if (!route.url_template.empty()) {
    if (const auto checked = check_template(route); !checked) return checked;
  }
  if (const auto checked = check_headers(route.headers); !checked) return checked;
  if (const auto checked = check_hosts(route.hosts); !checked) return checked;
  if (!route.hosts.empty() && route.cmux_proxy_origin.empty())
    return refused("hosts", "need cmuxProxyOrigin: nothing else reaches the workspace's network");
  if (route.host_header && route.host_override == Choice::off) return refused("hostHeader", "contradicts hostOverride off");
  if (route.host_header && kind_of(route) != Kind::url_template) return refused("hostHeader", "is for a template alone");
  return check_required(route, kind_of(route));
}

namespace {

void name_workspace(const Route& route, Destination& destination) {
  if (!route.scope.empty() && route.scope != "base") destination.headers.emplace_back("X-Cmux-Workspace-Internal", route.scope);
}

}  // namespace

Result<Destination> destination_of(const Route& route, Scheme target_scheme, std::string_view target_host,
                                   std::uint16_t target_port) {
  const Kind kind = kind_of(route);
  Destination destination;
  switch (kind) {
    case Kind::proxy_origin: {
      const auto url = parse_proxy_origin(route);
      if (!url) return url.error();
      destination = at(*url);
      destination.tunnels = true;
      destination.headers.emplace_back("X-Cmux-Port-Internal", fmt::format("{}", target_port));
      break;
    }
    case Kind::url_template: {
      auto url = fill_template(route, target_port);
      if (!url) return url.error();
      destination = at(*url);
      while (url->path.ends_with('/')) url->path.pop_back();
      destination.path_prefix = std::move(url->path);
      break;
    }
    case Kind::morph: destination = at_https(morph_host(route, target_port)); break;
    case Kind::cmux: destination = at_https(cmux_host(route, target_port)); break;
  }
  const bool wanted = route.host_override == Choice::on || route.host_header;
  destination.host_override = wanted || (route.host_override == Choice::automatic && kind != Kind::url_template);
  if (destination.host_override) override_host(route, kind, target_scheme, target_host, target_port, destination);
  if (kind == Kind::proxy_origin) name_workspace(route, destination);
  destination.headers.insert(destination.headers.end(), route.headers.begin(), route.headers.end());
  return destination;
}

Result<Destination> destination_of_host(const Route& route, Scheme target_scheme, const net::Authority& target) {
  const auto url = parse_proxy_origin(route);
  if (!url) return url.error();
  Destination destination = at(*url);
  destination.tunnels = true;
  destination.host_override = true;
  net::Authority whole = target, seen = target;
  whole.port = target.port.value_or(default_port(target_scheme));
  if (whole.port == default_port(target_scheme)) seen.port.reset();
  destination.headers.emplace_back("X-Cmux-Target-Internal", whole.text());
  // A server that has several names goes by this one, without the usual port, as it would for any other client.
  destination.headers.emplace_back("X-Cmux-Host-Override", seen.text());
  destination.headers.insert(destination.headers.end(), route.headers.begin(), route.headers.end());
  return destination;
}

Result<Destination> destination_of_ports(const Route& route) {
  constexpr std::uint16_t kAny = 39379;  // the machine is asked, whichever port its name is made with
  Destination destination;
  switch (kind_of(route)) {
    case Kind::proxy_origin: {
      const auto url = parse_proxy_origin(route);
      if (!url) return url.error();
      destination = at(*url);
      name_workspace(route, destination);
      break;
    }
    case Kind::cmux: destination = at_https(cmux_host(route, kAny)); break;
    case Kind::url_template:
    case Kind::morph:
      return make_error(Errc::unsupported,
                        "the far end of this route is no gateway, which alone tells the ports of its workspace (direct, "
                        "cmuxProxyOrigin, or a cmux name)");
  }
  destination.headers.insert(destination.headers.end(), route.headers.begin(), route.headers.end());
  return destination;
}

std::vector<std::string> warnings_of(const Route& route) {
  if (kind_of(route) != Kind::cmux || route.morph_id.find('-') == route.morph_id.npos) return {};
  return {
      fmt::format("morphId {0} holds a dash: the host cmux-{0}-{1}-PORT has two readings, and who takes the first part for the "
                  "id looks for another workspace. The way straight to the machine (direct) has one reading",
                  route.morph_id, route.scope)};
}

}  // namespace cmux::policy
