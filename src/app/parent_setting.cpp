#include "app/parent_setting.hpp"

#include <fmt/format.h>

namespace cmux::app {
namespace {

constexpr std::string_view kAuto = "auto", kVariable = "env:";

// The first of the variables that says something. Those in lower case go first, as with curl, which reads http_proxy in no other:
// a CGI program has HTTP_PROXY from its client.
std::pair<std::string, std::string> first_of(const Environment& environment, std::initializer_list<const char*> names) {
  for (const char* const name : names)
    if (const char* const value = environment(name); value && *value) return {name, value};
  return {};
}

Result<std::optional<upstream::Parent>> parent_in(const std::pair<std::string, std::string>& variable) {
  const auto& [name, value] = variable;
  if (value.empty()) return std::optional<upstream::Parent>();
  auto parent = upstream::parse_parent(value.find("://") == std::string::npos ? "http://" + value : value);
  if (!parent) return make_error(Errc::config, fmt::format("{}: {}", name, parent.error().detail));
  return std::optional(std::move(*parent));
}

Result<upstream::Parents> parents_of_environment(const Environment& environment) {
  upstream::Parents parents;
  auto requests = parent_in(first_of(environment, {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"}));
  if (!requests) return requests.error();
  auto tunnels = parent_in(first_of(environment, {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}));
  if (!tunnels) return tunnels.error();
  parents.requests = std::move(*requests);
  parents.tunnels = std::move(*tunnels);
  parents.bypass = upstream::Bypass(first_of(environment, {"no_proxy", "NO_PROXY"}).second);
  return parents;
}

}  // namespace

Result<std::string> parse_parent_setting(const std::string& text) {
  if (text == kAuto) return text;
  if (text.starts_with(kVariable) && text.size() > kVariable.size()) return text;
  auto parent = upstream::parse_parent(text);
  if (!parent) return make_error(Errc::config, parent.error().detail + "; or auto, or env:VAR");
  return text;
}

std::string print_parent_setting(const std::string& text) {
  const auto parent = upstream::parse_parent(text);
  return parent ? parent->redacted() : text;
}

Result<upstream::Parents> find_parents(const std::string& text, const Environment& environment) {
  if (text == kAuto) return parents_of_environment(environment);
  upstream::Parents parents;
  if (text.empty()) return parents;
  std::pair<std::string, std::string> given{"", text};
  if (text.starts_with(kVariable)) {
    given = first_of(environment, {text.c_str() + kVariable.size()});
    if (given.second.empty())
      return make_error(Errc::config, fmt::format("there is no variable {}", text.substr(kVariable.size())));
  }
  auto parent = upstream::parse_parent(given.second);
  if (!parent) return make_error(Errc::config, fmt::format("{}: {}", given.first, parent.error().detail));
  parents.requests = parents.tunnels = std::move(*parent);
  return parents;
}

boost::json::value parents_json(const upstream::Parents& parents) {
  if (!parents.any()) return nullptr;
  const auto text_of = [](const std::optional<upstream::Parent>& parent) {
    return parent ? boost::json::value(parent->text()) : boost::json::value();
  };
  const std::string& bypass = parents.bypass.text();
  return {{"requests", text_of(parents.requests)},
          {"tunnels", text_of(parents.tunnels)},
          {"bypass", bypass.empty() ? boost::json::value() : boost::json::value(bypass)},
          {"notUnderstood", boost::json::value_from(parents.bypass.not_understood())}};
}

}  // namespace cmux::app
