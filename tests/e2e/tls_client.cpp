#include "tls_client.hpp"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace e2e {
namespace {

using Clock = std::chrono::steady_clock;
template <typename T, void (*release)(T*)>
struct Released {
  void operator()(T* object) const { release(object); }
};
using Context = std::unique_ptr<SSL_CTX, Released<SSL_CTX, SSL_CTX_free>>;
using Session = std::unique_ptr<SSL, Released<SSL, SSL_free>>;

std::string openssl_errors() {
  std::string out;
  for (unsigned long code = ERR_get_error(); code != 0; code = ERR_get_error()) {
    char text[256];
    ERR_error_string_n(code, text, sizeof text);
    out += std::string(text) + "; ";
  }
  return out;
}

Context make_context(const TlsWanted& wanted) {
  Context context(SSL_CTX_new(TLS_client_method()));
  if (SSL_CTX_load_verify_locations(context.get(), wanted.ca_file.c_str(), nullptr) != 1)
    FAIL("no CA in " << wanted.ca_file << ": " << openssl_errors());
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  std::string list;
  for (const std::string& protocol : wanted.alpn) list += static_cast<char>(protocol.size()) + protocol;
  if (!list.empty())
    SSL_CTX_set_alpn_protos(context.get(), reinterpret_cast<const unsigned char*>(list.data()),
                            static_cast<unsigned>(list.size()));
  return context;
}

class TlsWire final : public Wire {
 public:
  TlsWire(Client below, const TlsWanted& wanted)
      : below_(std::move(below)), context_(make_context(wanted)), session_(SSL_new(context_.get())) {
    SSL_set_bio(session_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    BIO_set_mem_eof_return(SSL_get_rbio(session_.get()), -1);
    in_addr address;
    if (inet_pton(AF_INET, wanted.name.c_str(), &address) == 1) {
      X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session_.get()), wanted.name.c_str());
    } else {
      SSL_set1_host(session_.get(), wanted.name.c_str());
      SSL_set_tlsext_host_name(session_.get(), wanted.name.c_str());
    }
    SSL_set_connect_state(session_.get());
  }

  std::string handshake() {
    const auto deadline = Clock::now() + kPatience;
    while (true) {
      ERR_clear_error();
      const int done = SSL_do_handshake(session_.get());
      flush();
      if (done == 1) break;
      if (SSL_get_error(session_.get(), done) != SSL_ERROR_WANT_READ) FAIL("TLS handshake: " << openssl_errors());
      if (fetch(deadline) != Fill::bytes) FAIL("the TLS handshake gets no answer");
    }
    const unsigned char* chosen = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(session_.get(), &chosen, &size);
    return {reinterpret_cast<const char*>(chosen), size};
  }

  Fill read(std::string& into, Time deadline) override {
    char block[16384];
    while (true) {
      std::size_t count = 0;
      ERR_clear_error();
      const int done = SSL_read_ex(session_.get(), block, sizeof block, &count);
      flush();
      if (done == 1) {
        into.append(block, count);
        return Fill::bytes;
      }
      const int error = SSL_get_error(session_.get(), done);
      if (error == SSL_ERROR_ZERO_RETURN) return Fill::end;
      if (error != SSL_ERROR_WANT_READ) return Fill::reset;
      const Fill got = fetch(deadline);
      if (got == Fill::timeout) return got;
      if (got != Fill::bytes) return Fill::reset;  // an end that is not signed: it may be anybody's
    }
  }

  bool send(std::string_view bytes) override {
    // In parts: what is encrypted is held here until it is sent.
    constexpr std::size_t kPart = 256 * 1024;
    for (; !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), kPart))) {
      std::size_t written = 0;
      const std::string_view part = bytes.substr(0, kPart);
      if (SSL_write_ex(session_.get(), part.data(), part.size(), &written) != 1 || !flush()) return false;
    }
    return true;
  }

  void half_close() override {
    SSL_shutdown(session_.get());
    flush();
    below_.half_close();
  }
  void abort() override { below_.abort(); }

 private:
  bool flush() {
    BIO* const out = SSL_get_wbio(session_.get());
    char* data = nullptr;
    const long size = BIO_get_mem_data(out, &data);
    if (size <= 0) return true;
    const bool sent = below_.send({data, static_cast<std::size_t>(size)});
    BIO_reset(out);
    return sent;
  }

  Fill fetch(Time deadline) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
    if (below_.silent(std::max(left, milliseconds(0)))) return Fill::timeout;
    const std::string bytes = below_.read_some();
    if (bytes.empty()) return below_.was_reset() ? Fill::reset : Fill::end;
    BIO_write(SSL_get_rbio(session_.get()), bytes.data(), static_cast<int>(bytes.size()));
    return Fill::bytes;
  }

  Client below_;
  Context context_;
  Session session_;
};

}  // namespace

Secured secure(Client below, const TlsWanted& wanted) {
  auto wire = std::make_unique<TlsWire>(std::move(below), wanted);
  std::string alpn = wire->handshake();
  return {Client(std::move(wire)), std::move(alpn)};
}

}  // namespace e2e
