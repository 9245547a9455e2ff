// ClientContext: TLS towards upstreams, with verification against the system's CAs and resumed sessions. One a worker and trust
// setting: sessions never cross trust settings. Made at the first https destination, as reading the system's CAs takes some 40
// ms. What it made may outlive it.
#pragma once

#include <openssl/ssl.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "base/error.hpp"

namespace cmux::tls {

struct ClientSettings {
  std::string ca_file;  // trusted besides the system's; empty: none
  bool insecure = false;
  std::filesystem::file_time_type ca_written{};  // of ca_file: another one is another trust
  bool operator==(const ClientSettings&) const = default;
};

class ClientContext {
 public:
  // Errc::config when the file cannot be read.
  static Result<std::unique_ptr<ClientContext>> create(const ClientSettings& settings);
  ~ClientContext();

  // A client SSL that checks the peer's certificate for `host` (a DNS name or an IP literal) and sends SNI for names.
  // `session_key` names who may share a session, such as "host:port". `alpn` is in wire form ("\x02h2\x08http/1.1"), or empty.
  // The caller owns it.
  SSL* make(const std::string& host, const std::string& session_key, std::string_view alpn);

 private:
  struct Slot {
    SSL_SESSION* session = nullptr;
    ~Slot();
  };
  using Sessions = std::map<std::string, Slot, std::less<>>;
  ClientContext() = default;
  static int sessions_index();
  static int new_session(SSL* ssl, SSL_SESSION* session);

  SSL_CTX* context_ = nullptr;
  Sessions* sessions_ = nullptr;  // context_'s, which every SSL made from it holds
};

}  // namespace cmux::tls
