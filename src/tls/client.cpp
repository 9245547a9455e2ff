#include "tls/client.hpp"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <fmt/format.h>

#include "tls/system_roots.hpp"

namespace cmux::tls {
namespace {

constexpr std::size_t kMostSessions = 1024;

int slot_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

bool is_ip(const std::string& host) {
  ASN1_OCTET_STRING* ip = a2i_IPADDRESS(host.c_str());
  ASN1_OCTET_STRING_free(ip);
  return ip != nullptr;
}

}  // namespace

ClientContext::Slot::~Slot() { SSL_SESSION_free(session); }

int ClientContext::sessions_index() {
  static const int index = SSL_CTX_get_ex_new_index(
      0, nullptr, nullptr, nullptr,
      [](void*, void* sessions, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<Sessions*>(sessions); });
  return index;
}

Result<std::unique_ptr<ClientContext>> ClientContext::create(const ClientSettings& settings) {
  std::unique_ptr<ClientContext> made(new ClientContext);
  made->context_ = SSL_CTX_new(TLS_client_method());
  SSL_CTX* const context = made->context_;
  made->sessions_ = new Sessions;
  SSL_CTX_set_ex_data(context, sessions_index(), made->sessions_);
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, new_session);
  if (settings.insecure) {
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
  } else {
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    trust_system(context);
  }
  if (!settings.ca_file.empty() && SSL_CTX_load_verify_locations(context, settings.ca_file.c_str(), nullptr) != 1) {
    ERR_clear_error();
    return make_error(Errc::config, fmt::format("upstream-ca: cannot read certificates from {}", settings.ca_file));
  }
  ERR_clear_error();
  return made;
}

ClientContext::~ClientContext() { SSL_CTX_free(context_); }

SSL* ClientContext::make(const std::string& host, const std::string& session_key, std::string_view alpn) {
  SSL* ssl = SSL_new(context_);
  SSL_set_connect_state(ssl);
  // The subject's common name is no name of a host (RFC 9525 section 2); browsers have not looked at it since 2017.
  constexpr unsigned kHostFlags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;
  if (is_ip(host)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str());
  } else {
    SSL_set_tlsext_host_name(ssl, host.c_str());
    SSL_set_hostflags(ssl, kHostFlags);
    SSL_set1_host(ssl, host.c_str());
  }
  if (!alpn.empty())
    SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(alpn.data()), static_cast<unsigned>(alpn.size()));
  if (sessions_->size() < kMostSessions || sessions_->contains(session_key)) {
    Slot& slot = (*sessions_)[session_key];
    if (slot.session) SSL_set_session(ssl, slot.session);
    SSL_set_ex_data(ssl, slot_index(), &slot);
  }
  return ssl;
}

int ClientContext::new_session(SSL* ssl, SSL_SESSION* session) {
  auto* slot = static_cast<Slot*>(SSL_get_ex_data(ssl, slot_index()));
  if (!slot) return 0;
  SSL_SESSION_free(slot->session);
  slot->session = session;
  return 1;  // keeps the reference
}

}  // namespace cmux::tls
