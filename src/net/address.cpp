#include "net/address.hpp"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstring>

#include <fmt/format.h>

namespace cmux::net {
namespace {

constexpr std::size_t kLongestName = 253;
constexpr std::size_t kLongestLabel = 63;

// Not <cctype>: these must not follow the locale.
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_all_digits(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_digit); }

// inet_pton() wants a terminated string; a NUL inside `text` must not end it early.
template <class Address>
bool parse_ip(int family, std::string_view text, Address& out) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size() || text.find('\0') != text.npos) return false;
  std::copy(text.begin(), text.end(), terminated.begin());
  return inet_pton(family, terminated.data(), &out) == 1;
}

bool is_ipv6(std::string_view text) {
  in6_addr address;
  return parse_ip(AF_INET6, text, address);
}

bool is_loopback(const in_addr& address) { return (ntohl(address.s_addr) >> 24) == 127; }
bool is_loopback(const in6_addr& address) {
  return IN6_IS_ADDR_LOOPBACK(&address) || (IN6_IS_ADDR_V4MAPPED(&address) && address.s6_addr[12] == 127);
}

// Splits "labels.with.dots" and asks `valid` about each; checks the lengths (RFC 1035 section 2.3.4).
template <class Valid>
bool all_labels(std::string_view name, Valid valid) {
  if (name.empty() || name.size() > kLongestName) return false;
  while (true) {
    const std::size_t dot = name.find('.');
    const std::string_view label = name.substr(0, dot);
    if (label.empty() || label.size() > kLongestLabel || !valid(label)) return false;
    if (dot == name.npos) return true;
    name.remove_prefix(dot + 1);
  }
}

bool is_host_name(std::string_view text) {
  return all_labels(text, [](std::string_view label) {
    return std::all_of(label.begin(), label.end(), [](char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '_'; });
  });
}

// RFC 6874: unreserved characters; what is longer than an interface's name can be is none.
bool is_zone(std::string_view text) {
  return !text.empty() && text.size() < IF_NAMESIZE && std::all_of(text.begin(), text.end(), [](char c) {
    return is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
  });
}

Error refused(std::string_view why) {
  Error error = make_error(Errc::malformed, fmt::format("authority: {}", why));
  error.status = 400;
  return error;
}

// The inside of brackets, or a bare literal. "%25" is a percent sign in a URL (RFC 6874), "%" alone is how people write it.
std::optional<std::string> normal_ipv6(std::string_view text) {
  const std::size_t percent = text.find('%');
  const std::string_view address = text.substr(0, percent);
  if (!is_ipv6(address)) return std::nullopt;
  if (percent == text.npos) return to_lower(address);
  std::string_view zone = text.substr(percent + 1);
  if (zone.starts_with("25")) zone.remove_prefix(2);
  if (!is_zone(zone)) return std::nullopt;
  return fmt::format("{}%{}", to_lower(address), zone);
}

Result<Authority> with_ipv6(std::string_view literal, std::optional<std::uint16_t> port) {
  std::optional<std::string> host = normal_ipv6(literal);
  if (!host) return refused("not an IPv6 address");
  Authority authority;
  authority.host = std::move(*host);
  authority.ipv6 = true;
  authority.port = port;
  return authority;
}

Result<Authority> parse_bracketed(std::string_view text) {
  const std::size_t end = text.find(']');
  if (end == text.npos) return refused("a bracket is not closed");
  const std::string_view rest = text.substr(end + 1);
  std::optional<std::uint16_t> port;
  if (!rest.empty()) {
    if (rest.front() != ':') return refused("only a colon and a port may follow the closing bracket");
    port = parse_port(rest.substr(1));
    if (!port) return refused("the port must be a number from 1 to 65535");
  }
  return with_ipv6(text.substr(1, end - 1), port);
}

std::string zone_name(std::uint32_t index) {
  std::array<char, IF_NAMESIZE> name{};
  if (if_indextoname(index, name.data())) return name.data();
  return fmt::format("{}", index);
}

std::optional<std::uint32_t> zone_index(std::string_view zone) {
  if (!is_zone(zone)) return std::nullopt;
  if (const unsigned index = if_nametoindex(std::string(zone).c_str())) return index;
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(zone.data(), zone.data() + zone.size(), number);
  if (error != std::errc() || end != zone.data() + zone.size() || number == 0) return std::nullopt;
  return number;
}

// Through memcpy: the storage's bytes are looked at as the type they were written as.
template <class Address>
Address view_as(const sockaddr_storage& storage) {
  Address address;
  std::memcpy(&address, &storage, sizeof address);
  return address;
}

template <class Address>
Endpoint endpoint_of(const Address& address, std::size_t size = sizeof(Address)) {
  Endpoint endpoint;
  std::memcpy(&endpoint.storage, &address, sizeof address);
  endpoint.size = static_cast<socklen_t>(size);
  return endpoint;
}

// An address by which all its spellings compare equal: IPv4 as it is mapped into IPv6, a zone only where it says something.
struct PlainIp {
  in6_addr address{};
  std::uint32_t zone = 0;
};

std::optional<PlainIp> plain_ip(const sockaddr_storage& storage) {
  PlainIp ip;
  if (storage.ss_family == AF_INET) {
    const auto v4 = view_as<sockaddr_in>(storage);
    ip.address.s6_addr[10] = ip.address.s6_addr[11] = 0xff;
    std::memcpy(ip.address.s6_addr + 12, &v4.sin_addr, sizeof v4.sin_addr);
    return ip;
  }
  if (storage.ss_family != AF_INET6) return std::nullopt;
  const auto v6 = view_as<sockaddr_in6>(storage);
  ip.address = v6.sin6_addr;
  if (IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr)) ip.zone = v6.sin6_scope_id;
  return ip;
}

std::string unix_path(const Endpoint& endpoint) {
  const auto address = view_as<sockaddr_un>(endpoint.storage);
  return std::string(address.sun_path, strnlen(address.sun_path, sizeof address.sun_path));
}

}  // namespace

std::string Authority::text() const {
  if (!ipv6) return port ? host + ':' + std::to_string(*port) : host;
  std::string literal = host;
  if (const std::size_t percent = literal.find('%'); percent != literal.npos) literal.replace(percent, 1, "%25");
  return port ? fmt::format("[{}]:{}", literal, *port) : fmt::format("[{}]", literal);
}

Result<Authority> parse_authority(std::string_view text) {
  if (text.empty()) return refused("the host is missing");
  if (text.find('@') != text.npos) return refused("user info is not allowed");
  if (text.front() == '[') return parse_bracketed(text);

  const std::size_t colon = text.rfind(':');
  if (colon != text.npos && text.find(':') != colon) {
    if (is_all_digits(text.substr(colon + 1)) && is_ipv6(text.substr(0, colon)))
      return refused("an IPv6 address needs brackets: its last part could be a port");
    return with_ipv6(text, std::nullopt);
  }

  Authority authority;
  if (colon != text.npos) {
    authority.port = parse_port(text.substr(colon + 1));
    if (!authority.port) return refused("the port must be a number from 1 to 65535");
  }
  std::string_view host = text.substr(0, colon);
  if (host.empty()) return refused("the host is missing");
  if (host.ends_with('.')) host.remove_suffix(1);
  if (!is_host_name(host)) return refused("the host must be a name, an IPv4 address, or an IPv6 address in brackets");
  authority.host = to_lower(host);
  return authority;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  if (text.size() > 5 || !is_all_digits(text)) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || port == 0) return std::nullopt;
  return port;
}

bool is_loopback_name(std::string_view host) {
  if (is_under(host, "localhost")) return true;
  in_addr v4;
  if (parse_ip(AF_INET, host, v4)) return is_loopback(v4) || v4.s_addr == htonl(INADDR_ANY);
  in6_addr v6;
  return parse_ip(AF_INET6, host.substr(0, host.find('%')), v6) && (is_loopback(v6) || IN6_IS_ADDR_UNSPECIFIED(&v6));
}

bool is_under(std::string_view host, std::string_view domain) {
  if (domain.empty() || !host.ends_with(domain)) return false;
  return host.size() == domain.size() || host[host.size() - domain.size() - 1] == '.';
}

bool is_dns_name(std::string_view text) {
  return all_labels(text, [](std::string_view label) {
    return label.front() != '-' && label.back() != '-' &&
           std::all_of(label.begin(), label.end(), [](char c) { return is_letter(c) || is_digit(c) || c == '-'; });
  });
}

std::string to_lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

std::optional<Endpoint> Endpoint::from_ip(std::string_view ip, std::uint16_t port) {
  sockaddr_in v4{};
  if (parse_ip(AF_INET, ip, v4.sin_addr)) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    return endpoint_of(v4);
  }
  sockaddr_in6 v6{};
  const std::size_t percent = ip.find('%');
  if (!parse_ip(AF_INET6, ip.substr(0, percent), v6.sin6_addr)) return std::nullopt;
  if (percent != ip.npos) {
    const std::optional<std::uint32_t> zone = zone_index(ip.substr(percent + 1));
    if (!zone) return std::nullopt;
    v6.sin6_scope_id = *zone;
  }
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  return endpoint_of(v6);
}

Result<Endpoint> Endpoint::from_unix(std::string_view path) {
  sockaddr_un address{};
  if (path.empty() || path.find('\0') != path.npos) return make_error(Errc::config, "unix: the path is empty or holds a NUL");
  if (path.size() >= sizeof address.sun_path)
    return make_error(Errc::config, fmt::format("unix: the path is longer than {} bytes: {}", sizeof address.sun_path - 1, path));
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  return endpoint_of(address, offsetof(sockaddr_un, sun_path) + path.size() + 1);
}

std::uint16_t Endpoint::port() const {
  if (storage.ss_family == AF_INET) return ntohs(view_as<sockaddr_in>(storage).sin_port);
  if (storage.ss_family == AF_INET6) return ntohs(view_as<sockaddr_in6>(storage).sin6_port);
  return 0;
}

void Endpoint::set_port(std::uint16_t port) {
  if (storage.ss_family == AF_INET) {
    auto address = view_as<sockaddr_in>(storage);
    address.sin_port = htons(port);
    *this = endpoint_of(address);
  } else if (storage.ss_family == AF_INET6) {
    auto address = view_as<sockaddr_in6>(storage);
    address.sin6_port = htons(port);
    *this = endpoint_of(address);
  }
}

bool Endpoint::is_any() const {
  if (storage.ss_family == AF_INET) return view_as<sockaddr_in>(storage).sin_addr.s_addr == htonl(INADDR_ANY);
  if (storage.ss_family != AF_INET6) return false;
  const in6_addr address = view_as<sockaddr_in6>(storage).sin6_addr;
  static constexpr std::array<std::uint8_t, 4> kZero{};
  return IN6_IS_ADDR_UNSPECIFIED(&address) ||
         (IN6_IS_ADDR_V4MAPPED(&address) && std::equal(kZero.begin(), kZero.end(), address.s6_addr + 12));
}

bool Endpoint::is_loopback() const {
  if (storage.ss_family == AF_INET) return net::is_loopback(view_as<sockaddr_in>(storage).sin_addr);
  return storage.ss_family == AF_INET6 && net::is_loopback(view_as<sockaddr_in6>(storage).sin6_addr);
}

bool Endpoint::same_ip(const Endpoint& other) const {
  const auto mine = plain_ip(storage), theirs = plain_ip(other.storage);
  return mine && theirs && mine->zone == theirs->zone && std::memcmp(&mine->address, &theirs->address, sizeof mine->address) == 0;
}

std::string Endpoint::ip() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (storage.ss_family == AF_INET) {
    const auto address = view_as<sockaddr_in>(storage);
    return inet_ntop(AF_INET, &address.sin_addr, text.data(), text.size());
  }
  if (storage.ss_family != AF_INET6) return {};
  const auto address = view_as<sockaddr_in6>(storage);
  std::string ip = inet_ntop(AF_INET6, &address.sin6_addr, text.data(), text.size());
  if (address.sin6_scope_id != 0) ip += '%' + zone_name(address.sin6_scope_id);
  return ip;
}

std::string Endpoint::text() const {
  if (is_unix()) return "unix:" + unix_path(*this);
  return storage.ss_family == AF_INET6 ? fmt::format("[{}]:{}", ip(), port()) : fmt::format("{}:{}", ip(), port());
}

}  // namespace cmux::net
