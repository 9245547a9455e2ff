// Keys of the workspaces: one that the proxy is told to trust, one that nobody trusts.
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "world.hpp"

namespace sim {
namespace {

int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered, unsigned size,
                    void* offers) {
  static constexpr unsigned char kBoth[] = "\x02h2\x08http/1.1";
  static constexpr unsigned char kOne[] = "\x08http/1.1";
  const bool both = offers != nullptr;
  const int found =
      SSL_select_next_proto(const_cast<unsigned char**>(out), out_size, both ? kBoth : kOne, both ? 12 : 9, offered, size);
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

X509* certificate(EVP_PKEY* key) {
  X509* const made = X509_new();
  X509_set_version(made, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(made), 1);
  // The same bytes every day: a signature's size is part of a run.
  ASN1_TIME_set_string(X509_getm_notBefore(made), "20200101000000Z");
  ASN1_TIME_set_string(X509_getm_notAfter(made), "20991231000000Z");
  X509_set_pubkey(made, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("sim"), -1,
                             -1, 0);
  X509_set_issuer_name(made, X509_get_subject_name(made));
  for (const auto& [kind, value] :
       {std::pair{NID_basic_constraints, "critical,CA:TRUE"}, {NID_subject_alt_name, "DNS:*.ws.test"}}) {
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value);
    X509_add_ext(made, extension, -1);
    X509_EXTENSION_free(extension);
  }
  X509_sign(made, key, EVP_sha256());
  return made;
}

SSL_CTX* context() {
  SSL_CTX* const made = SSL_CTX_new(TLS_server_method());
  EVP_PKEY* const key = EVP_EC_gen("P-256");
  X509* const own = certificate(key);
  SSL_CTX_use_certificate(made, own);
  SSL_CTX_use_PrivateKey(made, key);
  SSL_CTX_set_alpn_select_cb(made, choose_protocol, nullptr);
  X509_free(own);
  EVP_PKEY_free(key);
  return made;
}

// In memory alone, so that nothing is left of a run that was ended; processes that are forked have it too.
std::string file_of(const X509* certificate) {
  const int descriptor = memfd_create("trusted", 0);
  std::FILE* const file = fdopen(dup(descriptor), "w");
  PEM_write_X509(file, certificate);
  std::fclose(file);
  return fmt::format("/proc/self/fd/{}", descriptor);
}

}  // namespace

Keys::Keys() {
  trusted = context();
  untrusted = context();
  with_http2 = SSL_CTX_new(TLS_server_method());
  SSL_CTX_use_certificate(with_http2, SSL_CTX_get0_certificate(trusted));
  SSL_CTX_use_PrivateKey(with_http2, SSL_CTX_get0_privatekey(trusted));
  SSL_CTX_set_alpn_select_cb(with_http2, choose_protocol, this);
  // In place of the system's CAs, which take a while to read.
  setenv("SSL_CERT_FILE", file_of(SSL_CTX_get0_certificate(trusted)).c_str(), 1);
  setenv("SSL_CERT_DIR", "/nonexistent", 1);
}

const Keys& keys() {
  static const Keys made;
  return made;
}

}  // namespace sim
