// The secrets of contexts, from the system's CSPRNG, and the Basic scheme that carries them (RFC 7617, RFC 9110 section 11.7.1).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace cmux::policy {

// That many lower-case hex digits. Throws std::runtime_error where the system gives no randomness: there is no safe way to go on.
std::string random_hex(std::size_t digits);

struct BasicCredentials {
  std::string username, password;
};

// The value of a Proxy-Authorization field: scheme in any case, base64 with padding, at most 4096 characters of it. Nothing for
// any other form, nor for control characters in what it decodes to. The username ends at the first colon.
std::optional<BasicCredentials> parse_basic(std::string_view field_value);
// "Basic dXNlcjpwYXNz". The username must not hold a colon.
std::string basic_value(std::string_view username, std::string_view password);

// Compares in a time that depends on the lengths alone.
bool equal_secrets(std::string_view a, std::string_view b);

}  // namespace cmux::policy
