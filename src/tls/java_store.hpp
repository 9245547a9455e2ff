// Certificates as Java's programs take them: a JKS trust store, which every Java reads, without a password too. Java's PKCS #12
// needs an attribute that OpenSSL 3.0 cannot set.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"

namespace cmux::tls {

// All certificates of `pem`, each trusted. Errc::config where there is none, or one that is damaged.
Result<std::string> java_trust_store(std::string_view pem);

}  // namespace cmux::tls
