#include "app/setting_values.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <optional>

#include <fmt/format.h>

#include "app/settings.hpp"

namespace cmux::app {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
// Largest first, so that the first that divides a value is the one to print it in.
constexpr std::array<Unit, 5> kTimes{{{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};
constexpr std::array<Unit, 3> kSizes{{{"g", 1'073'741'824}, {"m", 1'048'576}, {"k", 1'024}}};
constexpr std::uint64_t kLongestTime = 365ull * 86'400'000;  // far from where clocks overflow

std::optional<std::uint64_t> digits(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// A number and the unit after it, multiplied out; nothing for an unknown unit or more than `most`.
template <class Units>
std::optional<std::uint64_t> scaled(std::string_view text, const Units& units, std::uint64_t most) {
  const std::size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = digits(text.substr(0, end));
  const auto* unit = std::find_if(units.begin(), units.end(), [&](const Unit& u) { return u.name == text.substr(end); });
  if (!number || unit == units.end() || *number > most / unit->factor) return std::nullopt;
  return *number * unit->factor;
}

template <class Units>
std::string in_largest_unit(std::uint64_t value, const Units& units) {
  for (const Unit& unit : units)
    if (value != 0 && value % unit.factor == 0) return fmt::format("{}{}", value / unit.factor, unit.name);
  return fmt::format("{}", value);
}

// How many letters must be added, left out, changed or swapped with their neighbour to make one of the other.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  // Three rows of the usual table: the one being filled, the one above, and the one above that for swaps.
  std::vector<std::size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before.swap(above);
    above.swap(row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] == b[j - 1] ? 0u : 1u)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

constexpr std::string_view kEndpointForm = "IP:PORT, such as 127.0.0.1:39385 or [::1]:0";

}  // namespace

Error expected(std::string_view what, std::string_view text) {
  return make_error(Errc::config, fmt::format("expected {}, not '{}'", what, text));
}

Result<milliseconds> parse_duration(std::string_view text) {
  if (text == "0") return milliseconds(0);
  if (const auto time = scaled(text, kTimes, kLongestTime)) return milliseconds(*time);
  return expected("a time such as 5s, 300ms, 1m, 1h or 2d, of at most 365d", text);
}

std::string print_duration(milliseconds time) { return in_largest_unit(static_cast<std::uint64_t>(time.count()), kTimes); }

Result<bool> parse_switch(std::string_view text) {
  const std::string word = net::to_lower(text);
  if (word == "true" || word == "1" || word == "yes" || word == "on") return true;
  if (word == "false" || word == "0" || word == "no" || word == "off") return false;
  return expected("true or false", text);
}

Result<std::uint64_t> parse_number(std::string_view text, std::uint64_t least, std::uint64_t most) {
  const auto number = digits(text);
  if (number && *number >= least && *number <= most) return *number;
  return expected(fmt::format("a number from {} to {}", least, most), text);
}

Result<std::uint64_t> parse_size(std::string_view text, std::uint64_t least, std::uint64_t most) {
  auto bytes = digits(text);
  if (!bytes) bytes = scaled(net::to_lower(text), kSizes, most);
  if (bytes && *bytes >= least && *bytes <= most) return *bytes;
  return expected(fmt::format("a size in bytes such as 65536, 64k, 1m or 1g, from {} to {}", print_size(least), print_size(most)),
                  text);
}

std::string print_size(std::uint64_t bytes) { return in_largest_unit(bytes, kSizes); }

Result<std::string> parse_readable_file(std::string_view text) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path path = fs::absolute(fs::path(text), error);
  if (text.empty() || error || !fs::is_regular_file(path, error) || !std::ifstream(path).good())
    return expected("a file that can be read", text);
  return path.lexically_normal().string();
}

Result<std::string> parse_folder(std::string_view text) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path path = fs::absolute(fs::path(text), error);
  if (text.empty() || error || !fs::is_directory(path, error)) return expected("a folder", text);
  return path.lexically_normal().string();
}

Result<std::string> parse_domain(std::string_view text) {
  const std::string domain = net::to_lower(text);
  // "localhost" itself would leave nothing that is loopback.
  if (!net::is_dns_name(domain) || net::Endpoint::from_ip(domain, 0) || domain == "localhost")
    return expected("a DNS name such as preview.example.com", text);
  return domain;
}

Result<std::string> parse_host_pattern(std::string_view text) {
  const std::string pattern = net::to_lower(text);
  if (pattern.empty() || pattern.find_first_of("/ @[]") != std::string::npos)
    return expected("a host, in which * and ? may stand for any characters", text);
  return pattern;
}

Result<net::Endpoint> parse_tcp_endpoint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return expected(kEndpointForm, text);
  std::string_view host = text.substr(0, colon);
  const auto port = digits(text.substr(colon + 1));
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (!port || *port > 65535 || bracketed != (host.find(':') != std::string_view::npos)) return expected(kEndpointForm, text);
  if (net::to_lower(host) == "localhost") host = "127.0.0.1";
  const auto endpoint = net::Endpoint::from_ip(host, static_cast<std::uint16_t>(*port));
  if (!endpoint) return expected(kEndpointForm, text);
  return *endpoint;
}

Result<net::Endpoint> parse_any_endpoint(std::string_view text) {
  if (text.starts_with("unix:")) return net::Endpoint::from_unix(text.substr(5));
  const auto endpoint = parse_tcp_endpoint(text);
  if (!endpoint) return expected(fmt::format("{}, or unix:PATH", kEndpointForm), text);
  return endpoint;
}

std::string print_override(const net::Override& entry) {
  if (entry.port == 0) return fmt::format("{}={}", entry.pattern, entry.ip);
  const bool ipv6 = entry.ip.find(':') != std::string::npos;
  return fmt::format("{}={}{}{}:{}", entry.pattern, ipv6 ? "[" : "", entry.ip, ipv6 ? "]" : "", entry.port);
}

std::string toml_string(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += {'\\', c};
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) quoted += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else quoted += c;
  }
  return quoted + '"';
}

std::string closest(std::string_view word, const std::vector<std::string>& words) {
  std::string best;
  std::size_t limit = word.size() / 3 + 2;
  for (const std::string& candidate : words) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance >= limit) continue;
    limit = distance;
    best = candidate;
  }
  return best;
}

}  // namespace cmux::app
