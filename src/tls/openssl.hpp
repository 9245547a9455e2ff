// Owning pointers to OpenSSL's objects, and its errors as ours. For the files of this layer and their tests.
#pragma once

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <fmt/format.h>

#include <memory>
#include <string_view>

#include "base/error.hpp"

namespace cmux::tls {

template <auto release>
struct Releaser {
  template <class T>
  void operator()(T* object) const {
    release(object);
  }
};

using BioPointer = std::unique_ptr<BIO, Releaser<BIO_free_all>>;
using KeyPointer = std::unique_ptr<EVP_PKEY, Releaser<EVP_PKEY_free>>;
using CertificatePointer = std::unique_ptr<X509, Releaser<X509_free>>;
using SslPointer = std::unique_ptr<SSL, Releaser<SSL_free>>;

// The first of OpenSSL's errors, the one that lies deepest, as an Error. Empties its queue.
inline Error openssl_error(std::string_view doing) {
  const unsigned long code = ERR_peek_error();
  const char* const reason = code != 0 ? ERR_reason_error_string(code) : nullptr;
  ERR_clear_error();
  return make_error(Errc::system, fmt::format("{}: {}", doing, reason ? reason : "OpenSSL gives no reason"));
}

}  // namespace cmux::tls
