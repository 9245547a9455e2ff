#include "socks/messages.hpp"

#include <arpa/inet.h>

#include <array>
#include <utility>

#include <fmt/format.h>

namespace cmux::socks {
namespace {

constexpr std::uint8_t kConnect = 1, kIpv4 = 1, kName = 3, kIpv6 = 4;
constexpr std::size_t kRequestHead = 4, kPort = 2;

std::uint8_t byte_at(std::string_view bytes, std::size_t at) { return static_cast<std::uint8_t>(bytes[at]); }

Error malformed(std::string_view why) {
  return Error{Errc::malformed, Side::downstream, false, 400, fmt::format("SOCKS: {}", why)};
}

// Reads "length, text" at `at`, and moves it behind them. False: not all of it is there.
bool take_text(std::string_view bytes, std::size_t& at, std::string& out) {
  if (bytes.size() <= at || bytes.size() - at - 1 < byte_at(bytes, at)) return false;
  out = bytes.substr(at + 1, byte_at(bytes, at));
  at += 1 + out.size();
  return true;
}

std::string ip_text(int family, std::string_view address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  return inet_ntop(family, address.data(), text.data(), text.size());
}

Result<net::Authority> authority_of(std::string_view host, std::uint16_t port) {
  // Only IPv6 has a colon, and an authority wants it in brackets. What is not valid is for its parser to say.
  const bool bare = host.find(':') != host.npos && !host.starts_with('[');
  return net::parse_authority(bare ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port));
}

}  // namespace

Result<std::size_t> parse_greeting(std::string_view bytes, Greeting& out) {
  if (bytes.empty()) return std::size_t{0};
  if (bytes.front() != kVersion) return malformed(fmt::format("version {} is not spoken here, 5 is", byte_at(bytes, 0)));
  if (bytes.size() < 2) return std::size_t{0};
  const std::size_t size = 2u + byte_at(bytes, 1);
  if (bytes.size() < size) return std::size_t{0};
  for (const char method : bytes.substr(2, size - 2)) {
    if (method == kMethodNone) out.none = true;
    if (method == kMethodPassword) out.password = true;
  }
  return size;
}

Result<std::size_t> parse_login(std::string_view bytes, Login& out) {
  if (bytes.empty()) return std::size_t{0};
  if (bytes.front() != 1) return malformed("not version 1 of user name and password");
  std::size_t at = 1;
  const bool complete = take_text(bytes, at, out.username) && take_text(bytes, at, out.password);
  return complete ? at : 0;
}

Result<std::size_t> parse_request(std::string_view bytes, Request& out) {
  const auto refused = [&](Reply reply, Error error) {
    out.refusal = reply;
    return error;
  };
  const auto unsupported = [](std::string_view why) {
    return Error{Errc::unsupported, Side::downstream, false, 501, fmt::format("SOCKS: {}", why)};
  };
  if (!bytes.empty() && bytes.front() != kVersion) return refused(Reply::general_failure, malformed("not version 5"));
  if (bytes.size() < kRequestHead) return std::size_t{0};
  const std::uint8_t type = byte_at(bytes, 3);
  if (type != kIpv4 && type != kName && type != kIpv6)
    return refused(Reply::address_unsupported, unsupported(fmt::format("address type {}", type)));
  std::size_t at = kRequestHead;
  std::string host;
  if (type == kName) {
    if (!take_text(bytes, at, host)) return std::size_t{0};
  } else {
    const std::size_t length = type == kIpv4 ? 4 : 16;
    if (bytes.size() < at + length) return std::size_t{0};
    host = ip_text(type == kIpv4 ? AF_INET : AF_INET6, bytes.substr(at, length));
    at += length;
  }
  if (bytes.size() < at + kPort) return std::size_t{0};
  if (const std::uint8_t command = byte_at(bytes, 1); command != kConnect)
    return refused(Reply::command_unsupported, unsupported(fmt::format("command {}; only CONNECT (1) is served", command)));
  if (bytes[2] != 0) return refused(Reply::general_failure, malformed("the reserved byte is not zero"));
  auto target = authority_of(host, static_cast<std::uint16_t>(byte_at(bytes, at) << 8 | byte_at(bytes, at + 1)));
  if (!target) return refused(Reply::general_failure, malformed(target.error().detail));
  out.target = std::move(*target);
  return at + kPort;
}

std::string method_text(std::uint8_t method) { return {kVersion, static_cast<char>(method)}; }

std::string other_version_text(char version) {
  constexpr char kRejected = 91;  // of version 4, whose answers begin with a zero
  return version == 4 ? std::string{0, kRejected, 0, 0, 0, 0, 0, 0} : method_text(kNoMethod);
}

std::string login_text(bool good) { return {1, static_cast<char>(good ? 0 : 1)}; }

std::string reply_text(Reply reply) { return {kVersion, static_cast<char>(reply), 0, kIpv4, 0, 0, 0, 0, 0, 0}; }

Reply reply_of(const http::Head& response) {
  if (response.tunnel) return Reply::succeeded;
  // RFC 9209 section 2.3.
  static constexpr std::array<std::pair<std::string_view, Reply>, 7> kErrors{{
      {"connection_refused", Reply::refused},
      {"destination_ip_unroutable", Reply::network_unreachable},
      {"dns_error", Reply::host_unreachable},
      {"dns_timeout", Reply::host_unreachable},
      {"connection_timeout", Reply::ttl_expired},
      {"proxy_loop_detected", Reply::not_allowed},
      {"http_request_denied", Reply::not_allowed},
  }};
  constexpr std::string_view kError = "; error=";
  const std::string_view status = response.fields.get(http::Name::proxy_status).value_or(std::string_view{});
  const std::size_t at = status.find(kError);
  if (at == status.npos) return Reply::general_failure;
  const std::string_view found = status.substr(at + kError.size());
  for (const auto& [name, reply] : kErrors)
    if (found.substr(0, found.find(';')) == name) return reply;
  return Reply::general_failure;
}

// --- the client's side ---

namespace {

Error no_server(std::string_view why) { return Error{Errc::malformed, Side::upstream, false, 0, std::string(why)}; }

// An answer of two bytes that begins with `version`.
Result<std::size_t> parse_pair(std::string_view bytes, char version, std::uint8_t& out) {
  if (!bytes.empty() && bytes.front() != version) return no_server("it does not speak SOCKS5");
  if (bytes.size() < 2) return std::size_t{0};
  out = byte_at(bytes, 1);
  return std::size_t{2};
}

}  // namespace

std::string greeting_text(bool with_password) {
  return with_password ? std::string{kVersion, 2, kMethodNone, kMethodPassword} : std::string{kVersion, 1, kMethodNone};
}

Result<std::size_t> parse_method(std::string_view bytes, std::uint8_t& out) { return parse_pair(bytes, kVersion, out); }

std::string login_request_text(const Login& login) {
  return fmt::format("\x01{}{}{}{}", static_cast<char>(login.username.size()), login.username,
                     static_cast<char>(login.password.size()), login.password);
}

Result<std::size_t> parse_login_reply(std::string_view bytes, bool& good) {
  std::uint8_t status = 1;
  auto size = parse_pair(bytes, 1, status);
  good = status == 0;
  return size;
}

std::string request_text(const net::Authority& target) {
  std::string out{kVersion, kConnect, 0};
  if (in_addr v4; inet_pton(AF_INET, target.host.c_str(), &v4) == 1) {
    out += kIpv4;
    out.append(reinterpret_cast<const char*>(&v4), sizeof v4);
  } else if (in6_addr v6; inet_pton(AF_INET6, target.host.c_str(), &v6) == 1) {
    out += kIpv6;
    out.append(reinterpret_cast<const char*>(&v6), sizeof v6);
  } else {
    out += kName;
    out += static_cast<char>(target.host.size());
    out += target.host;
  }
  const std::uint16_t port = target.port.value_or(0);
  out += static_cast<char>(port >> 8);
  out += static_cast<char>(port & 0xff);
  return out;
}

Result<std::size_t> parse_reply(std::string_view bytes, Reply& out) {
  if (!bytes.empty() && bytes.front() != kVersion) return no_server("it does not speak SOCKS5");
  if (bytes.size() < 2) return std::size_t{0};
  // What it is bound to comes behind the answer; where that is no success nobody needs it, and some leave it out.
  out = static_cast<Reply>(byte_at(bytes, 1));
  if (out != Reply::succeeded) return std::size_t{2};
  if (bytes.size() < kRequestHead + 1) return std::size_t{0};
  const std::uint8_t type = byte_at(bytes, 3);
  if (type != kIpv4 && type != kName && type != kIpv6) return no_server("its reply has an address of no known type");
  const std::size_t address = type == kIpv4 ? 4u : type == kIpv6 ? 16u : 1u + byte_at(bytes, kRequestHead);
  const std::size_t size = kRequestHead + address + kPort;
  return bytes.size() < size ? 0 : size;
}

}  // namespace cmux::socks
