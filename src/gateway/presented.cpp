#include "gateway/presented.hpp"

#include <algorithm>
#include <utility>

#include "policy/credentials.hpp"

namespace cmux::gateway {
namespace {

using http::Name;

// Calls `each` with every parameter of the query.
template <class Each>
void for_each_parameter(std::string_view path, Each each) {
  const std::size_t mark = path.find('?');
  if (mark == path.npos) return;
  std::string_view rest = path.substr(mark + 1);
  while (true) {
    const std::size_t end = rest.find('&');
    each(rest.substr(0, end));
    if (end == rest.npos) return;
    rest.remove_prefix(end + 1);
  }
}

bool is_ours(std::string_view parameter) {
  return parameter.starts_with(kParameter) && (parameter.size() == kParameter.size() || parameter[kParameter.size()] == '=');
}

std::optional<std::string_view> bearer(std::string_view value) {
  constexpr std::string_view kScheme = "Bearer ";
  if (!http::equal_ignoring_case(value.substr(0, kScheme.size()), kScheme)) return std::nullopt;
  value.remove_prefix(kScheme.size());
  while (value.starts_with(' ')) value.remove_prefix(1);
  return value;
}

void take_cookie(http::Fields& fields, std::optional<std::string>& token) {
  const auto holds = [](std::string_view value) { return value.find(kCookie) != value.npos; };
  for (std::size_t i = 0; i < fields.size();) {
    const auto field = fields[i];
    if (field.known != Name::cookie || !holds(field.value)) {
      ++i;
      continue;
    }
    std::string left;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const std::size_t end = rest.find(';');
      std::string_view pair = rest.substr(0, end);
      rest = end == rest.npos ? std::string_view() : rest.substr(end + 1);
      while (pair.starts_with(' ') || pair.starts_with('\t')) pair.remove_prefix(1);
      if (pair.starts_with(kCookie) && pair.size() > kCookie.size() && pair[kCookie.size()] == '=') {
        if (!token) token = pair.substr(kCookie.size() + 1);
      } else if (!pair.empty()) {
        left += (left.empty() ? "" : "; ") + std::string(pair);
      }
    }
    if (!left.empty()) {
      fields.replace(i++, left);
      continue;
    }
    std::size_t at = 0;
    fields.remove_if([&](const http::Fields::Field&) { return at++ == i; });
  }
}

// A page whose own address has had it says so in what it asks for next.
void hide_in_referer(http::Fields& fields) {
  for (std::size_t i = 0; i < fields.size(); ++i)
    if (const auto field = fields[i]; http::equal_ignoring_case(field.name, "Referer") && parameter_of(field.value))
      fields.replace(i, without_parameter(field.value));
}

}  // namespace

std::optional<std::string_view> parameter_of(std::string_view path) {
  std::optional<std::string_view> found;
  for_each_parameter(path, [&](std::string_view parameter) {
    if (is_ours(parameter)) found = parameter.substr(std::min(parameter.size(), kParameter.size() + 1));
  });
  return found;
}

std::string without_parameter(std::string_view path) {
  std::string out(path.substr(0, path.find('?')));
  char before = '?';
  for_each_parameter(path, [&](std::string_view parameter) {
    if (is_ours(parameter)) return;
    out += std::exchange(before, '&');
    out += parameter;
  });
  return out;
}

std::optional<std::string> take_token(http::Head& request, bool connect, const Keys& keys, std::string_view known) {
  std::optional<std::string> token;
  if (connect) {
    const auto value = request.fields.get(Name::proxy_authorization);
    if (value) {
      if (auto basic = policy::parse_basic(*value)) token = std::move(basic->password);
      else if (const auto shown = bearer(*value)) token = std::string(*shown);
    }
  }
  request.fields.remove(Name::proxy_authorization);
  if (const auto shown = parameter_of(request.path)) {
    if (!token) token = std::string(*shown);
    request.path = without_parameter(request.path);
  }
  // A bearer before a cookie: who sends it means it, where a browser's cookie may be left from before.
  const auto is_token = [&](std::string_view shown) {
    return (!known.empty() && policy::equal_secrets(shown, known)) || names_key(shown, keys);
  };
  request.fields.remove_if([&](const http::Fields::Field& field) {
    if (!http::equal_ignoring_case(field.name, "Authorization")) return false;
    const auto shown = bearer(field.value);
    if (!shown || !is_token(*shown)) return false;
    if (!token) token = std::string(*shown);
    return true;
  });
  take_cookie(request.fields, token);
  hide_in_referer(request.fields);
  return token;
}

}  // namespace cmux::gateway
