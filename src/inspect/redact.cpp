#include "inspect/redact.hpp"

#include <algorithm>
#include <initializer_list>
#include <vector>

#include "inspect/split.hpp"
#include "net/address.hpp"

namespace cmux::inspect {
namespace {

using http::Name;

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

bool has_one_of(std::string_view text, std::initializer_list<std::string_view> list) {
  return std::any_of(list.begin(), list.end(), [&](std::string_view each) { return text.find(each) != std::string_view::npos; });
}

// "a=1" → "a=•••". What has no value may be a secret as a whole, and base64 ends with '=' too; but flags of dev servers tell what
// a request is for, and short names without a value are no more than that.
std::string redacted_pair(std::string_view pair) {
  constexpr std::size_t kShortName = 16;
  const std::size_t equals = pair.find('=');
  const bool has_value = equals != std::string_view::npos && pair.find_first_not_of('=', equals) != std::string_view::npos;
  if (has_value) return std::string(pair.substr(0, equals + 1)).append(kHidden);
  const bool plain = equals == std::string_view::npos
                         ? pair.empty() || is_one_of(pair, {"import", "raw", "url", "direct", "inline", "no-inline", "worker",
                                                            "sharedworker", "html-proxy", "vue", "svelte", "astro"})
                         : equals + 1 == pair.size() && equals <= kShortName;
  return std::string(plain ? pair : kHidden);
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

// "Bearer abc" → "Bearer •••"; of what is no scheme that one knows the first word may be the secret.
std::string redacted_credentials(std::string_view value) {
  const std::size_t space = std::min(value.find_first_of(" \t"), value.size());
  const bool known = is_one_of(net::to_lower(value.substr(0, space)),
                               {"basic",     "bearer",   "digest",       "dpop",        "negotiate",     "ntlm",
                                "hoba",      "mutual",   "vapid",        "hawk",        "token",         "apikey",
                                "oauth",     "gnap",     "privatetoken", "scram-sha-1", "scram-sha-256", "aws4-hmac-sha256",
                                "sharedkey", "signature"});
  std::string out(value.substr(0, known && space < value.size() ? space + 1 : 0));
  return out.append(kHidden);
}

// HTTP/2's names have no capitals, so that words are told by '-' alone. Better a name too many than a secret shown: what is
// hidden can be revealed.
bool is_called_secret(std::string_view name) {
  std::string lower = net::to_lower(name);
  for (char& c : lower)
    if (c == '_' || c == '.') c = '-';
  // What is allowed, counted, or names a thing.
  if (lower.starts_with("access-control-") || has_one_of(lower, {"ratelimit", "rate-limit"})) return false;
  if (has_one_of(lower, {"token", "secret", "passw", "passphrase", "passcode", "credential", "api-key", "apikey", "session",
                         "assertion", "authorization", "authentication", "bearer", "cookie", "jwt", "csrf", "xsrf"}))
    return true;
  std::string_view rest = lower, word;
  for (bool more = true; more;) {
    word = take_part(rest, '-', more);
    if (is_one_of(word, {"auth", "authz", "dpop", "otp", "pass", "pw", "pwd", "sid"})) return true;
  }
  return word.ends_with("key") && !has_one_of(lower, {"websocket-key", "idempotency-key", "cache-key", "surrogate-key",
                                                      "public-key", "partition-key", "routing-key", "sort-key"});
}

// Whatever its field is called.
bool looks_secret(std::string_view value) {
  return value.starts_with("eyJ") ||  // JSON in base64: a JWT
         (value.size() > 7 && http::equal_ignoring_case(value.substr(0, 7), "bearer "));
}

// Browsers cannot send a field with a WebSocket, so pages send tokens as its subprotocols: "base64url.bearer.… .TOKEN", or
// "access_token, TOKEN".
std::string redacted_protocols(std::string_view value) {
  constexpr std::size_t kUsual = 24;  // length of a protocol, at the most
  std::string out;
  bool hidden = false;
  for (bool more = true; more;) {
    const std::string_view part = take_part(value, ',', more);
    const std::string_view protocol = part.substr(std::min(part.find_first_not_of(" \t"), part.size()));
    hidden = hidden || is_called_secret(protocol);
    out.append(part.substr(0, part.size() - protocol.size()));
    out.append(hidden || protocol.size() > kUsual || looks_secret(protocol) ? kHidden : protocol);
    if (more) out += ',';
  }
  return out;
}

// A field whose value is a URL: to its end, whatever is in it.
bool is_called_url(std::string_view name) {
  const std::string lower = net::to_lower(name);
  return is_one_of(std::string_view(lower).substr(lower.rfind('-') + 1),
                   {"destination", "location", "redirect", "referer", "referrer", "refresh", "sourcemap", "uri", "url"});
}

// URLs within other text.
std::string redacted_text(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(" \t\"'<>"), text.size());
    const std::string_view word = text.substr(0, end);
    out += word.find('/') == std::string_view::npos ? std::string(word) : redacted_url(word);
    out += text.substr(end, 1);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

bool is_slash(char c) { return c == '/' || c == '\\'; }

// After these browsers need no slashes.
bool ends_with_scheme(std::string_view text) {
  std::size_t begin = text.size();
  while (begin > 0 && text.size() - begin < 6 && ((text[begin - 1] | 0x20) >= 'a' && (text[begin - 1] | 0x20) <= 'z')) --begin;
  return is_one_of(net::to_lower(text.substr(begin)), {"http", "https", "ws", "wss", "ftp"});
}

// Where an authority begins, at `at` or later: behind two slashes that do not go on with a path, or behind such a scheme.
std::size_t find_authority(std::string_view text, std::size_t at) {
  constexpr std::string_view kBefore = ":=,;\"'(<[ \t";
  for (; at < text.size(); ++at) {
    const bool slashes = is_slash(text[at]) && at + 1 < text.size() && is_slash(text[at + 1]) &&
                         (at == 0 || kBefore.find(text[at - 1]) != std::string_view::npos);
    if (!slashes && !(text[at] == ':' && ends_with_scheme(text.substr(0, at)))) continue;
    do ++at;
    while (at < text.size() && is_slash(text[at]));
    return at;
  }
  return std::string_view::npos;
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

std::string redacted_pairs(std::string_view pairs) {
  std::string out;
  for (bool more = true; more;) {
    out += redacted_pair(take_part(pairs, '&', more));
    if (more) out += '&';
  }
  return out;
}

std::string restored_pairs(std::string_view shown, std::string_view original) {
  std::vector<std::string_view> was;
  for (bool more = true; more;) was.push_back(take_part(original, '&', more));
  std::string out;
  for (bool more = true; more;) {
    std::string_view pair = take_part(shown, '&', more);
    if (pair.ends_with(kHidden)) {
      const auto same = [&](std::string_view each) { return redacted_pair(each) == pair; };
      // Each once: of several that look the same the next gets the next.
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

std::string redacted_authority(std::string_view authority) {
  const std::string_view host = without_user(authority);
  if (host.size() == authority.size()) return std::string(host);
  return std::string(kHidden).append("@").append(host);
}

void add_without_user(std::string& out, std::string_view text, std::string_view instead) {
  std::size_t done = 0;
  std::size_t at = text.find('@') == std::string_view::npos ? std::string_view::npos : find_authority(text, 0);
  while (at != std::string_view::npos) {
    const std::size_t end = std::min(text.find('/', at), text.size());
    const std::size_t mark = text.substr(at, end - at).rfind('@');
    if (mark != std::string_view::npos && mark > 0) {
      out.append(text.substr(done, at - done)).append(instead);
      done = at + mark + (instead.empty() ? 1 : 0);
    }
    at = find_authority(text, end);
  }
  out.append(text.substr(done));
}

std::string redacted_url(std::string_view url) {
  const Parts parts = split(url);
  std::string out;
  add_without_user(out, parts.before, kHidden);
  if (parts.has_query) out.append("?").append(redacted_pairs(parts.query));
  if (parts.has_fragment) out.append("#").append(redacted_pairs(parts.fragment));
  return out;
}

std::string redacted(const http::Fields::Field& field) {
  const std::string value = utf8(field.value);
  switch (field.known) {
    case Name::cookie: return redacted_cookies(value);
    case Name::set_cookie: return redacted_set_cookie(value);
    case Name::host: return redacted_authority(value);
    case Name::proxy_authenticate: return value;
    default: break;
  }
  const std::string name = net::to_lower(field.name);
  if (name == "www-authenticate") return value;
  if (name.find("authorization") != std::string::npos) return redacted_credentials(value);
  if (name == "sec-websocket-protocol") return redacted_protocols(value);
  if (field.secret || is_called_secret(name) || looks_secret(value)) return std::string(kHidden);
  return is_called_url(name) ? redacted_url(value) : redacted_text(value);
}

std::string restored_url(std::string_view shown, std::string_view original) {
  const Parts now = split(shown), was = split(original);
  // As a record has it, or a head's line.
  std::string out(now.before);
  for (const std::string_view instead : {std::string_view(), kHidden}) {
    std::string before;
    add_without_user(before, was.before, instead);
    if (before == now.before) out = was.before;
  }
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
