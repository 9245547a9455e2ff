// Identity: a certificate, its chain and its key as a server has them in files, for names that the local CA cannot speak for.
// Immutable; any thread.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "tls/openssl.hpp"

namespace cmux::tls {

struct Identity {
  std::vector<CertificatePointer> chain;  // the server's own first
  KeyPointer key;
};
using IdentityPtr = std::shared_ptr<const Identity>;

// From PEM texts. Errc::config for what is no certificate or key, for a key of another certificate, and for a certificate whose
// time is over or has not come; never quotes the key.
Result<IdentityPtr> parse_identity(std::string_view certificates, std::string_view key);

}  // namespace cmux::tls
