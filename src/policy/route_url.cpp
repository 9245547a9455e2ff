#include "policy/route_url.hpp"

#include <fmt/format.h>

#include "policy/hosts.hpp"
#include "policy/preset.hpp"
#include "policy/route_text.hpp"

namespace cmux::policy {
namespace {

constexpr std::string_view kMorphSuffix = ".http.cloud.morph.so";
constexpr std::uint16_t kMachinePort = 39379;  // where the proxy in the machine listens

std::string expected() {
  std::string forms =
      "must have one of the forms https://cmux-<morphId>-<scope>-<port>.<domain>, https://cmux-<morphId>-<port>.<domain>, "
      "https://manaflow-<morphId>-<scope>-<port>.<domain>, https://port-<port>-<morphId>.<domain>, "
      "https://<workspace>-<port>-<vm>.<domain>, https://port-<port>-morphvm-<morphId>.<suffix>";
  for (const Preset& preset : presets()) {
    forms += ", ";
    for (const char c : preset.url) forms += c == '{' ? '<' : c == '}' ? '>' : c;
  }
  return forms;
}

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

constexpr std::string_view kPort = "port-", kCmux = "cmux-", kManaflow = "manaflow-";

FromUrl on_morph(std::string_view id, std::string suffix, std::uint16_t port) {
  FromUrl found;
  found.route.morph_id = id;
  found.route.morph_domain_suffix = std::move(suffix);
  found.port = port;
  return found;
}

// "port-<port>-morphvm-<id>" and what follows its dot.
std::optional<FromUrl> from_morph_host(std::string_view label, std::string_view domain) {
  constexpr std::string_view kMiddle = "-morphvm-";
  const std::size_t middle = label.find(kMiddle);
  if (!label.starts_with(kPort) || middle == label.npos || middle < kPort.size()) return std::nullopt;
  const auto port = plain_port(label.substr(kPort.size(), middle - kPort.size()));
  const std::string_view id = label.substr(middle + kMiddle.size());
  if (!port || !is_morph_id(id)) return std::nullopt;
  return on_morph(id, fmt::format(".{}", domain), *port);
}

std::optional<FromUrl> from_cmux_label(std::string_view label, std::string_view domain) {
  std::string_view rest = label.substr(label.starts_with(kCmux) ? kCmux.size() : kManaflow.size());
  const auto port = plain_port(take_last(rest).value_or(std::string_view()));
  const std::string_view scope = take_last(rest).value_or("base");
  if (!port || !is_scope(scope) || !is_morph_id(rest)) return std::nullopt;
  FromUrl found;
  found.route.morph_id = rest;
  found.route.scope = scope;
  found.route.domain_suffix = domain;
  found.port = *port;
  return found;
}

// "port-<port>-<id>": the cmux proxy would take it to morph, which lets the dev server see localhost only when asked directly.
std::optional<FromUrl> from_port_label(std::string_view label) {
  label.remove_prefix(kPort.size());
  const std::size_t dash = std::min(label.find('-'), label.size());
  const auto port = plain_port(label.substr(0, dash));
  if (!port || dash == label.size() || !is_morph_id(label.substr(dash + 1))) return std::nullopt;
  return on_morph(label.substr(dash + 1), std::string(kMorphSuffix), *port);
}

// "<workspace>-<port>-<vm>": through the cmux proxy to the one in the machine, which takes the field that tells the Host.
std::optional<FromUrl> from_workspace_label(std::string_view label, std::string_view domain) {
  const auto vm = take_last(label);
  const auto port = plain_port(take_last(label).value_or(std::string_view()));
  if (!port || !is_scope(*vm) || !is_morph_id(label)) return std::nullopt;
  FromUrl found;
  found.route.morph_id = *vm;
  found.route.url_template = fmt::format("https://{}-{{port}}-{{id}}.{}", label, domain);
  found.route.host_override = Choice::on;
  found.port = *port;
  return found;
}

std::optional<FromUrl> from_cmux_host(std::string_view label, std::string_view domain) {
  if (label.starts_with(kCmux) || label.starts_with(kManaflow)) return from_cmux_label(label, domain);
  if (label.starts_with(kPort)) return from_port_label(label);
  return from_workspace_label(label, domain);
}

std::optional<FromUrl> from_preset_host(std::string_view host) {
  for (const Preset& preset : presets()) {
    const auto filled = read_host(preset.url, host);
    if (!filled) continue;
    FromUrl found;
    found.route.url_template = preset.url;
    found.route.morph_id = filled->id;
    found.route.scope = filled->scope;
    found.route.suffix = filled->suffix;
    found.port = *net::parse_port(filled->port);
    found.preset = &preset;
    if (!apply_preset(preset, {}, found.route)) return std::nullopt;
    return found;
  }
  return std::nullopt;
}

}  // namespace

Result<FromUrl> route_from_url(std::string_view url, std::span<const std::string> more) {
  const auto parsed = parse_url("url", url);
  if (!parsed) return make_error(Errc::config, fmt::format("{}; it {}", parsed.error().detail, expected()));
  const net::Authority& authority = parsed->authority;
  if (authority.port) return refused("url", "must not name a port: it is in the host's name");
  const std::size_t dot = authority.host.find('.');
  if (authority.ipv6 || dot == authority.host.npos) return refused("url", expected());
  const std::string_view label = std::string_view(authority.host).substr(0, dot);
  const std::string_view domain = std::string_view(authority.host).substr(dot + 1);

  const bool known = is_known_domain(domain, more);
  std::optional<FromUrl> found = from_morph_host(label, domain);
  if (!found && known) found = from_cmux_host(label, domain);
  // Under a cmux domain every name is cmux's.
  if (!found && !known) found = from_preset_host(authority.host);
  if (!found) {
    const bool cmux = !known && (label.starts_with(kCmux) || label.starts_with(kManaflow)) && from_cmux_label(label, domain);
    if (!cmux) return refused("url", expected());
    return refused("url", fmt::format("{} is no known domain; known are {}{}{}", domain, fmt::join(known_domains(), ", "),
                                      more.empty() ? "" : ", ", fmt::join(more, ", ")));
  }
  if (const auto checked = check_route(found->route); !checked)
    return make_error(Errc::config, fmt::format("url: {}", checked.error().detail));
  return std::move(*found);
}

Result<Route> direct_route(Route route) {
  if (!route.cmux_proxy_origin.empty() || !route.url_template.empty() || route.morph_id.empty())
    return refused("direct", "is for the route of a cmux or morph workspace, and needs its morphId");
  if (route.morph_domain_suffix.empty()) route.morph_domain_suffix = kMorphSuffix;
  // As a morph route, which it is but for the port that stands for all; what asks for a cmuxProxyOrigin gets one now.
  Route morph = route;
  morph.hosts.clear();
  if (const auto checked = check_route(morph); !checked) return checked.error();
  const auto machine = destination_of(morph, Scheme::http, "localhost", kMachinePort);
  if (!machine) return machine.error();
  route.cmux_proxy_origin = fmt::format("https://{}", machine->host);
  route.morph_domain_suffix.clear();
  route.domain_suffix.clear();
  return route;
}

}  // namespace cmux::policy
