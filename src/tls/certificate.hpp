// What the local CA's certificates say, and which hosts it vouches for. Pure: keys, names and times in, X.509 out; no files, no
// clock. Authority decides when; tests make with it what a thief of the key would make.
#pragma once

#include <ctime>
#include <string>
#include <string_view>

#include "tls/openssl.hpp"

namespace cmux::tls {

constexpr std::time_t kDay = 24 * 60 * 60;
// Certificates are valid from a day before they are made: clocks differ, those of containers and virtual machines too.
constexpr std::time_t kBackdate = kDay;
constexpr std::time_t kAuthorityLife = 3652 * kDay;
constexpr std::time_t kLeafLife = 7 * kDay;  // Apple's limit is 825 days, that of public CAs 398 and falling

// A host in the form that certificates have it. `text`: a name in lower case without a trailing dot, or an address as inet_ntop
// writes it; `address`: 4 or 16 bytes, empty for a name.
struct CertificateHost {
  std::string text, address;
};

// Brackets, a zone id, a trailing dot and upper case are taken off. Errc::config for what is neither a name nor an address; the
// error never quotes it.
Result<CertificateHost> parse_certificate_host(std::string_view text);

// May the CA sign it? The same table makes the name constraints of its certificate.
bool is_permitted(const CertificateHost& host);

Result<KeyPointer> make_key();  // ECDSA P-256

// Self-signed, name-constrained (RFC 5280 section 4.2.1.10), for 10 years.
Result<CertificatePointer> make_authority_certificate(EVP_PKEY* key, std::time_t now);

// For whatever host it is given: is_permitted() is asked by the caller. Valid until `expires`.
Result<CertificatePointer> make_leaf_certificate(const CertificateHost& host, X509* authority, EVP_PKEY* authority_key,
                                                 EVP_PKEY* leaf_key, std::time_t now, std::time_t expires);

std::time_t begin_of(const X509* certificate);  // notBefore
std::time_t end_of(const X509* certificate);    // notAfter

// SHA-256 over the public key's SubjectPublicKeyInfo.
std::string spki_digest(const X509* certificate);

}  // namespace cmux::tls
