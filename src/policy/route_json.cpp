#include "policy/route_json.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <boost/json.hpp>

namespace cmux::policy {
namespace {

namespace json = boost::json;

struct TextField {
  std::string_view key;
  std::string Route::*member;
};

// In the order in which they are written.
constexpr std::array<TextField, 7> kTexts = {{
    {"morphId", &Route::morph_id},
    {"scope", &Route::scope},
    {"domainSuffix", &Route::domain_suffix},
    {"morphDomainSuffix", &Route::morph_domain_suffix},
    {"cmuxProxyOrigin", &Route::cmux_proxy_origin},
    {"template", &Route::url_template},
    {"suffix", &Route::suffix},
}};
struct ChoiceField {
  std::string_view key;
  Choice Route::*member;
};
constexpr std::array<ChoiceField, 2> kChoices = {{
    {"hostOverride", &Route::host_override},
    {"rewriteOrigin", &Route::rewrite_origin},
}};
constexpr std::array<std::string_view, 3> kChoiceNames = {"auto", "on", "off"};  // in the order of Choice
constexpr std::string_view kHeaders = "headers", kHosts = "hosts", kHostHeader = "hostHeader";
constexpr std::string_view kRedacted = "***";

Error refused(std::string detail) { return make_error(Errc::config, std::move(detail)); }

json::string_view to_json(std::string_view text) { return {text.data(), text.size()}; }
std::string from_json(json::string_view text) { return {text.data(), text.size()}; }

bool is_field(json::string_view key) {
  const auto is = [&](const auto& field) { return key == to_json(field.key); };
  return std::any_of(kTexts.begin(), kTexts.end(), is) || std::any_of(kChoices.begin(), kChoices.end(), is) ||
         key == to_json(kHeaders) || key == to_json(kHosts) || key == to_json(kHostHeader);
}

Error unknown_key(json::string_view key) {
  std::string allowed;
  for (const TextField& text : kTexts) allowed += fmt::format("{}, ", text.key);
  allowed += fmt::format("{}, {}, {}", kHeaders, kHosts, kHostHeader);
  for (const ChoiceField& choice : kChoices) allowed += fmt::format(", {}", choice.key);
  return refused(fmt::format("{}: is no field of a route; allowed are {}", json::serialize(json::value(key)), allowed));
}

Result<HeaderList> headers_from(const json::value& value) {
  if (!value.is_object()) return refused("headers: must be an object of names and values");
  HeaderList headers;
  for (const json::key_value_pair& header : value.get_object()) {
    if (!header.value().is_string())
      return refused(fmt::format("headers: the value of {} must be a string", json::serialize(json::value(header.key()))));
    headers.emplace_back(from_json(header.key()), from_json(header.value().get_string()));
  }
  return headers;
}

Result<std::vector<std::string>> hosts_from(const json::value& value) {
  if (!value.is_array()) return refused("hosts: must be a list of names");
  std::vector<std::string> hosts;
  for (const json::value& host : value.get_array()) {
    if (!host.is_string()) return refused("hosts: must be a list of names");
    hosts.push_back(net::to_lower(from_json(host.get_string())));
  }
  return hosts;
}

Result<Choice> choice_from(std::string_view key, const json::value& value) {
  const json::string* const text = value.if_string();
  for (std::size_t i = 0; text && i < kChoiceNames.size(); ++i)
    if (*text == to_json(kChoiceNames[i])) return static_cast<Choice>(i);
  return refused(fmt::format("{}: must be one of {}", key, fmt::join(kChoiceNames, ", ")));
}

// Sets what the field says; false where there is none of that name.
Result<bool> read_text(Route& route, const json::key_value_pair& field) {
  for (const TextField& text : kTexts) {
    if (field.key() != to_json(text.key)) continue;
    if (!field.value().is_string()) return refused(fmt::format("{}: must be a string", text.key));
    route.*text.member = from_json(field.value().get_string());
    return true;
  }
  return false;
}

Result<bool> read_choice(Route& route, const json::key_value_pair& field) {
  for (const ChoiceField& choice : kChoices) {
    if (field.key() != to_json(choice.key)) continue;
    const auto value = choice_from(choice.key, field.value());
    if (!value) return value.error();
    route.*choice.member = *value;
    return true;
  }
  if (field.key() != to_json(kHostHeader)) return false;
  if (!field.value().is_bool()) return refused(fmt::format("{}: must be true or false", kHostHeader));
  route.host_header = field.value().get_bool();
  return true;
}

Result<bool> read_list(Route& route, const json::key_value_pair& field) {
  if (field.key() == to_json(kHeaders)) {
    auto headers = headers_from(field.value());
    if (!headers) return headers.error();
    route.headers = std::move(*headers);
    return true;
  }
  if (field.key() != to_json(kHosts)) return false;
  auto hosts = hosts_from(field.value());
  if (!hosts) return hosts.error();
  route.hosts = std::move(*hosts);
  return true;
}

Result<void> read_field(Route& route, const json::key_value_pair& field) {
  // Null counts as not set, where there is such a field.
  if (field.value().is_null()) return is_field(field.key()) ? Result<void>{} : unknown_key(field.key());
  for (const auto read : {read_text, read_choice, read_list}) {
    const auto known = read(route, field);
    if (!known) return known.error();
    if (*known) return {};
  }
  return unknown_key(field.key());
}

}  // namespace

Result<Route> read_route(const json::value& value) {
  if (!value.is_object()) return refused("route: must be an object");
  Route route;
  for (const json::key_value_pair& field : value.get_object()) {
    if (const auto read = read_field(route, field); !read) return read.error();
  }
  return route;
}

Result<Route> route_from_json(const json::value& value) {
  auto route = read_route(value);
  if (!route) return route;
  if (const auto checked = check_route(*route); !checked) return checked.error();
  return route;
}

json::object route_to_json(const Route& route, bool redacted) {
  json::object object;
  for (const TextField& text : kTexts) {
    if (!(route.*text.member).empty()) object[to_json(text.key)] = route.*text.member;
  }
  if (!route.headers.empty()) {
    json::object& headers = object[to_json(kHeaders)].emplace_object();
    for (const auto& [name, header_value] : route.headers) headers[name] = redacted ? to_json(kRedacted) : to_json(header_value);
  }
  if (!route.hosts.empty()) {
    json::array& hosts = object[to_json(kHosts)].emplace_array();
    for (const std::string& host : route.hosts) hosts.emplace_back(host);
  }
  if (route.host_header) object[to_json(kHostHeader)] = true;
  for (const ChoiceField& choice : kChoices)
    if (const auto chosen = route.*choice.member; chosen != Choice::automatic)
      object[to_json(choice.key)] = to_json(kChoiceNames[static_cast<std::size_t>(chosen)]);
  return object;
}

}  // namespace cmux::policy
