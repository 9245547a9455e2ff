#include "route_flags.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "policy/preset.hpp"

namespace cmux::cli {
namespace {

struct Flag {
  const char *flag, *key, *type, *help;
};
constexpr Flag kFlags[] = {
    {"--morph-id", "morphId", "ID", "the workspace's id"},
    {"--scope", "scope", "NAME", "the scope in the workspace, such as base"},
    {"--domain-suffix", "domainSuffix", "DOMAIN", "goes to https://cmux-ID-SCOPE-PORT.DOMAIN"},
    {"--morph-domain-suffix", "morphDomainSuffix", "DOMAIN", "goes to https://port-PORT-morphvm-ID.DOMAIN"},
    {"--cmux-proxy-origin", "cmuxProxyOrigin", "URL", "goes to this cmux proxy, with the port in a header"},
    {"--template", "template", "URL", "goes to this URL, with {port}, {id}, {scope} and {suffix} filled in"},
    {"--suffix", "suffix", "TEXT", "what fills {suffix} of a template"},
    {"--host-override", "hostOverride", "auto|on|off",
     "whether the dev server sees the client's own Host; auto: on every route but a template"},
    {"--rewrite-origin", "rewriteOrigin", "auto|on|off",
     "whether Origin becomes the workspace's where the dev server sees its Host; auto: but for Next.js's own paths"},
};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

constexpr std::size_t kMostFileBytes = 64 * 1024;  // more than a route's headers may have
constexpr std::string_view kVariable = "env:";

// A value, or that of the variable which it names.
std::string value_of(std::string_view text, std::string_view flag) {
  if (!text.starts_with(kVariable)) return std::string(text);
  const std::string name(text.substr(kVariable.size()));
  const char* const value = std::getenv(name.c_str());
  if (!value) throw Exit{kUsage, fmt::format("{}: there is no variable {}", flag, name)};
  return std::string(trimmed(value));
}

void add_header(std::string_view header, std::string_view flag, json::object& named) {
  const auto [name, value] = split_header(header, flag);
  if (named.contains(name)) throw Exit{kUsage, fmt::format("{}: {} is given twice", flag, name)};
  named[name] = value_of(value, flag);
}

// A header a line; empty lines and those that begin with # are none.
void add_header_file(const std::string& path, json::object& named) {
  std::ifstream file(path);
  if (!file) throw Exit{kUsage, fmt::format("--header-file: cannot open {}: {}", path, std::strerror(errno))};
  std::size_t bytes = 0, number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    bytes += line.size() + 1;
    if (bytes > kMostFileBytes) throw Exit{kUsage, fmt::format("--header-file: {} has more than {} bytes", path, kMostFileBytes)};
    if (line.ends_with('\r')) line.pop_back();
    if (trimmed(line).empty() || line.starts_with('#')) continue;
    add_header(line, fmt::format("--header-file {}:{}", path, number), named);
  }
  if (file.bad()) throw Exit{kUsage, fmt::format("--header-file: cannot read {}: {}", path, std::strerror(errno))};
}

std::string preset_names() {
  std::string names;
  for (const policy::Preset& preset : policy::presets()) names += fmt::format("{}{}", names.empty() ? "" : "|", preset.name);
  return names;
}

}  // namespace

CLI::Validator not_empty() {
  return CLI::Validator([](const std::string& text) { return text.empty() ? std::string("must not be empty") : std::string(); },
                        "");
}

std::pair<std::string, std::string> split_header(std::string_view header, std::string_view flag) {
  const std::size_t colon = header.find(':');
  const std::string_view name = trimmed(header.substr(0, colon));
  if (colon == std::string_view::npos || name.empty()) throw Exit{kUsage, fmt::format("{}: expected 'Name: value'", flag)};
  return {std::string(name), std::string(trimmed(header.substr(colon + 1)))};
}

bool RouteFlags::any() const {
  bool set = !headers.empty() || !header_files.empty() || !hosts.empty() || !from_url.empty() || !preset.empty() ||
             !token.empty() || direct || host_header;
  for (const auto& [key, value] : values) set = set || !value.empty();
  return set;
}

void RouteFlags::add_to(json::object& body) const {
  json::object route;
  for (const auto& [key, value] : values)
    if (!value.empty()) route[key] = value;
  json::object named;
  for (const std::string& header : headers) add_header(header, "--header", named);
  for (const std::string& path : header_files) add_header_file(path, named);
  if (!named.empty()) route["headers"] = std::move(named);
  for (const std::string& host : hosts) {
    if (!route.contains("hosts")) route["hosts"].emplace_array();
    route["hosts"].as_array().emplace_back(host);
  }
  if (host_header) route["hostHeader"] = true;
  if (!route.empty()) body["route"] = std::move(route);
  if (!from_url.empty()) body["fromUrl"] = from_url;
  if (!preset.empty()) body["preset"] = preset;
  if (!token.empty()) body["token"] = value_of(token, "--token");
  if (direct) body["direct"] = true;
}

void print_warnings(const json::object& context) {
  if (const json::array* const warnings = member(context, "warnings").if_array())
    for (const json::value& warning : *warnings) print_note(fmt::format("cmuxproxy: warning: {}", shown(warning)));
}

void add_route_flags(CLI::App& command, RouteFlags& flags) {
  flags.values.reserve(std::size(kFlags));  // CLI11 keeps references
  for (const Flag& flag : kFlags) {
    auto& [key, value] = flags.values.emplace_back(flag.key, "");
    command.add_option(flag.flag, value, flag.help)->type_name(flag.type)->check(not_empty())->group("Route");
  }
  command.add_option("--from-url", flags.from_url, "take the route from a preview URL")
      ->type_name("URL")
      ->check(not_empty())
      ->group("Route");
  command
      .add_flag("--direct", flags.direct,
                "straight to the proxy in the workspace's machine, of a cmux or morph route: nothing is put into pages, and raw "
                "TCP works")
      ->group("Route");
  command.add_option("--preset", flags.preset, "the template and headers of a cloud")
      ->type_name(preset_names())
      ->check(not_empty())
      ->group("Route");
  command
      .add_option(
          "--token", flags.token,
          "goes into the header that the preset (or the kind of --from-url) has for it; env:VAR takes it from a variable, "
          "where ps does not show it")
      ->type_name("TOKEN|env:VAR")
      ->check(not_empty())
      ->group("Route");
  command
      .add_option(
          "--host", flags.hosts,
          "hosts beyond localhost that are the workspace's too, such as '*.internal'; needs a cmuxProxyOrigin, as --direct "
          "has (repeatable)")
      ->type_name("GLOB")
      ->allow_extra_args(false)
      ->check(not_empty())
      ->group("Route");
  command
      .add_flag("--host-header", flags.host_header,
                "of a template: send the client's Host as Host itself, for clouds that hand it through")
      ->group("Route");
  command
      .add_option("--header", flags.headers,
                  "goes on every request of the route; 'N: env:VAR' takes the value from a variable, where ps does not show it "
                  "(repeatable)")
      ->type_name("'N: V'")
      ->allow_extra_args(false)
      ->group("Route");
  command.add_option("--header-file", flags.header_files, "a file with a header a line, for those that are secret (repeatable)")
      ->type_name("FILE")
      ->allow_extra_args(false)
      ->check(not_empty())
      ->group("Route");
}

std::string route_summary(const json::value& route) {
  if (route.is_null()) return std::string(kNoRoute);
  std::string out;
  for (const char* key : {"cmuxProxyOrigin", "template", "morphId", "scope", "domainSuffix", "morphDomainSuffix", "suffix"})
    if (const std::string text = text_member(route, key); !text.empty()) out += (out.empty() ? "" : " ") + text;
  return out;
}

}  // namespace cmux::cli
