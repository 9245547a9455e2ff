#include "tls/system_roots.hpp"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <cstdlib>

namespace cmux::tls {
namespace {

// Debian, Fedora and RHEL, SUSE, Alpine and the BSDs and macOS.
constexpr const char* kFiles[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                  "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};

bool is_there(const char* variable, const char* path) { return std::getenv(variable) || access(path, R_OK) == 0; }

}  // namespace

std::string system_roots() {
  for (const char* const path : kFiles)
    if (access(path, R_OK) == 0) return path;
  return {};
}

bool holds_certificates(const std::string& file) {
  X509_STORE* const store = X509_STORE_new();
  const bool read = X509_STORE_load_file(store, file.c_str()) == 1;
  X509_STORE_free(store);
  ERR_clear_error();
  return read;
}

void trust_system(SSL_CTX* context) {
  SSL_CTX_set_default_verify_paths(context);
  const bool known = is_there(X509_get_default_cert_file_env(), X509_get_default_cert_file()) ||
                     is_there(X509_get_default_cert_dir_env(), X509_get_default_cert_dir());
  const std::string roots = known ? std::string() : system_roots();
  if (!roots.empty()) SSL_CTX_load_verify_locations(context, roots.c_str(), nullptr);
  ERR_clear_error();
}

}  // namespace cmux::tls
