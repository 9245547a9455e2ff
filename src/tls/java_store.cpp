#include "tls/java_store.hpp"

#include <openssl/pem.h>
#include <openssl/sha.h>

#include <fmt/format.h>

#include <cstdint>

#include "tls/openssl.hpp"

namespace cmux::tls {
namespace {

// The format: sun.security.provider.JavaKeyStore. All numbers are big-endian.
constexpr std::uint32_t kMagic = 0xfeedfeed, kVersion = 2, kTrustedCertificate = 2;
// The digest at the end is keyed with it, and is checked by those who give a password.
constexpr std::string_view kPassword = "changeit";

void add_number(std::string& out, std::uint64_t number, unsigned bytes) {
  while (bytes-- > 0) out += static_cast<char>(number >> (8 * bytes) & 0xff);
}

void add_text(std::string& out, std::string_view text) {
  add_number(out, text.size(), 2);
  out += text;
}

std::string der_of(const X509* certificate) {
  unsigned char* bytes = nullptr;
  const int size = i2d_X509(certificate, &bytes);
  std::string out(reinterpret_cast<const char*>(bytes), size > 0 ? static_cast<std::size_t>(size) : 0);
  OPENSSL_free(bytes);
  return out;
}

}  // namespace

Result<std::string> java_trust_store(std::string_view pem) {
  const BioPointer in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  std::string entries;
  std::uint32_t count = 0;
  while (const CertificatePointer certificate{PEM_read_bio_X509_AUX(in.get(), nullptr, nullptr, nullptr)}) {
    const std::string der = der_of(certificate.get());
    add_number(entries, kTrustedCertificate, 4);
    add_text(entries, fmt::format("root-{}", ++count));
    add_number(entries, 0, 8);  // when it was made: the same certificates make the same file
    add_text(entries, "X.509");
    add_number(entries, der.size(), 4);
    entries += der;
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (!at_end || count == 0) {
    Error error = openssl_error("read certificates");
    error.code = Errc::config;
    return error;
  }
  ERR_clear_error();
  std::string out;
  add_number(out, kMagic, 4);
  add_number(out, kVersion, 4);
  add_number(out, count, 4);
  out += entries;
  std::string keyed;
  for (const char c : kPassword) (keyed += '\0') += c;  // UTF-16
  keyed += "Mighty Aphrodite";
  keyed += out;
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1(reinterpret_cast<const unsigned char*>(keyed.data()), keyed.size(), digest);
  out.append(reinterpret_cast<const char*>(digest), sizeof digest);
  return out;
}

}  // namespace cmux::tls
