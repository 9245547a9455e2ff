// TlsTransport: TLS over any transport. The SSL object comes configured (certificates, ALPN, SNI, verification) from tls/.
#pragma once

#include <openssl/ssl.h>

#include "net/transport.hpp"

namespace cmux::net {

class TlsTransport final : public Transport {
 public:
  // Takes both. Server or client state must be set on the SSL.
  TlsTransport(std::unique_ptr<Transport> lower, SSL* ssl);
  ~TlsTransport() override;

  // Completes the handshake; other calls come after it. A certificate that was refused is Errc::certificate with the reason.
  Task<Result<void>> handshake();

  Io write(Pieces pieces) override;
  Event& readable() override;
  Event& writable() override;
  void shutdown_write() override;
  void abort(Error error, bool hard) noexcept override;
  bool hung_up() const override { return lower_->hung_up(); }
  bool broken() const override { return lower_->broken(); }
  void on_hang_up(void (*callback)(void*), void* argument) override { lower_->on_hang_up(callback, argument); }
  std::size_t unacknowledged() const override { return lower_->unacknowledged(); }
  milliseconds round_trip() const override { return lower_->round_trip(); }
  Endpoint peer() const override { return lower_->peer(); }
  Endpoint local() const override { return lower_->local(); }
  bool may_read() const override { return lower_->may_read() || SSL_has_pending(ssl_); }
  bool cut_off() const override { return cut_off_; }
  std::string_view alpn() const override;
  SSL* ssl() const { return ssl_; }

 protected:
  Io read_through(std::span<char> into) override;

 private:
  Io outcome(int returned, bool reading);

  std::unique_ptr<Transport> lower_;
  SSL* ssl_;
  bool read_wants_write_ = false, write_wants_read_ = false, write_ended_ = false, failed_ = false, cut_off_ = false;
};

}  // namespace cmux::net
