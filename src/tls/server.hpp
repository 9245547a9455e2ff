// ServerContext: TLS towards clients, with certificates from the local CA that are made during the handshake, for the name the
// client asks for; or with one identity for whatever name. One a worker thread, owned by it and used by no other; the Authority
// is shared, and outlives it. It outlives every SSL it has made.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "tls/authority.hpp"
#include "tls/identity.hpp"

namespace cmux::tls {

struct ServerSettings {
  bool http2 = true;  // select h2 where the client offers it
};

class ServerContext {
 public:
  static Result<std::unique_ptr<ServerContext>> create(const Authority& authority, const ServerSettings& settings = {});
  static Result<std::unique_ptr<ServerContext>> create(IdentityPtr identity, const ServerSettings& settings = {});
  ~ServerContext();
  ServerContext(const ServerContext&) = delete;
  ServerContext& operator=(const ServerContext&) = delete;

  // A server SSL in accept state, for the caller to own; null when memory has run out. The client gets a certificate for the name
  // in its SNI where the CA may sign that one, else for `default_host`: the address it has connected to, or the host of the
  // CONNECT whose tunnel this is. Neither may be signed: the handshake fails with unrecognized_name, and the log says why.
  SSL* make(std::string_view default_host);

  void offer_http2(bool offered) { settings_.http2 = offered; }  // from the next handshake on
  std::uint64_t certificates() const { return certificates_; }   // made, since the beginning
  // For the handshakes to come; of one that was made with an identity.
  void replace(IdentityPtr identity) { identity_ = std::move(identity); }

  // The certificate's host for this SSL, once the ClientHello is there; empty before. With an identity it is the
  // name in the SNI, in lower case, and empty where there was none.
  static std::string_view host_of(const SSL* ssl);

 private:
  struct Choice {  // of one SSL, and owned by it
    std::string default_host, host;
  };
  ServerContext(const Authority* authority, IdentityPtr identity, const ServerSettings& settings)
      : authority_(authority), identity_(std::move(identity)), settings_(settings) {}
  Result<void> prepare();

  static int choice_index();
  static int on_client_hello(SSL* ssl, int* alert, void* self);
  static int on_certificate(SSL* ssl, void* self);
  static int on_alpn(SSL* ssl, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                     unsigned offered_size, void* self);
  bool choose_host(SSL* ssl, Choice& choice) const;
  bool use_certificate(SSL* ssl, const std::string& host);
  Result<const Leaf*> leaf_for(const std::string& host);

  const Authority* const authority_;  // null: identity_
  IdentityPtr identity_;
  ServerSettings settings_;
  SSL_CTX* context_ = nullptr;
  std::map<std::string, Leaf, std::less<>> leaves_;
  std::uint64_t certificates_ = 0;
};

}  // namespace cmux::tls
