#include "policy/inverse.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cmux::policy {
namespace {

constexpr char kPort = '\0';
constexpr std::size_t kLongestPort = 5;

std::string text_of(const Destination& destination) {
  return fmt::format("{}:{}{}", destination.host, destination.port, destination.path_prefix);
}

// A port of as many digits, none of them the same. It begins with 1 or 2, so that five digits are not too many.
std::uint16_t unlike(std::uint16_t port) {
  std::string digits = fmt::format("{}", port);
  const char first = digits.front() == '2' ? '1' : '2';
  for (char& digit : digits) digit = digit == '9' ? '0' : static_cast<char>(digit + 1);
  digits.front() = first;
  return *net::parse_port(digits);
}

// How much of `text` the shape takes, with that port in it.
std::optional<std::size_t> taken(std::string_view shape, std::string_view text, std::string_view port) {
  std::size_t at = 0;
  for (const char c : shape) {
    const std::string_view piece = c == kPort ? port : std::string_view(&c, 1);
    if (!text.substr(at).starts_with(piece)) return std::nullopt;
    at += piece.size();
  }
  return at;
}

}  // namespace

// Where the destinations of two ports differ, there the port stands: so this follows destination_of() for every kind of route.
Inverse::Inverse(const Route& route, Scheme target_scheme, std::string_view target_host, std::uint16_t target_port,
                 const Destination& destination)
    : scheme_(destination.scheme), target_port_(target_port) {
  const auto other = destination_of(route, target_scheme, target_host, unlike(target_port));
  if (!other) return;
  const std::string one = text_of(destination), two = text_of(*other);
  if (one.size() != two.size()) return;
  const std::size_t digits = fmt::formatted_size("{}", target_port);
  for (std::size_t i = 0; i < one.size();) {
    const bool same = one[i] == two[i];
    shape_ += same ? one[i] : kPort;
    i += same ? 1 : digits;
  }
  authority_size_ = std::min(shape_.find('/'), shape_.size());
}

// "host:port" as in shape_, or nothing where the scheme is not the destination's.
std::optional<std::string> Inverse::place(std::optional<Scheme> scheme, const net::Authority& authority) const {
  if (shape_.empty()) return std::nullopt;
  if (scheme == Scheme::https && scheme_ == Scheme::http) return std::nullopt;
  std::uint16_t port = authority.port.value_or(default_port(scheme.value_or(scheme_)));
  if (scheme == Scheme::http && scheme_ == Scheme::https && port == 80) port = 443;
  return fmt::format("{}:{}", authority.host, port);
}

std::optional<Inverse::Found> Inverse::match(std::string_view shape, std::string_view text) const {
  // What follows the prefix must be another segment, or not the path any more.
  const auto ends = [&](std::size_t at) { return at == text.size() || text[at] == '/' || text[at] == '?' || text[at] == '#'; };
  const std::size_t first = shape.find(kPort);
  if (first == shape.npos) {
    const auto size = taken(shape, text, {});
    return size && ends(*size) ? std::optional(Found{target_port_, *size}) : std::nullopt;
  }
  if (text.size() < first) return std::nullopt;
  // Digits may stand beside the port, and it may stand there twice: each length is tried, at most one can fit.
  for (std::size_t size = 1; size <= kLongestPort && first + size <= text.size(); ++size) {
    const std::string_view digits = text.substr(first, size);
    const auto port = net::parse_port(digits);
    if (!port || digits.front() == '0') return std::nullopt;  // a leading zero would name another host
    if (const auto whole = taken(shape, text, digits); whole && ends(*whole)) return Found{*port, *whole};
  }
  return std::nullopt;
}

std::optional<Inverse::Found> Inverse::find(std::optional<Scheme> scheme, const net::Authority& authority,
                                            std::string_view path) const {
  auto text = place(scheme, authority);
  if (!text) return std::nullopt;
  const std::size_t size = text->size();
  if (authority_size_ == shape_.size()) {
    auto found = match(shape_, *text);
    if (found) found->prefix = 0;
    return found;
  }
  text->append(path);
  auto found = match(shape_, *text);
  // A path that climbs out of the prefix again (RFC 3986 section 5.2.4) has no loopback URL.
  if (!found || path.substr(0, path.find_first_of("?#")).find("/..") != path.npos) return std::nullopt;
  found->prefix -= size;
  return found;
}

std::optional<std::uint16_t> Inverse::find_origin(Scheme scheme, const net::Authority& authority) const {
  const auto text = place(scheme, authority);
  if (!text) return std::nullopt;
  const auto found = match(std::string_view(shape_).substr(0, authority_size_), *text);
  return found ? std::optional(found->port) : std::nullopt;
}

}  // namespace cmux::policy
