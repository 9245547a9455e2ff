#include "policy/preset.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "policy/route_text.hpp"

namespace cmux::policy {
namespace {

constexpr std::array<Preset, 7> kPresets = {{
    {"codespaces", "https://{id}-{port}.app.github.dev", "X-Github-Token", "", {}},
    {"devtunnels",
     "https://{id}-{port}.{suffix}.devtunnels.ms",
     "X-Tunnel-Authorization",
     "tunnel ",
     {"X-Tunnel-Skip-AntiPhishing-Page", "true"}},
    {"gitpod", "https://{port}-{id}.ws-{suffix}.gitpod.io", "", "", {}},
    {"e2b", "https://{port}-{id}.e2b.app", "e2b-traffic-access-token", "", {}},
    {"daytona",
     "https://{port}-{id}.proxy.daytona.work",
     "x-daytona-preview-token",
     "",
     {"X-Daytona-Skip-Preview-Warning", "true"}},
    {"codesandbox", "https://{id}-{port}.csb.app", "csb-preview-token", "", {}},
    // The last one: its domain is the installation's own, so that it takes names of any.
    {"coder", "https://{port}--{scope}--{id}.{suffix}", "Coder-Session-Token", "", {}},
}};

void add_header(Route& route, std::string_view name, std::string value) {
  const std::string lower = net::to_lower(name);
  const auto same = [&](const auto& header) { return net::to_lower(header.first) == lower; };
  if (std::none_of(route.headers.begin(), route.headers.end(), same)) route.headers.emplace_back(name, std::move(value));
}

// What a placeholder may stand for in a host; a suffix at the very end may have several labels.
bool fits(std::string_view placeholder, std::string_view text, bool last) {
  if (placeholder == "port") return !text.starts_with('0') && net::parse_port(text);
  if (placeholder == "id") return is_morph_id(text);
  if (placeholder == "scope") return is_scope(text);
  return net::is_dns_name(text) && (last || text.find('.') == text.npos);
}

std::string_view& slot(Filled& filled, std::string_view placeholder) {
  if (placeholder == "port") return filled.port;
  if (placeholder == "id") return filled.id;
  return placeholder == "scope" ? filled.scope : filled.suffix;
}

// The longest value first: an id may hold the dash behind which the port stands. Hosts are short, and placeholders few.
bool read_rest(std::string_view form, std::string_view host, Filled& filled) {
  const std::size_t open = form.find('{');
  if (open == form.npos) return form == host;
  if (!host.starts_with(form.substr(0, open))) return false;
  host.remove_prefix(open);
  const std::size_t close = form.find('}', open);
  const std::string_view placeholder = form.substr(open + 1, close - open - 1);
  const std::string_view rest = form.substr(close + 1);
  for (std::size_t size = host.size(); size > 0; --size) {
    if (!fits(placeholder, host.substr(0, size), rest.empty()) || !read_rest(rest, host.substr(size), filled)) continue;
    slot(filled, placeholder) = host.substr(0, size);
    return true;
  }
  return false;
}

}  // namespace

std::span<const Preset> presets() { return kPresets; }

const Preset* find_preset(std::string_view name) {
  const auto found = std::find_if(kPresets.begin(), kPresets.end(), [&](const Preset& preset) { return preset.name == name; });
  return found == kPresets.end() ? nullptr : &*found;
}

Result<void> apply_preset(const Preset& preset, std::string_view token, Route& route) {
  if (route.url_template.empty()) route.url_template = preset.url;
  if (!preset.header.first.empty()) add_header(route, preset.header.first, std::string(preset.header.second));
  if (token.empty()) return {};
  if (preset.token_header.empty())
    return refused("token", fmt::format("{} knows no header for it; set one with `headers`", preset.name));
  if (!check_headers({{std::string(preset.token_header), std::string(token)}}))
    return refused("token", "holds a control character, begins or ends with a space, or is too long");
  add_header(route, preset.token_header, fmt::format("{}{}", preset.token_prefix, token));
  return {};
}

std::optional<Filled> read_host(std::string_view url_template, std::string_view host) {
  constexpr std::string_view kStart = "https://";
  Filled filled;
  if (!url_template.starts_with(kStart) || !read_rest(url_template.substr(kStart.size()), host, filled)) return std::nullopt;
  return filled;
}

}  // namespace cmux::policy
