#include "policy/route_json.hpp"

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
constexpr std::string_view kHeaders = "headers";
constexpr std::string_view kRedacted = "***";

Error refused(std::string detail) { return make_error(Errc::config, std::move(detail)); }

json::string_view to_json(std::string_view text) { return {text.data(), text.size()}; }
std::string from_json(json::string_view text) { return {text.data(), text.size()}; }

Error unknown_key(json::string_view key) {
  std::string allowed;
  for (const TextField& text : kTexts) allowed += fmt::format("{}, ", text.key);
  return refused(
      fmt::format("{}: is no field of a route; allowed are {}{}", json::serialize(json::value(key)), allowed, kHeaders));
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

Result<void> read_field(Route& route, const json::key_value_pair& field) {
  for (const TextField& text : kTexts) {
    if (field.key() != to_json(text.key)) continue;
    if (field.value().is_null()) return {};
    if (!field.value().is_string()) return refused(fmt::format("{}: must be a string", text.key));
    route.*text.member = from_json(field.value().get_string());
    return {};
  }
  if (field.key() != to_json(kHeaders)) return unknown_key(field.key());
  if (field.value().is_null()) return {};
  auto headers = headers_from(field.value());
  if (!headers) return headers.error();
  route.headers = std::move(*headers);
  return {};
}

}  // namespace

Result<Route> route_from_json(const json::value& value) {
  if (!value.is_object()) return refused("route: must be an object");
  Route route;
  for (const json::key_value_pair& field : value.get_object()) {
    if (const auto read = read_field(route, field); !read) return read.error();
  }
  if (const auto checked = check_route(route); !checked) return checked.error();
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
  return object;
}

}  // namespace cmux::policy
