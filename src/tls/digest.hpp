// SHA-256 and base64, by OpenSSL.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace cmux::tls {

std::string sha256(std::string_view bytes);  // 32 bytes
std::string base64(std::string_view bytes);  // RFC 4648 section 4, with padding
// Nothing for what is none: strict, without white space.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace cmux::tls
