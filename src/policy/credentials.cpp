#include "policy/credentials.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "tls/digest.hpp"

namespace cmux::policy {
namespace {

constexpr std::size_t kLongestEncoded = 4096;

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// "Basic" in any case and at least one space (RFC 9110 section 11.4).
std::optional<std::string_view> strip_scheme(std::string_view value) {
  constexpr std::string_view kScheme = "basic";
  if (value.size() <= kScheme.size() || value[kScheme.size()] != ' ') return std::nullopt;
  const auto same = [](char a, char lower) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == lower; };
  if (!std::equal(kScheme.begin(), kScheme.end(), value.begin(), [&](char lower, char a) { return same(a, lower); }))
    return std::nullopt;
  value.remove_prefix(kScheme.size());
  value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
  return value;
}

}  // namespace

std::string random_hex(std::size_t digits) {
  std::vector<unsigned char> bytes((digits + 1) / 2);
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
    throw std::runtime_error("the system's random number generator failed");
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const unsigned char byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  text.resize(digits);
  return text;
}

std::optional<BasicCredentials> parse_basic(std::string_view field_value) {
  const std::optional<std::string_view> encoded = strip_scheme(field_value);
  if (!encoded || encoded->size() > kLongestEncoded) return std::nullopt;
  const std::optional<std::string> pair = tls::from_base64(*encoded);
  if (!pair || std::any_of(pair->begin(), pair->end(), is_control)) return std::nullopt;
  const std::size_t colon = pair->find(':');
  if (colon == pair->npos) return std::nullopt;
  return BasicCredentials{pair->substr(0, colon), pair->substr(colon + 1)};
}

std::string basic_value(std::string_view username, std::string_view password) {
  std::string pair(username);
  pair += ':';
  pair += password;
  return "Basic " + tls::base64(pair);
}

bool equal_secrets(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace cmux::policy
