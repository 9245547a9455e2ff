// Authority: the local certificate authority. Lives in a directory as ca.key (0600) and ca.crt, is made there at first need, and
// signs certificates for loopback names and addresses alone, in memory. Its own certificate says so too (name constraints), so
// that a stolen key is worth nothing on the internet.
//
// One a process, owned by who starts the workers, and read-only from then on: every const member may be called from any thread.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "tls/certificate.hpp"

namespace cmux::tls {

// A certificate for one host. Its key is Authority::leaf_key(), its issuer Authority::certificate().
struct Leaf {
  CertificatePointer certificate;
  std::time_t made = 0, expires = 0;
  // More than a quarter of its life is left, and the clock was not set back.
  bool fresh(std::time_t now) const { return now >= made && now - made < (expires - made) / 4 * 3; }
};

struct AuthorityOptions {
  std::function<std::time_t()> clock;  // for tests; empty: the system's. Called from any thread
};

class Authority {
 public:
  // Loads what is in `directory`, or makes it; of processes that start together one makes it and all have the same. One that
  // expires within 30 days is replaced, which is logged. The error names the file and what to do about it: Errc::config for
  // files that are damaged, do not belong together or belong to somebody else, else what the system says.
  static Result<std::unique_ptr<Authority>> open(const std::string& directory, AuthorityOptions options = {});

  // `host` as mint() would have it (see CertificateHost::text), or why it gets no certificate (Errc::config).
  static Result<std::string> check_host(std::string_view host);

  // A certificate for exactly this name or address. Errc::config: see check_host().
  Result<Leaf> mint(std::string_view host) const;

  const std::string& certificate_path() const { return certificate_path_; }
  const std::string& certificate_pem() const { return certificate_pem_; }
  // What Chromium's --ignore-certificate-errors-spki-list takes: base64 of SHA-256 over the CA's SubjectPublicKeyInfo.
  std::string spki_fingerprint() const;

  // For ServerContext. All stay the Authority's.
  X509* certificate() const { return certificate_.get(); }
  EVP_PKEY* leaf_key() const { return leaf_key_.get(); }
  std::time_t now() const { return clock_(); }
  // One for all workers of the process, so that a session that began with one resumes with another.
  using TicketKeys = std::array<unsigned char, 80>;
  const TicketKeys& ticket_keys() const { return ticket_keys_; }

  ~Authority();
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

 private:
  Authority() = default;

  CertificatePointer certificate_;
  KeyPointer key_, leaf_key_;
  std::string certificate_path_, certificate_pem_;
  TicketKeys ticket_keys_{};
  std::function<std::time_t()> clock_;
};

}  // namespace cmux::tls
