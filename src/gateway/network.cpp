#include "gateway/network.hpp"

#include <netinet/in.h>

#include <fmt/format.h>

#include <charconv>

namespace cmux::gateway {

bool Network::holds(const net::Endpoint& endpoint) const {
  const auto bytes = [](const net::Endpoint& at) -> std::string_view {
    if (at.storage.ss_family == AF_INET)
      return {reinterpret_cast<const char*>(&reinterpret_cast<const sockaddr_in&>(at.storage).sin_addr), 4};
    if (at.storage.ss_family == AF_INET6)
      return {reinterpret_cast<const char*>(&reinterpret_cast<const sockaddr_in6&>(at.storage).sin6_addr), 16};
    return {};
  };
  const std::string_view own = bytes(address), other = bytes(endpoint);
  if (own.size() != other.size() || own.empty()) return false;
  const std::size_t whole = bits / 8;
  if (own.substr(0, whole) != other.substr(0, whole)) return false;
  const unsigned left = bits % 8;
  return left == 0 || (static_cast<unsigned char>(own[whole]) ^ static_cast<unsigned char>(other[whole])) >> (8 - left) == 0;
}

Result<Network> parse_network(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = net::Endpoint::from_ip(text.substr(0, slash), 0);
  if (!address) return make_error(Errc::config, fmt::format("expected an address or a range such as 10.0.0.0/8, not '{}'", text));
  const unsigned most = address->storage.ss_family == AF_INET ? 32 : 128;
  Network out{*address, most};
  if (slash == text.npos) return out;
  const std::string_view digits = text.substr(slash + 1);
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), out.bits);
  if (digits.empty() || read.ec != std::errc() || read.ptr != digits.data() + digits.size() || out.bits > most)
    return make_error(Errc::config, fmt::format("expected at most {} bits behind the '/', not '{}'", most, digits));
  return out;
}

}  // namespace cmux::gateway
