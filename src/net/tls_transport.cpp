#include "net/tls_transport.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include <array>
#include <cstring>

#include <fmt/format.h>

namespace cmux::net {
namespace {

constexpr std::size_t kRecord = 16384;  // RFC 8446 section 5.1

// A BIO whose bytes are the lower transport's: no copy in between, and no system call of OpenSSL's own.
int bio_read(BIO* bio, char* into, std::size_t size, std::size_t* count) {
  auto& lower = *static_cast<Transport*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const Io io = lower.read({into, size});
  *count = io.count;
  if (io.state == Io::State::moved) return 1;
  if (io.state == Io::State::blocked) BIO_set_retry_read(bio);
  if (io.state == Io::State::end) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return 0;
}

int bio_write(BIO* bio, const char* from, std::size_t size, std::size_t* count) {
  auto& lower = *static_cast<Transport*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const std::string_view piece(from, size);
  const Io io = lower.write({&piece, 1});
  *count = io.count;
  if (io.state == Io::State::moved && io.count > 0) return 1;
  if (io.state == Io::State::blocked) BIO_set_retry_write(bio);
  return 0;
}

long bio_control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
  return 0;
}

BIO_METHOD* method() {
  static BIO_METHOD* const made = [] {
    BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "transport");
    BIO_meth_set_read_ex(m, bio_read);
    BIO_meth_set_write_ex(m, bio_write);
    BIO_meth_set_ctrl(m, bio_control);
    return m;
  }();
  return made;
}

std::string last_reason() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  if (code == 0) return "connection closed during TLS";
  const char* reason = ERR_reason_error_string(code);
  return reason ? std::string(reason) : fmt::format("TLS error {:x}", code);
}

}  // namespace

TlsTransport::TlsTransport(std::unique_ptr<Transport> lower, SSL* ssl) : lower_(std::move(lower)), ssl_(ssl) {
  BIO* bio = BIO_new(method());
  BIO_set_data(bio, lower_.get());
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_mode(ssl_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_set_read_ahead(ssl_, 1);
}

TlsTransport::~TlsTransport() {
  if (!write_ended_ && !failed_ && SSL_is_init_finished(ssl_)) SSL_shutdown(ssl_);  // best effort: says that nothing was cut off
  // A peer that left without close_notify must not cost the session its resumption.
  SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(ssl_);
  ERR_clear_error();
}

Io TlsTransport::outcome(int returned, bool reading) {
  switch (SSL_get_error(ssl_, returned)) {
    case SSL_ERROR_WANT_READ: (reading ? read_wants_write_ = false : write_wants_read_ = true); return Io::blocked();
    case SSL_ERROR_WANT_WRITE: (reading ? read_wants_write_ = true : write_wants_read_ = false); return Io::blocked();
    // OpenSSL says so of a write that has failed, too, once the peer has said its last: that is no end.
    case SSL_ERROR_ZERO_RETURN:
      if (reading) return Io::end();
      break;
    case SSL_ERROR_SSL:
      // The end without a close_notify. HTTP's framing tells a cut message from a whole one, but for a body that has none.
      if (!SSL_is_init_finished(ssl_) || ERR_GET_REASON(ERR_peek_error()) != SSL_R_UNEXPECTED_EOF_WHILE_READING) break;
      ERR_clear_error();
      cut_off_ = true;
      return Io::end();
    default: break;
  }
  failed_ = true;
  if (error_.detail.empty()) {
    const long verdict = SSL_get_verify_result(ssl_);
    if (lower_->error().detail.size()) error_ = lower_->error();
    else if (verdict != X509_V_OK && !SSL_is_init_finished(ssl_))
      error_ = make_error(Errc::certificate, X509_verify_cert_error_string(verdict));
    else error_ = make_error(Errc::tls, last_reason());
  }
  ERR_clear_error();
  return Io::failed();
}

Task<Result<void>> TlsTransport::handshake() {
  while (true) {
    ERR_clear_error();
    const int returned = SSL_do_handshake(ssl_);
    if (returned == 1) co_return Result<void>{};
    const Io io = outcome(returned, true);
    if (io.state == Io::State::failed) co_return error_;
    if (io.state == Io::State::end) co_return make_error(Errc::tls, "connection closed during the TLS handshake");
    co_await (read_wants_write_ ? lower_->writable() : lower_->readable());
  }
}

Io TlsTransport::read_through(std::span<char> into) {
  if (failed_) return Io::failed();
  ERR_clear_error();
  std::size_t count = 0;
  const int returned = SSL_read_ex(ssl_, into.data(), into.size(), &count);
  return returned == 1 ? Io::moved(count) : outcome(returned, true);
}

Io TlsTransport::write(Pieces pieces) {
  if (failed_) return Io::failed();
  // Pieces that fit into one record are joined into one: a record costs more than the copy.
  std::array<char, kRecord> joined;
  std::string_view bytes;
  std::size_t used = 0;
  for (const std::string_view piece : pieces) {
    if (piece.empty()) continue;
    if (bytes.empty() && used == 0) {
      bytes = piece;
      continue;
    }
    if (used == 0) {
      used = std::min(bytes.size(), joined.size());
      std::memcpy(joined.data(), bytes.data(), used);
    }
    const std::size_t taken = std::min(piece.size(), joined.size() - used);
    std::memcpy(joined.data() + used, piece.data(), taken);
    used += taken;
  }
  if (used != 0) bytes = {joined.data(), used};
  if (bytes.empty()) return Io::moved(0);
  ERR_clear_error();
  std::size_t count = 0;
  const int returned = SSL_write_ex(ssl_, bytes.data(), bytes.size(), &count);
  return returned == 1 ? Io::moved(count) : outcome(returned, false);
}

Event& TlsTransport::readable() { return read_wants_write_ ? lower_->writable() : lower_->readable(); }
Event& TlsTransport::writable() { return write_wants_read_ ? lower_->readable() : lower_->writable(); }

void TlsTransport::shutdown_write() {
  if (std::exchange(write_ended_, true) || failed_) return;
  ERR_clear_error();
  SSL_shutdown(ssl_);
  lower_->shutdown_write();
}

void TlsTransport::abort(Error error, bool hard) noexcept {
  if (!failed_) error_ = error;
  failed_ = true;
  lower_->abort(std::move(error), hard);
}

std::string_view TlsTransport::alpn() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_, &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

}  // namespace cmux::net
