#include "upstream/parent.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <span>

#include <fmt/format.h>

#include "http/fields.hpp"
#include "net/resolver.hpp"
#include "tls/digest.hpp"
#include "upstream/user_info.hpp"

namespace cmux::upstream {
namespace {

struct Scheme {
  std::string_view name;
  Parent::Kind kind;
  std::uint16_t port;
};
// The first of a kind is what it is called. Names are the parent's to resolve in both forms of SOCKS5, as with Go and Chromium.
constexpr std::array<Scheme, 4> kSchemes{{
    {"http", Parent::Kind::http, 80},
    {"https", Parent::Kind::https, 443},
    {"socks5", Parent::Kind::socks5, 1080},
    {"socks5h", Parent::Kind::socks5, 1080},
}};
constexpr std::size_t kLongestSocks = 255;  // RFC 1929 section 2
constexpr std::string_view kRedacted = "***";
constexpr unsigned kMappedBits = 96;  // of ::ffff:0:0/96 (RFC 4291 section 2.5.5.2)
constexpr std::string_view kWild = "*?";
constexpr std::string_view kInPatterns = "abcdefghijklmnopqrstuvwxyz0123456789-_.*?";

Error refused(std::string_view why) {
  return make_error(Errc::config, fmt::format("expected http://[user:password@]host:port, https://… or socks5://…; {}", why));
}

Result<void> take_credentials(std::string_view user_info, Parent& parent) {
  if (user_info == kRedacted) return refused("*** stands for a user and password that were left out");
  auto user = parse_user_info(user_info);
  if (!user) return refused("user or password holds a control character, or % without two digits (write %25)");
  if (user->username.empty()) return refused("the user's name is empty");
  if (parent.kind == Parent::Kind::socks5 && std::max(user->username.size(), user->password.size()) > kLongestSocks)
    return refused("SOCKS5 takes 255 bytes of user or password at the most");
  if (parent.kind != Parent::Kind::socks5 && user->username.find(':') != std::string::npos)
    return refused("the user's name may hold no colon");
  parent.form.authorization = "Basic " + tls::base64(fmt::format("{}:{}", user->username, user->password));
  parent.username = std::move(user->username);
  parent.password = std::move(user->password);
  return {};
}

// As the resolver reads them: 127.1, 0x7f.1 and the like, too.
bool is_loopback(std::string_view host) {
  in_addr short_form{};
  if (net::is_loopback_name(host)) return true;
  if (inet_aton(std::string(host).c_str(), &short_form) == 0) return false;
  return short_form.s_addr == INADDR_ANY || ntohl(short_form.s_addr) >> 24 == IN_LOOPBACKNET;
}

std::span<const unsigned char> address_bytes(const net::Endpoint& endpoint) {
  const auto* const bytes = reinterpret_cast<const unsigned char*>(&endpoint.storage);
  if (endpoint.storage.ss_family == AF_INET) return {bytes + offsetof(sockaddr_in, sin_addr), 4};
  std::span<const unsigned char> v6{bytes + offsetof(sockaddr_in6, sin6_addr), 16};
  constexpr std::array<unsigned char, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return std::equal(kMapped.begin(), kMapped.end(), v6.begin()) ? v6.subspan(12) : v6;
}

bool is_within(const net::Endpoint& address, const net::Endpoint& network, unsigned bits) {
  const auto a = address_bytes(address), b = address_bytes(network);
  if (a.size() != b.size()) return false;
  for (unsigned bit = 0; bit < bits; ++bit)
    if (((a[bit / 8] ^ b[bit / 8]) >> (7 - bit % 8) & 1) != 0) return false;
  return true;
}

}  // namespace

std::string Parent::text() const {
  const auto* const scheme = std::find_if(kSchemes.begin(), kSchemes.end(), [&](const Scheme& s) { return s.kind == kind; });
  return fmt::format("{}://{}", scheme->name, at.text());
}

std::string Parent::redacted() const {
  std::string out = text();
  if (!form.authorization.empty()) out.insert(out.find("//") + 2, fmt::format("{}@", kRedacted));
  return out;
}

Result<Parent> parse_parent(std::string_view url) {
  const std::size_t colon = url.find("://");
  if (colon == url.npos) return refused("there is no scheme");
  const std::string scheme = net::to_lower(url.substr(0, colon));
  const auto* const known = std::find_if(kSchemes.begin(), kSchemes.end(), [&](const Scheme& s) { return s.name == scheme; });
  if (known == kSchemes.end()) return refused("there are no other schemes");
  std::string_view rest = url.substr(colon + 3);
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.find_first_of("/?#") != rest.npos) return refused("there is no path, and / ? # in a password are %2F %3F %23");
  Parent parent;
  parent.kind = known->kind;
  if (const std::size_t at = rest.rfind('@'); at != rest.npos) {
    if (auto taken = take_credentials(rest.substr(0, at), parent); !taken) return taken.error();
    rest.remove_prefix(at + 1);
  }
  auto host = net::parse_authority(rest);
  if (!host) return refused(host.error().detail);
  parent.at = std::move(*host);
  if (!parent.at.port) parent.at.port = known->port;
  return parent;
}

Bypass::Bypass(std::string_view text) : text_(text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(", \t"), text.size());
    const std::string_view word = text.substr(0, end);
    if (auto entry = read(word)) entries_.push_back(std::move(*entry));
    else if (!word.empty()) not_understood_.emplace_back(word);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

std::optional<Bypass::Entry> Bypass::read(std::string_view text) {
  Entry entry;
  if (const std::size_t slash = text.find('/'); slash != text.npos) {
    entry.network = net::Endpoint::from_ip(text.substr(0, slash), 0);
    const char* const end = text.data() + text.size();
    const auto [stop, failed] = std::from_chars(text.data() + slash + 1, end, entry.bits);
    if (!entry.network || failed != std::errc() || stop != end) return std::nullopt;
    const auto size = static_cast<unsigned>(8 * address_bytes(*entry.network).size());
    // An IPv4 network in IPv6's form: its prefix counts from the front of that.
    if (size == 32 && entry.network->storage.ss_family == AF_INET6) {
      if (entry.bits > 128) return std::nullopt;
      entry.bits -= std::min(entry.bits, kMappedBits);
    }
    if (entry.bits > size) return std::nullopt;
    return entry;
  }
  // An IPv6 address has colons of its own; with a port it stands in brackets.
  const std::size_t colon = text.rfind(':');
  const bool has_port = colon != text.npos && colon > 0 && (text.find(':') == colon || text[colon - 1] == ']');
  if (has_port) {
    entry.port = net::parse_port(text.substr(colon + 1));
    if (!entry.port) return std::nullopt;
    text = text.substr(0, colon);
  }
  if (text.size() > 2 && text.front() == '[' && text.back() == ']') text = text.substr(1, text.size() - 2);
  if (auto address = net::Endpoint::from_ip(text, 0)) {
    entry.bits = static_cast<unsigned>(8 * address_bytes(*address).size());
    entry.network = *address;
    return entry;
  }
  if (text.starts_with('.')) text.remove_prefix(1);
  if (text.ends_with('.')) text.remove_suffix(1);
  entry.name = net::to_lower(text);
  if (entry.name.empty() || entry.name.find_first_not_of(kInPatterns) != std::string::npos) return std::nullopt;
  return entry;
}

bool Bypass::matches(const Entry& entry, std::string_view host) {
  if (entry.network) {
    const auto address = net::Endpoint::from_ip(host, 0);
    return address && is_within(*address, *entry.network, entry.bits);
  }
  if (entry.name.find_first_of(kWild) != std::string::npos) return net::matches_glob(entry.name, host);
  return net::is_under(host, entry.name);
}

bool Bypass::covers(std::string_view host, std::uint16_t port) const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [&](const Entry& entry) { return (!entry.port || *entry.port == port) && matches(entry, host); });
}

bool Parents::operator==(const Parents& other) const {
  const auto same = [](const std::optional<Parent>& one, const std::optional<Parent>& two) {
    if (!one || !two) return !one && !two;
    return one->text() == two->text() && one->username == two->username && one->password == two->password &&
           one->form.authorization == two->form.authorization;
  };
  return same(requests, other.requests) && same(tunnels, other.tunnels) && bypass.text() == other.bypass.text();
}

const Parent* Parents::find(std::string_view host, std::uint16_t port, bool tunnel) const {
  const auto& parent = tunnel ? tunnels : requests;
  return !parent || is_loopback(host) || bypass.covers(host, port) ? nullptr : &*parent;
}

}  // namespace cmux::upstream
