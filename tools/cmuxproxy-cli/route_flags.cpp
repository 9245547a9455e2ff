#include "route_flags.hpp"

#include <fmt/format.h>

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
};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::pair<std::string, std::string> split_header(std::string_view header, std::string_view flag) {
  const std::size_t colon = header.find(':');
  const std::string_view name = trimmed(header.substr(0, colon));
  if (colon == std::string_view::npos || name.empty()) throw Exit{kUsage, fmt::format("{}: expected 'Name: value'", flag)};
  return {std::string(name), std::string(trimmed(header.substr(colon + 1)))};
}

bool RouteFlags::any() const {
  bool set = !headers.empty() || !from_url.empty();
  for (const auto& [key, value] : values) set = set || !value.empty();
  return set;
}

void RouteFlags::add_to(json::object& body) const {
  json::object route;
  for (const auto& [key, value] : values)
    if (!value.empty()) route[key] = value;
  if (!headers.empty()) {
    json::object& named = route["headers"].emplace_object();
    for (const std::string& header : headers) {
      const auto [name, value] = split_header(header, "--header");
      if (named.contains(name)) throw Exit{kUsage, fmt::format("--header: {} is given twice", name)};
      named[name] = value;
    }
  }
  if (!route.empty()) body["route"] = std::move(route);
  if (!from_url.empty()) body["fromUrl"] = from_url;
}

void add_route_flags(CLI::App& command, RouteFlags& flags) {
  flags.values.reserve(std::size(kFlags));  // CLI11 keeps references
  for (const Flag& flag : kFlags) {
    auto& [key, value] = flags.values.emplace_back(flag.key, "");
    command.add_option(flag.flag, value, flag.help)->type_name(flag.type)->group("Route");
  }
  command.add_option("--from-url", flags.from_url, "take the route from a preview URL")->type_name("URL")->group("Route");
  command.add_option("--header", flags.headers, "goes on every request of the route (repeatable)")
      ->type_name("'N: V'")
      ->allow_extra_args(false)
      ->group("Route");
}

}  // namespace cmux::cli
