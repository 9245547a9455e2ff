#include "policy/rewrite.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cmux::policy {
namespace {

using http::Name;

constexpr std::uint64_t bit(Name name) { return std::uint64_t{1} << static_cast<unsigned>(name); }
static_assert(static_cast<unsigned>(Name::x_cmux_workspace_internal) < 64, "the names do not fit one word any more");

bool concerns(const http::Fields& fields, std::uint64_t names) {
  if (names == 0) return false;
  std::uint64_t seen = 0;
  for (const auto field : fields) seen |= bit(field.known);
  return (seen & names) != 0;
}

std::string_view text_of(Scheme scheme) { return scheme == Scheme::https ? "https:" : "http:"; }

bool is_blank(char c) { return c == ' ' || c == '\t'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// A reference with an authority (RFC 3986 section 4): "http://a/b", or "//a/b". Nothing for any other, for user info, and for
// hosts that are not plain names or addresses (percent-encoded, not ASCII): where browsers and this might read them differently,
// they stay.
struct Reference {
  std::optional<Scheme> scheme;
  net::Authority authority;
  std::string_view rest;  // path, query and fragment
};
std::optional<Reference> parse_reference(std::string_view text) {
  Reference out;
  for (const Scheme scheme : {Scheme::http, Scheme::https})
    if (const std::string_view start = text_of(scheme); http::equal_ignoring_case(text.substr(0, start.size()), start)) {
      out.scheme = scheme;
      text.remove_prefix(start.size());
      break;
    }
  if (!text.starts_with("//")) return std::nullopt;
  text.remove_prefix(2);
  const std::size_t end = std::min(text.find_first_of("/?#"), text.size());
  auto authority = net::parse_authority(text.substr(0, end));
  if (!authority) return std::nullopt;
  out.authority = std::move(*authority);
  out.rest = text.substr(end);
  return out;
}

// Paths that Next.js's dev server keeps for itself (hot reload, its overlay). It lets pages of localhost ask for them and no
// other origin, whatever Host says, while it compares the Origin of a server action with Host: no one rule is right for both.
bool is_internal(std::string_view path) {
  path = path.substr(0, path.find('?'));
  return path.find("/_next/") != path.npos || path.find("/__nextjs") != path.npos;
}

// A query's value, percent-decoded (RFC 3986 section 2.1), and where each character of it stood. Nothing for a percent sign that
// begins no encoding. A plus stays: URLs hold no spaces.
struct Decoded {
  std::string text;
  std::vector<std::size_t> at;  // one more than characters: the end
};
std::optional<Decoded> decode(std::string_view value) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const char small = static_cast<char>(c | 0x20);
    return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
  };
  Decoded out;
  for (std::size_t i = 0; i < value.size(); ++i) {
    out.at.push_back(i);
    if (value[i] != '%') {
      out.text += value[i];
      continue;
    }
    const int high = i + 2 < value.size() ? digit(value[i + 1]) : -1, low = i + 2 < value.size() ? digit(value[i + 2]) : -1;
    if (high < 0 || low < 0) return std::nullopt;
    out.text += static_cast<char>(high * 16 + low);
    i += 2;
  }
  out.at.push_back(value.size());
  return out;
}

// As a query's value, whatever reads it.
std::string encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_';
    if (plain) out += c;
    else out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

// Where the URL of a Refresh stands in it, as browsers find it (HTML, "shared declarative refresh steps"): after the seconds and
// a separator, "url=" and quotes around it are optional. Empty where there is none.
std::string_view refresh_url(std::string_view text) {
  const auto skip = [&](auto what) {
    const std::size_t before = text.size();
    while (!text.empty() && what(text.front())) text.remove_prefix(1);
    return before - text.size();
  };
  const auto skip_one = [&](std::string_view any) {
    const bool is = !text.empty() && any.find(text.front()) != any.npos;
    if (is) text.remove_prefix(1);
    return is;
  };
  skip(is_blank);
  if (skip([](char c) { return (c >= '0' && c <= '9') || c == '.'; }) == 0) return {};
  const bool apart = skip(is_blank) > 0;
  if (!skip_one(";,") && !apart) return {};
  skip(is_blank);
  if (http::equal_ignoring_case(text.substr(0, 3), "url")) {
    const std::string_view bare = text;
    text.remove_prefix(3);
    skip(is_blank);
    if (!skip_one("=")) return bare;
    skip(is_blank);
  }
  if (text.empty()) return {};
  const char quote = text.front();
  if (!skip_one("'\"")) return text;
  return text.substr(0, text.find(quote));
}

}  // namespace

const std::uint64_t Illusion::kUrls = bit(Name::location) | bit(Name::content_location) | bit(Name::refresh) | bit(Name::link);

Illusion::Illusion(const Route& route, const net::Authority& target, const Destination& destination, View view,
                   const Rewrites& rewrites)
    : view_(std::move(view)), destination_host_(destination.host) {
  const std::uint16_t usual = default_port(view_.scheme);
  view_port_ = view_.authority.port.value_or(usual);
  target_port_ = target.port.value_or(usual);
  map_urls_ = rewrites.location;
  map_callbacks_ = rewrites.callbacks;
  if (map_urls_) in_responses_ |= kUrls;
  if (map_callbacks_) in_responses_ |= bit(Name::location);
  if (rewrites.cookies) in_responses_ |= bit(Name::set_cookie);
  if (rewrites.hsts) in_responses_ |= bit(Name::strict_transport_security);
  if (rewrites.cors) in_responses_ |= bit(Name::access_control_allow_origin);
  if (rewrites.location || rewrites.callbacks || rewrites.cors)
    inverse_ = Inverse(route, view_.scheme, target.host, target_port_, destination);
  // A dev server that sees the target as its Host compares Origin with just that.
  const bool wanted = route.rewrite_origin == Choice::automatic ? rewrites.origin : route.rewrite_origin == Choice::on;
  if (!wanted || (destination.host_override && !view_.forwards)) return;
  spare_internal_ = route.rewrite_origin == Choice::automatic && !destination.host_override;
  in_requests_ = bit(Name::origin) | bit(Name::referer);
  net::Authority named = target;
  if (target_port_ == usual) named.port.reset();
  upstream_url_ = destination.host_override ? fmt::format("{}//{}", text_of(view_.scheme), named.text())
                                            : fmt::format("{}//{}", text_of(destination.scheme), destination.authority);
  upstream_origin_ = upstream_url_.size();
  upstream_url_ += destination.path_prefix;
}

std::string Illusion::request(http::Head& head) const {
  std::string origin;
  if (in_responses_ & bit(Name::access_control_allow_origin)) origin = head.fields.get(Name::origin).value_or(std::string_view());
  if (!concerns(head.fields, in_requests_) || (spare_internal_ && is_internal(head.path))) return origin;
  for (std::size_t i = 0; i < head.fields.size(); ++i)
    if (const auto field = head.fields[i]; in_requests_ & bit(field.known))
      if (const auto changed = request_value(field.known, field.value)) head.fields.replace(i, *changed);
  return origin;
}

bool Illusion::response(http::Head& head, std::string_view client_origin) const {
  if (!concerns(head.fields, in_responses_)) return false;
  if (in_responses_ & bit(Name::strict_transport_security)) head.fields.remove(Name::strict_transport_security);
  for (std::size_t i = 0; i < head.fields.size(); ++i)
    if (const auto field = head.fields[i]; in_responses_ & bit(field.known))
      if (const auto changed = response_value(field.known, field.value, client_origin)) head.fields.replace(i, *changed);
  return true;
}

// Same-origin with the target (RFC 6454 section 5): scheme, host and port. Anything else is not this target's to rename.
Illusion::Changed Illusion::request_value(Name name, std::string_view value) const {
  const auto found = parse_reference(value);
  if (!found || found->scheme != view_.scheme || found->authority.host != view_.authority.host ||
      found->authority.port.value_or(default_port(view_.scheme)) != view_port_)
    return std::nullopt;
  if (name == Name::referer) return fmt::format("{}{}", upstream_url_, found->rest);
  if (!found->rest.empty()) return std::nullopt;
  return upstream_url_.substr(0, upstream_origin_);
}

Illusion::Changed Illusion::response_value(Name name, std::string_view value, std::string_view client_origin) const {
  switch (name) {
    case Name::location: return location(value);
    case Name::content_location: return url(value);
    case Name::refresh: return refresh(value);
    case Name::link: return link(value);
    case Name::set_cookie: return cookie(value);
    case Name::access_control_allow_origin: return origin(value, client_origin);
    default: return std::nullopt;
  }
}

// The client's name for that port of the workspace, where it reaches it.
std::optional<std::string> Illusion::seen_as(std::uint16_t port) const {
  if (port == target_port_) {
    port = view_port_;
  } else if (view_.forwards) {
    const auto has = [&](const Forward& forward) { return forward.port == port; };
    const auto forward = std::find_if(view_.forwards->begin(), view_.forwards->end(), has);
    if (forward != view_.forwards->end()) port = forward->local;
    else if (!view_.forward_auto) return std::nullopt;
  }
  net::Authority at = view_.authority;
  at.port = port == default_port(view_.scheme) ? std::nullopt : std::optional(port);
  return at.text();
}

Illusion::Changed Illusion::url(std::string_view text) const {
  const auto reference = parse_reference(text);
  if (!reference) return std::nullopt;
  if (names_) {
    const net::Authority& at = reference->authority;
    if (!at.port || !net::is_loopback_name(at.host)) return std::nullopt;
    return fmt::format("{}//{}{}{}{}", reference->scheme ? text_of(names_->scheme) : "", names_->before, *at.port, names_->after,
                       reference->rest);
  }
  const auto found = inverse_.find(reference->scheme, reference->authority, reference->rest);
  const auto seen = found ? seen_as(found->port) : std::nullopt;
  if (!seen) return std::nullopt;
  return fmt::format("{}//{}{}", reference->scheme ? text_of(view_.scheme) : "", *seen, reference->rest.substr(found->prefix));
}

Illusion::Changed Illusion::location(std::string_view text) const {
  if (map_urls_)
    if (auto changed = url(text)) return changed;
  return map_callbacks_ ? callbacks(text) : std::nullopt;
}

// A site that signs people in is told where to send them back to: a dev server that takes itself for the workspace's host names
// that. Only whole values count, and only on the way to another host: what the workspace tells itself is its own.
Illusion::Changed Illusion::callbacks(std::string_view text) const {
  const std::size_t query = std::min(text.find('?'), text.find('#'));
  if (query >= text.size() || text[query] != '?') return std::nullopt;
  const auto reference = parse_reference(text);
  if (!reference || inverse_.find(reference->scheme, reference->authority, reference->rest)) return std::nullopt;
  const std::size_t end = std::min(text.find('#', query), text.size());
  std::string out;
  std::size_t copied = 0;
  for (std::size_t at = query + 1; at < end;) {
    const std::size_t next = std::min(text.find('&', at), end);
    // Not beyond the parameter: a query of nothing but ampersands must not be read once for each of them.
    const std::size_t equals = text.substr(at, next - at).find('=');
    if (equals != text.npos)
      if (const auto changed = callback(text.substr(at + equals + 1, next - at - equals - 1))) {
        out.append(text.substr(copied, at + equals + 1 - copied)).append(*changed);
        copied = next;
      }
    at = next + 1;
  }
  if (copied == 0) return std::nullopt;
  return out.append(text.substr(copied));
}

// What does not change stays byte for byte: only the part that names the destination is written anew, encoded where it was.
Illusion::Changed Illusion::callback(std::string_view value) const {
  const auto decoded = decode(value);
  const auto reference = decoded ? parse_reference(decoded->text) : std::nullopt;
  if (!reference || !reference->scheme) return std::nullopt;
  const auto found = inverse_.find(reference->scheme, reference->authority, reference->rest);
  const auto seen = found ? seen_as(found->port) : std::nullopt;
  if (!seen) return std::nullopt;
  const std::size_t kept = decoded->at[decoded->text.size() - reference->rest.size() + found->prefix];
  const std::string start = fmt::format("{}//{}", text_of(view_.scheme), *seen);
  const bool was_encoded = value.substr(0, kept).find('%') != value.npos;
  return fmt::format("{}{}", was_encoded ? encoded(start) : start, value.substr(kept));
}

// A serialised origin (RFC 6454 section 6.2); "*" and "null" are none. Of the names that this machine has, it is the one that the
// asking page has in its own origin: http://app.localhost:3000 is the workspace's port 3000 as well as http://localhost:3000 is.
Illusion::Changed Illusion::origin(std::string_view text, std::string_view client_origin) const {
  const auto reference = parse_reference(text);
  if (!reference || !reference->scheme || !reference->rest.empty()) return std::nullopt;
  const auto port = inverse_.find_origin(*reference->scheme, reference->authority);
  const auto seen = port ? seen_as(*port) : std::nullopt;
  if (!seen) return std::nullopt;
  const auto asking = parse_reference(client_origin);
  const auto named = net::parse_authority(*seen);
  if (asking && asking->scheme && asking->rest.empty() && named && is_loopback_target(asking->authority.host, view_.domains) &&
      asking->authority.port.value_or(default_port(*asking->scheme)) == named->port.value_or(default_port(view_.scheme)))
    return std::string(client_origin);
  return fmt::format("{}//{}", text_of(view_.scheme), *seen);
}

Illusion::Changed Illusion::refresh(std::string_view text) const {
  const std::string_view old = refresh_url(text);
  const auto changed = url(old);
  if (!changed) return std::nullopt;
  const auto at = static_cast<std::size_t>(old.data() - text.data());
  return fmt::format("{}{}{}", text.substr(0, at), *changed, text.substr(at + old.size()));
}

// RFC 8288 section 3: targets in angle brackets, then parameters, among them quoted strings with commas and brackets of their
// own. A value that is anything else stays whole.
Illusion::Changed Illusion::link(std::string_view text) const {
  std::string out;
  std::size_t copied = 0, at = 0;
  while (true) {
    while (at < text.size() && (is_blank(text[at]) || text[at] == ',')) ++at;
    if (at == text.size()) break;
    if (text[at] != '<') return std::nullopt;
    const std::size_t begin = at + 1, end = text.find('>', begin);
    if (end == text.npos) return std::nullopt;
    if (const auto changed = url(text.substr(begin, end - begin))) {
      out.append(text.substr(copied, begin - copied)).append(*changed);
      copied = end;
    }
    bool quoted = false;
    for (at = end + 1; at < text.size() && (quoted || text[at] != ','); ++at) {
      if (text[at] == '"') quoted = !quoted;
      else if (quoted && text[at] == '\\') ++at;
    }
    if (quoted) return std::nullopt;
  }
  if (copied == 0) return std::nullopt;
  return out.append(text.substr(copied));
}

// RFC 6265 section 5.2: attributes stand behind semicolons, whatever else is in them.
Illusion::Changed Illusion::cookie(std::string_view text) const {
  std::string out;
  std::size_t copied = 0;
  for (std::size_t at = text.find(';'); at < text.size();) {
    const std::size_t end = std::min(text.find(';', at + 1), text.size());
    if (is_own_domain(text.substr(at + 1, end - at - 1))) {
      out.append(text.substr(copied, at - copied));
      copied = end;
    }
    at = end;
  }
  if (copied == 0) return std::nullopt;
  return out.append(text.substr(copied));
}

// "Domain=…" that the client would take from the destination (RFC 6265 section 5.3): its host, or a domain above that. One
// without a dot is a top-level domain, which no client takes.
bool Illusion::is_own_domain(std::string_view attribute) const {
  const std::size_t equals = attribute.find('=');
  if (equals == attribute.npos || !http::equal_ignoring_case(trimmed(attribute.substr(0, equals)), "domain")) return false;
  std::string_view value = trimmed(attribute.substr(equals + 1));
  if (value.starts_with('.')) value.remove_prefix(1);
  const std::string domain = net::to_lower(value);
  if (domain == destination_host_) return true;
  return domain.find('.') != domain.npos && net::is_under(destination_host_, domain) &&
         !net::Endpoint::from_ip(destination_host_, 1);
}

}  // namespace cmux::policy
