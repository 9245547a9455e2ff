// SHA-256 and base64, by OpenSSL.
#pragma once

#include <string>
#include <string_view>

namespace cmux::tls {

std::string sha256(std::string_view bytes);  // 32 bytes
std::string base64(std::string_view bytes);  // RFC 4648 section 4, with padding

}  // namespace cmux::tls
