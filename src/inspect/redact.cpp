#include "inspect/redact.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "inspect/split.hpp"

namespace cmux::inspect {
namespace {

using http::Name;

// "a=1&b" → "a=•••&b".
std::string redacted_pairs(std::string_view pairs) {
  std::string out;
  for (bool more = true; more;) {
    const std::string_view pair = take_part(pairs, '&', more);
    const std::size_t equals = pair.find('=');
    out += pair.substr(0, equals == std::string_view::npos ? equals : equals + 1);
    if (equals != std::string_view::npos && equals + 1 < pair.size()) out += kHidden;
    if (more) out += '&';
  }
  return out;
}

// "a=1; b=2" → "a=•••; b=•••".
std::string redacted_cookies(std::string_view cookies) {
  std::string out;
  for (bool more = true; more;) {
    const std::string_view pair = take_part(cookies, ';', more);
    const std::size_t equals = pair.find('=');
    if (equals != std::string_view::npos) out += pair.substr(0, equals + 1);
    out += kHidden;
    if (more) out += ';';
  }
  return out;
}

// "sid=1; Path=/" → "sid=•••; Path=/".
std::string redacted_set_cookie(std::string_view value) {
  bool more = false;
  const std::string_view pair = take_part(value, ';', more);
  const std::size_t equals = pair.find('=');
  std::string out(pair.substr(0, equals == std::string_view::npos ? 0 : equals + 1));
  out += kHidden;
  if (more) out.append(";").append(value);
  return out;
}

std::string redacted_credentials(std::string_view value) {
  const std::size_t space = value.find(' ');
  std::string out(value.substr(0, space == std::string_view::npos ? 0 : space + 1));
  return out.append(kHidden);
}

bool is_called_secret(std::string_view name) {
  static constexpr std::array<std::string_view, 7> kWords{"token",  "secret",     "password",  "api-key",
                                                          "apikey", "credential", "session-id"};
  std::string lower;
  for (const char c : name) lower += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return std::any_of(kWords.begin(), kWords.end(), [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

struct Parts {
  std::string_view before, query, fragment;
  bool has_query = false, has_fragment = false;
};
Parts split(std::string_view url) {
  Parts out;
  std::string_view rest = url;
  std::string_view whole = take_part(rest, '#', out.has_fragment);
  out.fragment = rest;
  out.before = take_part(whole, '?', out.has_query);
  out.query = whole;
  return out;
}

std::string restored_pairs(std::string_view shown, std::string_view original) {
  std::vector<std::string_view> was;
  for (bool more = true; more;) was.push_back(take_part(original, '&', more));
  std::string out;
  for (bool more = true; more;) {
    std::string_view pair = take_part(shown, '&', more);
    if (pair.ends_with(kHidden)) {
      const std::string_view name = pair.substr(0, pair.size() - kHidden.size());
      const auto same = [&](std::string_view each) { return name.ends_with('=') && each.starts_with(name); };
      // Each once: of several of one name the next gets the next.
      if (const auto found = std::find_if(was.begin(), was.end(), same); found != was.end()) pair = *found, was.erase(found);
    }
    out += pair;
    if (more) out += '&';
  }
  return out;
}

// The length of the UTF-8 sequence that text begins with; 0: it begins with none.
std::size_t sequence(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = at(0);
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i)
    if ((at(i) & 0xc0) != 0x80) return 0;
  const unsigned second = at(1);
  const bool wrong = (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) || (first == 0xf0 && second < 0x90) ||
                     (first == 0xf4 && second > 0x8f);
  return wrong ? 0 : size;
}

}  // namespace

std::string redacted_url(std::string_view url) {
  const Parts parts = split(url);
  std::string out(parts.before);
  // User info is between the scheme and an @ before the path.
  if (const std::size_t authority = out.find("://"); authority != std::string::npos) {
    const std::size_t path = std::min(out.find('/', authority + 3), out.size());
    const std::size_t at = out.rfind('@', path);
    if (at != std::string::npos && at > authority) out.replace(authority + 3, at - authority - 3, kHidden);
  }
  if (parts.has_query) out.append("?").append(redacted_pairs(parts.query));
  if (parts.has_fragment) out.append("#").append(redacted_pairs(parts.fragment));
  return out;
}

std::string redacted(const http::Fields::Field& field) {
  switch (field.known) {
    case Name::cookie: return redacted_cookies(field.value);
    case Name::set_cookie: return redacted_set_cookie(field.value);
    case Name::proxy_authorization: return redacted_credentials(field.value);
    case Name::location:
    case Name::content_location:
    case Name::referer:
    case Name::refresh: return redacted_url(field.value);
    default: break;
  }
  if (http::equal_ignoring_case(field.name, "Authorization")) return redacted_credentials(field.value);
  if (field.secret || is_called_secret(field.name)) return std::string(kHidden);
  return std::string(field.value);
}

std::string restored_url(std::string_view shown, std::string_view original) {
  const Parts now = split(shown), was = split(original);
  std::string out(now.before);
  if (now.has_query) out.append("?").append(restored_pairs(now.query, was.query));
  return out;
}

std::string utf8(std::string_view bytes) {
  std::string out;
  bool valid = true;
  for (std::size_t i = 0; i < bytes.size() && valid;) {
    const std::size_t size = sequence(bytes.substr(i));
    valid = size > 0;
    i += size;
  }
  if (valid) return std::string(bytes);
  for (const char c : bytes) {
    const unsigned code = static_cast<unsigned char>(c);
    if (code < 0x80) out += c;
    else out += static_cast<char>(0xc0 | code >> 6), out += static_cast<char>(0x80 | (code & 0x3f));
  }
  return out;
}

}  // namespace cmux::inspect
