#include "admin/context_request.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cmath>
#include <limits>

#include "base/log.hpp"
#include "policy/preset.hpp"
#include "policy/route_json.hpp"
#include "policy/route_url.hpp"

namespace cmux::admin {
namespace {

namespace json = boost::json;

constexpr std::size_t kLongestLabel = 200;
constexpr std::uint64_t kLargestId = (std::uint64_t{1} << 53) - 1;  // what every JSON reader can hold
constexpr double kLongestTtl = 10.0 * 365 * 24 * 3600;              // ten years: far inside what the clocks can hold

constexpr std::size_t kMostForwards = 64;

// The keys that say a route, and the others of a new context.
constexpr std::array<std::string_view, 5> kChangeKeys = {"route", "fromUrl", "preset", "token", "direct"};
constexpr std::array<std::string_view, 13> kCreateKeys = {
    "webContentsId", "route",    "fromUrl",       "preset",   "token",       "direct",     "label",
    "ttlSeconds",    "ownerPid", "dedicatedPort", "forwards", "forwardAuto", "transparent"};

json::string_view to_json(std::string_view text) { return {text.data(), text.size()}; }
std::string_view from_json(json::string_view text) { return {text.data(), text.size()}; }

// The key's value; null where it is absent or null: both count as not set.
const json::value* set_value(const json::object& body, std::string_view key) {
  const json::value* const value = body.if_contains(to_json(key));
  return value && !value->is_null() ? value : nullptr;
}

template <std::size_t N>
std::optional<Reply> check_keys(const json::object& body, const std::array<std::string_view, N>& allowed) {
  for (const json::key_value_pair& field : body) {
    const std::string_view key = from_json(field.key());
    if (std::find(allowed.begin(), allowed.end(), key) != allowed.end()) continue;
    return problem(400, fmt::format("{} is not known here; allowed are {}", quoted(key), fmt::join(allowed, ", ")),
                   key.substr(0, 60));
  }
  return std::nullopt;
}

std::optional<std::uint64_t> whole_number(const json::value& value) {
  if (const auto* const number = value.if_uint64()) return *number;
  if (const auto* const number = value.if_int64(); number && *number >= 0) return static_cast<std::uint64_t>(*number);
  return std::nullopt;
}

// Shown to people as it is, by whatever shows it.
bool is_plain_text(std::string_view text) { return log::printable(text) == text; }

// What fills in a route's open fields, besides the fields themselves.
struct Sources {
  std::string from_url, token;
  const policy::Preset* preset = nullptr;
  bool direct = false;
};

std::optional<Reply> read_sources(const json::object& body, Sources& sources) {
  for (const auto& [key, text] : {std::pair("fromUrl", &sources.from_url), std::pair("token", &sources.token)}) {
    const json::value* const value = set_value(body, key);
    if (!value) continue;
    if (!value->is_string()) return problem(400, fmt::format("{}: must be a string", key), key);
    *text = from_json(value->get_string());
    if (text->empty()) return problem(400, fmt::format("{}: must not be empty", key), key);
  }
  if (const json::value* const value = set_value(body, "preset")) {
    if (value->is_string()) sources.preset = policy::find_preset(from_json(value->get_string()));
    std::vector<std::string_view> names;
    for (const policy::Preset& preset : policy::presets()) names.push_back(preset.name);
    if (!sources.preset) return problem(400, fmt::format("preset: must be one of {}", fmt::join(names, ", ")), "preset");
  }
  if (const json::value* const value = set_value(body, "direct")) {
    if (!value->is_bool()) return problem(400, "direct: must be true or false", "direct");
    sources.direct = value->get_bool();
  }
  return std::nullopt;
}

// Fills the fields of `wanted` that are not set with what the URL says.
std::optional<Reply> take_url(Sources& sources, const std::vector<std::string>& more_domains, json::value& wanted) {
  const auto derived = policy::route_from_url(sources.from_url, more_domains);
  if (!derived) {
    std::string detail = derived.error().detail;  // a copy: error() returns one
    if (detail.starts_with("url: ")) detail.erase(0, 5);
    return problem(400, fmt::format("fromUrl: {}", detail), "fromUrl");
  }
  if (!sources.preset) sources.preset = derived->preset;
  if (json::object* const own = wanted.if_object())
    for (const json::key_value_pair& field : policy::route_to_json(derived->route, false))
      if (!set_value(*own, from_json(field.key()))) (*own)[field.key()] = field.value();
  return std::nullopt;
}

// `route`, with what the other keys say filled in where the route does not say otherwise.
OrProblem<std::optional<policy::Route>> read_route(const json::object& body, const std::vector<std::string>& more_domains) {
  const json::value* const route = set_value(body, "route");
  Sources sources;
  if (auto wrong = read_sources(body, sources)) return std::move(*wrong);
  const bool none = !route && sources.from_url.empty() && !sources.preset;
  if (none && sources.direct) return problem(400, "direct: needs a route: fromUrl, or morphId", "direct");
  if (none && sources.token.empty()) return std::optional<policy::Route>();
  json::value wanted = route ? *route : json::value(json::object());
  if (!sources.from_url.empty())
    if (auto wrong = take_url(sources, more_domains, wanted)) return std::move(*wrong);
  if (!sources.token.empty() && !sources.preset)
    return problem(400, "token: needs a preset, which says the header for it", "token");
  auto read = policy::read_route(wanted);
  if (!read) return refused_field(read.error(), "route");
  if (sources.preset)
    if (const auto applied = policy::apply_preset(*sources.preset, sources.token, *read); !applied)
      return refused_field(applied.error(), "");
  if (sources.direct) {
    read = policy::direct_route(std::move(*read));
    if (!read) return refused_field(read.error(), read.error().detail.starts_with("direct: ") ? "" : "route");
  }
  if (const auto checked = policy::check_route(*read); !checked) return refused_field(checked.error(), "route");
  return std::optional<policy::Route>(std::move(*read));
}

std::optional<Reply> read_numbers(const json::object& body, policy::ContextRequest& request) {
  if (const json::value* const value = set_value(body, "webContentsId")) {
    const auto number = whole_number(*value);
    if (!number || *number > kLargestId)
      return problem(400, "webContentsId: must be a whole number from 0 to 2^53-1", "webContentsId");
    request.web_contents_id = *number;
  }
  if (const json::value* const value = set_value(body, "ownerPid")) {
    const auto number = whole_number(*value);
    if (!number || *number < 1 || *number > static_cast<std::uint64_t>(std::numeric_limits<pid_t>::max()))
      return problem(400, "ownerPid: must be a process number", "ownerPid");
    request.owner_pid = static_cast<pid_t>(*number);
  }
  if (const json::value* const value = set_value(body, "ttlSeconds")) {
    json::error_code failed;
    const double seconds = value->to_number<double>(failed);
    // Below a millisecond it would round to "for ever".
    if (failed || !(seconds >= 0.001) || seconds > kLongestTtl)
      return problem(400, "ttlSeconds: must be a number above 0, ten years at the most", "ttlSeconds");
    request.ttl = milliseconds(static_cast<std::int64_t>(std::ceil(seconds * 1000)));
  }
  return std::nullopt;
}

std::optional<std::uint16_t> port_number(const json::value& value, std::uint64_t least) {
  const auto number = whole_number(value);
  if (!number || *number < least || *number > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(*number);
}

std::optional<Reply> read_ports(const json::object& body, policy::ContextRequest& request) {
  if (const json::value* const value = set_value(body, "dedicatedPort"); value && *value != json::value(false)) {
    request.dedicated_port = value->is_bool() ? std::uint16_t{0} : port_number(*value, 0);
    if (!request.dedicated_port)
      return problem(400, "dedicatedPort: must be true, or a port from 0 (any) to 65535", "dedicatedPort");
  }
  if (const json::value* const value = set_value(body, "transparent")) {
    if (value->is_string()) request.transparent = from_json(value->get_string());
    if (request.transparent.empty()) return problem(400, "transparent: must be the path of a Unix socket", "transparent");
  }
  if (const json::value* const value = set_value(body, "forwardAuto")) {
    if (!value->is_bool()) return problem(400, "forwardAuto: must be true or false", "forwardAuto");
    request.forward_auto = value->get_bool();
    if (request.forward_auto && !request.route)
      return problem(400, "forwardAuto: needs a route: its far end tells which ports listen", "forwardAuto");
    if (const auto to = request.forward_auto ? policy::destination_of_ports(*request.route) : policy::Destination(); !to)
      return problem(400, fmt::format("forwardAuto: {}", to.error().detail), "forwardAuto");
  }
  const json::value* const forwards = set_value(body, "forwards");
  if (!forwards) return std::nullopt;
  const auto wrong = [] {
    return problem(
        400,
        fmt::format("forwards: must be a list, {} at the most, of {{\"port\": 1 to 65535, \"local\": 0 (any) to 65535}}",
                    kMostForwards),
        "forwards");
  };
  const json::array* const list = forwards->if_array();
  if (!list || list->size() > kMostForwards) return wrong();
  for (const json::value& item : *list) {
    const json::object* const entry = item.if_object();
    const json::value* const port = entry ? set_value(*entry, "port") : nullptr;
    const json::value* const local = entry ? set_value(*entry, "local") : nullptr;
    if (!port || entry->size() > 1 + (entry->contains("local") ? 1u : 0u)) return wrong();
    const auto there = port_number(*port, 1), here = local ? port_number(*local, 0) : there;
    if (!there || !here) return wrong();
    request.forwards.push_back({*there, *here});
  }
  if (!request.forwards.empty() && !request.route)
    return problem(400, "forwards: need a route: they lead to a workspace", "forwards");
  return std::nullopt;
}

}  // namespace

Reply refused_field(const Error& error, std::string_view prefix) {
  std::string_view name = std::string_view(error.detail).substr(0, error.detail.find(": "));
  if (name.size() == error.detail.size()) name = {};
  if (name.size() > 1 && name.front() == '"') name = name.substr(1, name.size() - 2);  // an unknown key
  std::string field(prefix);
  if (name != prefix && !name.empty()) field += fmt::format("{}{}", field.empty() ? "" : ".", name.substr(0, 60));
  return problem(400, error.detail, field);
}

OrProblem<policy::ContextRequest> read_context_request(const json::value& body, const std::vector<std::string>& more_domains) {
  const json::object* const object = body.if_object();
  if (!object) return problem(400, "the body must be a JSON object");
  if (auto wrong = check_keys(*object, kCreateKeys)) return std::move(*wrong);
  policy::ContextRequest request;
  if (auto wrong = read_numbers(*object, request)) return std::move(*wrong);
  if (const json::value* const value = set_value(*object, "label")) {
    // Control characters would reach terminals and logs.
    if (!value->is_string() || value->get_string().size() > kLongestLabel || !is_plain_text(from_json(value->get_string())))
      return problem(
          400,
          fmt::format("label: must be a string without control or formatting characters, {} bytes at the most", kLongestLabel),
          "label");
    request.label = from_json(value->get_string());
  }
  auto route = read_route(*object, more_domains);
  if (auto* const wrong = std::get_if<Reply>(&route)) return std::move(*wrong);
  request.route = std::move(std::get<0>(route));
  if (auto wrong = read_ports(*object, request)) return std::move(*wrong);
  return request;
}

OrProblem<std::optional<policy::Route>> read_route_change(const json::value& body, const std::vector<std::string>& more_domains) {
  const json::object* const object = body.if_object();
  if (!object) return problem(400, "the body must be a JSON object");
  if (auto wrong = check_keys(*object, kChangeKeys)) return std::move(*wrong);
  if (object->empty()) return problem(400, "route: is required; null takes the route away", "route");
  return read_route(*object, more_domains);
}

}  // namespace cmux::admin
