// The roots that this system trusts, where OpenSSL may have been made for another one.
#pragma once

#include <openssl/ssl.h>

#include <string>

namespace cmux::tls {

// The file in which this system keeps all its roots; empty: none where one is known to be.
std::string system_roots();

// Does the file hold certificates (PEM) that can be trusted besides?
bool holds_certificates(const std::string& file);

// Lets `context` trust what the system trusts: by OpenSSL's own variables and places or, where there is nothing in these, as for
// a program that was linked elsewhere, by system_roots(). Reads files.
void trust_system(SSL_CTX* context);

}  // namespace cmux::tls
