#include "tls/identity.hpp"

#include <openssl/pem.h>

namespace cmux::tls {
namespace {

BioPointer reading(std::string_view text) { return BioPointer(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

Error refused(std::string_view why) {
  ERR_clear_error();
  return make_error(Errc::config, std::string(why));
}

// A key with a password is none that can be read: nobody is there to be asked.
int no_password(char*, int, int, void*) { return 0; }

}  // namespace

Result<IdentityPtr> parse_identity(std::string_view certificates, std::string_view key) {
  auto made = std::make_shared<Identity>();
  const BioPointer certificate_text = reading(certificates), key_text = reading(key);
  if (!certificate_text || !key_text) return openssl_error("read a certificate");
  while (CertificatePointer next{PEM_read_bio_X509(certificate_text.get(), nullptr, no_password, nullptr)})
    made->chain.push_back(std::move(next));
  const bool ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (made->chain.empty() || !ended) return refused("the certificate's file holds no certificates in PEM, or broken ones");
  made->key.reset(PEM_read_bio_PrivateKey(key_text.get(), nullptr, no_password, nullptr));
  if (!made->key) return refused("the key's file holds no private key in PEM that can be read without a password");
  X509* const own = made->chain.front().get();
  if (X509_check_private_key(own, made->key.get()) != 1) return refused("the key is not the certificate's");
  if (X509_cmp_current_time(X509_get0_notAfter(own)) < 0) return refused("the certificate has expired");
  if (X509_cmp_current_time(X509_get0_notBefore(own)) > 0) return refused("the certificate is not valid yet");
  return IdentityPtr(std::move(made));
}

}  // namespace cmux::tls
