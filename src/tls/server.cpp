#include "tls/server.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "tls/digest.hpp"

namespace cmux::tls {
namespace {

constexpr std::size_t kMostLeaves = 256;

// Any suite that RFC 9113 section 9.2.2 forbids is missing, so that h2 may be selected with whatever comes out.
constexpr const char* kCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20";  // TLS 1.2's; those of 1.3 are all as good

// The name in a ClientHello's SNI (RFC 6066 section 3); empty where there is none or it is malformed, which OpenSSL answers.
std::string_view sni_of(SSL* ssl) {
  const unsigned char* data = nullptr;
  std::size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &data, &size) != 1) return {};
  const std::string_view list(reinterpret_cast<const char*>(data), size);
  const auto number = [&](std::size_t at) { return static_cast<std::size_t>(data[at]) << 8 | data[at + 1]; };
  constexpr std::size_t kHead = 5;  // the list's length, the entry's type, the name's length
  if (size < kHead || number(0) != size - 2 || data[2] != TLSEXT_NAMETYPE_host_name || number(3) > size - kHead) return {};
  return list.substr(kHead, number(3));
}

bool offers(std::string_view list, std::string_view protocol) {
  while (!list.empty()) {
    const std::size_t size = static_cast<unsigned char>(list.front());
    if (list.substr(1, size) == protocol) return true;
    list.remove_prefix(std::min(list.size(), 1 + size));
  }
  return false;
}

}  // namespace

// An index of its own, not the app data: whoever drives the SSL may want that.
int ServerContext::choice_index() {
  static const int index =
      SSL_get_ex_new_index(0, nullptr, nullptr, nullptr,
                           [](void*, void* choice, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<Choice*>(choice); });
  return index;
}

Result<std::unique_ptr<ServerContext>> ServerContext::create(const Authority& authority, const ServerSettings& settings) {
  std::unique_ptr<ServerContext> made(new ServerContext(&authority, nullptr, settings));
  if (auto done = made->prepare(); !done) return done.error();
  return made;
}

Result<std::unique_ptr<ServerContext>> ServerContext::create(IdentityPtr identity, const ServerSettings& settings) {
  std::unique_ptr<ServerContext> made(new ServerContext(nullptr, std::move(identity), settings));
  if (auto done = made->prepare(); !done) return done.error();
  return made;
}

Result<void> ServerContext::prepare() {
  context_ = SSL_CTX_new(TLS_server_method());
  SSL_CTX* const context = context_;
  if (!context) return openssl_error("prepare TLS for clients");
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
  // Tickets alone: a session costs no memory here. on_client_hello() says per SSL which sessions are its own.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  bool done = SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 && SSL_CTX_set_cipher_list(context, kCiphers) == 1;
  if (authority_ && done) {
    Authority::TicketKeys keys = authority_->ticket_keys();
    done = SSL_CTX_set_tlsext_ticket_keys(context, keys.data(), keys.size()) == 1;
    OPENSSL_cleanse(keys.data(), keys.size());
  }
  if (!done) return openssl_error("prepare TLS for clients");
  SSL_CTX_set_client_hello_cb(context, on_client_hello, this);
  SSL_CTX_set_cert_cb(context, on_certificate, this);
  SSL_CTX_set_alpn_select_cb(context, on_alpn, this);
  return {};
}

ServerContext::~ServerContext() { SSL_CTX_free(context_); }

SSL* ServerContext::make(std::string_view default_host) {
  SslPointer ssl(SSL_new(context_));
  auto choice = std::make_unique<Choice>(Choice{std::string(default_host), {}});
  if (!ssl || SSL_set_ex_data(ssl.get(), choice_index(), choice.get()) != 1) {
    ERR_clear_error();
    return nullptr;
  }
  static_cast<void>(choice.release());  // the SSL's
  SSL_set_accept_state(ssl.get());
  return ssl.release();
}

std::string_view ServerContext::host_of(const SSL* ssl) {
  const auto* const choice = static_cast<const Choice*>(SSL_get_ex_data(ssl, choice_index()));
  return choice ? std::string_view(choice->host) : std::string_view();
}

// Comes before a session is looked up, which the certificate's callback does not. A session resumes only under the session id
// context it was made with; the host is in it, so that no session crosses hosts (OpenSSL itself does not compare them in
// TLS 1.2).
int ServerContext::on_client_hello(SSL* ssl, int* alert, void* self) {
  *alert = SSL_AD_INTERNAL_ERROR;
  try {
    auto* const choice = static_cast<Choice*>(SSL_get_ex_data(ssl, choice_index()));
    if (!choice) return SSL_CLIENT_HELLO_ERROR;
    if (!static_cast<ServerContext*>(self)->choose_host(ssl, *choice)) {
      *alert = SSL_AD_UNRECOGNIZED_NAME;
      return SSL_CLIENT_HELLO_ERROR;
    }
    const std::string digest = sha256(choice->host);  // a context's length is limited, a name's is longer
    const auto* const bytes = reinterpret_cast<const unsigned char*>(digest.data());
    const bool set = SSL_set_session_id_context(ssl, bytes, static_cast<unsigned>(digest.size())) == 1;
    return set ? SSL_CLIENT_HELLO_SUCCESS : SSL_CLIENT_HELLO_ERROR;
  } catch (...) { return SSL_CLIENT_HELLO_ERROR; }  // never through C's frames
}

bool ServerContext::choose_host(SSL* ssl, Choice& choice) const {
  std::string_view sni = sni_of(ssl);
  if (!authority_) {
    if (sni.ends_with('.')) sni.remove_suffix(1);
    choice.host.assign(sni);
    for (char& c : choice.host) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return true;
  }
  if (!sni.empty()) {
    if (auto host = Authority::check_host(sni)) {
      choice.host = std::move(*host);
      return true;
    }
  }
  auto host = Authority::check_host(choice.default_host);
  if (!host) {
    log::warn("TLS from a client refused: {}", host.error().detail);
    return false;
  }
  choice.host = std::move(*host);
  return true;
}

int ServerContext::on_certificate(SSL* ssl, void* self) {
  try {
    const auto* const choice = static_cast<const Choice*>(SSL_get_ex_data(ssl, choice_index()));
    return choice && static_cast<ServerContext*>(self)->use_certificate(ssl, choice->host) ? 1 : 0;
  } catch (...) { return 0; }
}

bool ServerContext::use_certificate(SSL* ssl, const std::string& host) {
  if (!authority_) {
    bool used = SSL_use_certificate(ssl, identity_->chain.front().get()) == 1 &&
                SSL_use_PrivateKey(ssl, identity_->key.get()) == 1 && SSL_clear_chain_certs(ssl) == 1;
    for (std::size_t i = 1; used && i < identity_->chain.size(); ++i)
      used = SSL_add1_chain_cert(ssl, identity_->chain[i].get()) == 1;
    if (!used) log::error("TLS from a client failed: {}", openssl_error("use the certificate").detail);
    return used;
  }
  const auto leaf = leaf_for(host);
  if (!leaf) {
    log::error("TLS from a client failed: no certificate for {}: {}", host, leaf.error().detail);
    return false;
  }
  // The CA's certificate goes along: clients that were told its public key alone find it in the chain.
  const bool done = SSL_use_certificate(ssl, (*leaf)->certificate.get()) == 1 &&
                    SSL_use_PrivateKey(ssl, authority_->leaf_key()) == 1 && SSL_clear_chain_certs(ssl) == 1 &&
                    SSL_add1_chain_cert(ssl, authority_->certificate()) == 1;
  if (!done) log::error("TLS from a client failed: {}", openssl_error(fmt::format("use the certificate for {}", host)).detail);
  return done;
}

Result<const Leaf*> ServerContext::leaf_for(const std::string& host) {
  const auto found = leaves_.find(host);
  if (found != leaves_.end() && found->second.fresh(authority_->now())) return &found->second;
  auto leaf = authority_->mint(host);
  if (!leaf) return leaf.error();
  ++certificates_;
  // SSLs hold references of their own to what they use, so that this may be dropped at any time.
  if (leaves_.size() >= kMostLeaves && found == leaves_.end()) leaves_.clear();
  return &leaves_.insert_or_assign(host, std::move(*leaf)).first->second;
}

int ServerContext::on_alpn(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                           unsigned offered_size, void* self) {
  static constexpr std::string_view kHttp2 = "h2", kHttp1 = "http/1.1";
  const std::string_view list(reinterpret_cast<const char*>(offered), offered_size);
  std::string_view selected;
  if (static_cast<ServerContext*>(self)->settings_.http2 && offers(list, kHttp2)) selected = kHttp2;
  else if (offers(list, kHttp1)) selected = kHttp1;
  else return SSL_TLSEXT_ERR_ALERT_FATAL;  // no_application_protocol: RFC 7301 section 3.2
  *out = reinterpret_cast<const unsigned char*>(selected.data());
  *out_size = static_cast<unsigned char>(selected.size());
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace cmux::tls
