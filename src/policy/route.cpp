#include "policy/route.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

namespace cmux::policy {
namespace {

constexpr std::uint16_t kLongestPort = 65535;
constexpr std::size_t kLongestLabel = 63;
constexpr std::size_t kLongestName = 253;

constexpr std::array<std::string_view, 10> kKnownDomains = {
    "cmux.app",       "cmux.sh",      "cmux.dev",       "cmux.com",           "cmux.local",
    "cmux.localhost", "manaflow.com", "manaflow.local", "manaflow.localhost", "autobuild.app",
};

enum class Kind : std::uint8_t { proxy_origin, url_template, morph, cmux };

Kind kind_of(const Route& route) {
  if (!route.cmux_proxy_origin.empty()) return Kind::proxy_origin;
  if (!route.url_template.empty()) return Kind::url_template;
  if (!route.morph_domain_suffix.empty()) return Kind::morph;
  return Kind::cmux;
}

Error refused(std::string_view field, std::string_view why) {
  return make_error(Errc::config, fmt::format("{}: {}", field, why));
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || is_digit(c); }

bool is_scope(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_lower_or_digit); }

bool is_morph_id(std::string_view text) {
  return !text.empty() && text.front() != '-' && text.back() != '-' &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_lower_or_digit(c) || c == '-'; });
}

// A DNS name that no one takes for an IPv4 address.
bool is_domain(std::string_view text) {
  const std::string_view last = text.substr(text.rfind('.') + 1);
  return net::is_dns_name(text) && !std::all_of(last.begin(), last.end(), is_digit);
}

struct Url {
  Scheme scheme = Scheme::http;
  bool h2c = false;
  net::Authority authority;
  std::string path;
  bool has_more = false;  // a query or a fragment
};

// An absolute http or https URL, or one of `h2c` where that is allowed, without user info. Errors do not quote it: what is wrong
// may be a password.
Result<Url> parse_url(std::string_view field, std::string_view text, bool h2c_allowed = false) {
  // Boost.URL 1.81 has an assertion that "http:" and then what no path can begin with does not pass.
  if (text.find("://") != text.find(':')) return refused(field, "must be a valid URL with ://");
  const auto parsed = boost::urls::parse_uri({text.data(), text.size()});
  if (!parsed) return refused(field, "must be a valid URL");
  Url url;
  switch (parsed->scheme_id()) {
    case boost::urls::scheme::http: url.scheme = Scheme::http; break;
    case boost::urls::scheme::https: url.scheme = Scheme::https; break;
    default:
      url.h2c = h2c_allowed && net::to_lower({parsed->scheme().data(), parsed->scheme().size()}) == "h2c";
      if (!url.h2c)
        return refused(field,
                       h2c_allowed ? "must start with http://, https:// or h2c://" : "must start with http:// or https://");
  }
  if (!parsed->has_authority()) return refused(field, "must hold a host");
  if (parsed->has_userinfo()) return refused(field, "must not hold user info");
  const auto authority = parsed->encoded_authority();
  auto checked = net::parse_authority({authority.data(), authority.size()});
  if (!checked) return refused(field, checked.error().detail);
  url.authority = std::move(*checked);
  url.path.assign(parsed->encoded_path().data(), parsed->encoded_path().size());
  url.has_more = parsed->has_query() || parsed->has_fragment();
  return url;
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

}  // namespace

std::size_t bytes_of(const Route& route) {
  std::size_t bytes = 0;
  for (const auto& [name, text] : texts_of(route)) bytes += text.size();
  for (const auto& [name, value] : route.headers) bytes += sizeof(HeaderList::value_type) + name.size() + value.size();
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
  return check_required(route, kind_of(route));
}

Result<Destination> destination_of(const Route& route, Scheme target_scheme, std::string_view target_host,
                                   std::uint16_t target_port) {
  Destination destination;
  switch (kind_of(route)) {
    case Kind::proxy_origin: {
      const auto url = parse_proxy_origin(route);
      if (!url) return url.error();
      destination = at(*url);
      destination.host_override = true;
      destination.tunnels = true;
      destination.headers.emplace_back("X-Cmux-Port-Internal", fmt::format("{}", target_port));
      destination.headers.emplace_back("X-Cmux-Host-Override", target_text(target_host, target_port));
      if (!route.scope.empty() && route.scope != "base")
        destination.headers.emplace_back("X-Cmux-Workspace-Internal", route.scope);
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
    case Kind::morph: {
      destination = at_https(morph_host(route, target_port));
      destination.host_override = true;
      const bool is_default = target_port == default_port(target_scheme);
      destination.authority = target_text(target_host, is_default ? std::nullopt : std::optional(target_port));
      break;
    }
    case Kind::cmux: destination = at_https(cmux_host(route, target_port)); break;
  }
  destination.headers.insert(destination.headers.end(), route.headers.begin(), route.headers.end());
  return destination;
}

std::span<const std::string_view> known_domains() { return kKnownDomains; }

bool is_loopback_target(std::string_view host, std::span<const std::string> more) {
  const auto under = [&](std::string_view domain) { return net::is_under(host, domain); };
  return net::is_loopback_name(host) && std::none_of(kKnownDomains.begin(), kKnownDomains.end(), under) &&
         std::none_of(more.begin(), more.end(), under);
}

namespace {

constexpr std::string_view kExpected =
    "must be http(s)://cmux-<morphId>-<scope>-<port>.<domain>, http(s)://manaflow-<morphId>-<scope>-<port>.<domain> or "
    "http(s)://port-<port>-morphvm-<id>.<suffix>";

// What follows the last dash; `text` keeps what precedes it. Nothing where there is no dash.
std::optional<std::string_view> take_last(std::string_view& text) {
  const std::size_t dash = text.rfind('-');
  if (dash == text.npos) return std::nullopt;
  const std::string_view last = text.substr(dash + 1);
  text = text.substr(0, dash);
  return last;
}

// A port as a URL rule writes it: a leading zero would name another host.
std::optional<std::uint16_t> plain_port(std::string_view text) {
  return text.starts_with('0') ? std::nullopt : net::parse_port(text);
}

// "port-<port>-morphvm-<id>" and what follows its dot.
std::optional<FromUrl> from_morph_host(std::string_view label, std::string_view domain) {
  constexpr std::string_view kPrefix = "port-", kMiddle = "-morphvm-";
  const std::size_t middle = label.find(kMiddle);
  if (!label.starts_with(kPrefix) || middle == label.npos || middle < kPrefix.size()) return std::nullopt;
  const auto port = plain_port(label.substr(kPrefix.size(), middle - kPrefix.size()));
  const std::string_view id = label.substr(middle + kMiddle.size());
  if (!port || !is_morph_id(id)) return std::nullopt;
  FromUrl found;
  found.route.morph_id = id;
  found.route.morph_domain_suffix = fmt::format(".{}", domain);
  found.port = *port;
  return found;
}

std::optional<FromUrl> from_cmux_host(std::string_view label, std::string_view domain) {
  constexpr std::string_view kCmux = "cmux-", kManaflow = "manaflow-";
  if (!label.starts_with(kCmux) && !label.starts_with(kManaflow)) return std::nullopt;
  std::string_view rest = label.substr(label.starts_with(kCmux) ? kCmux.size() : kManaflow.size());
  const auto port_text = take_last(rest);
  const auto scope = take_last(rest);
  if (!port_text || !scope || !is_scope(*scope) || !is_morph_id(rest)) return std::nullopt;
  const auto port = plain_port(*port_text);
  if (!port) return std::nullopt;
  FromUrl found;
  found.route.morph_id = rest;
  found.route.scope = *scope;
  found.route.domain_suffix = domain;
  found.port = *port;
  return found;
}

}  // namespace

Result<FromUrl> route_from_url(std::string_view url, std::span<const std::string> more) {
  const auto parsed = parse_url("url", url);
  if (!parsed) return make_error(Errc::config, fmt::format("{}; it {}", parsed.error().detail, kExpected));
  const net::Authority& authority = parsed->authority;
  if (authority.port) return refused("url", "must not name a port: it is in the host's name");
  const std::size_t dot = authority.host.find('.');
  if (authority.ipv6 || dot == authority.host.npos) return refused("url", kExpected);
  const std::string_view label = std::string_view(authority.host).substr(0, dot);
  const std::string_view domain = std::string_view(authority.host).substr(dot + 1);

  std::optional<FromUrl> found = from_morph_host(label, domain);
  if (!found) {
    found = from_cmux_host(label, domain);
    if (!found) return refused("url", kExpected);
    const bool known = std::find(kKnownDomains.begin(), kKnownDomains.end(), domain) != kKnownDomains.end() ||
                       std::find(more.begin(), more.end(), domain) != more.end();
    if (!known)
      return refused("url", fmt::format("{} is no known domain; known are {}{}{}", domain, fmt::join(kKnownDomains, ", "),
                                        more.empty() ? "" : ", ", fmt::join(more, ", ")));
  }
  if (const auto checked = check_route(found->route); !checked)
    return make_error(Errc::config, fmt::format("url: {}", checked.error().detail));
  return std::move(*found);
}

}  // namespace cmux::policy
