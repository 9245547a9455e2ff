// TLS for test clients, over whatever carries a Client's bytes.
#pragma once

#include "harness.hpp"

namespace e2e {

struct TlsWanted {
  std::string ca_file;             // trusted, alone
  std::string name = "127.0.0.1";  // that the certificate must be for; sent as SNI where it is no address
  Strings alpn = {"h2", "http/1.1"};
};

struct Secured {
  Client client;     // an end without close_notify is was_reset()
  std::string alpn;  // what was agreed on; empty: nothing
};
// The handshake. FAILs where it fails.
Secured secure(Client below, const TlsWanted& wanted);

}  // namespace e2e
