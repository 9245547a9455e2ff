// TLS inside CONNECT to localhost ends at the proxy, whatever the ClientHello looks like and however it arrives.
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "support.hpp"

namespace e2e {
namespace {

// An extension with these bytes, on every ClientHello.
int add_extension(SSL*, unsigned, unsigned context, const unsigned char** out, std::size_t* size, X509*, std::size_t, int*,
                  void* bytes) {
  if (context != SSL_EXT_CLIENT_HELLO) return 0;
  const auto& text = *static_cast<const std::string*>(bytes);
  *out = reinterpret_cast<const unsigned char*>(text.data());
  *size = text.size();
  return 1;
}

// A TLS client whose bytes go where the test says.
class Handshake {
 public:
  // `more`: extensions that this OpenSSL does not know.
  Handshake(const Proxy& proxy, const std::string& name, std::vector<std::pair<unsigned, std::string>> more = {})
      : more_(std::move(more)), context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_load_verify_locations(context_, text_in(proxy.ready, "caFile").c_str(), nullptr);
    SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
    for (auto& [type, bytes] : more_)
      SSL_CTX_add_custom_ext(context_, type, SSL_EXT_CLIENT_HELLO, add_extension, nullptr, &bytes, nullptr, nullptr);
    ssl_ = SSL_new(context_);
    SSL_set_bio(ssl_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    if (name.find_first_not_of("0123456789.:") == std::string::npos) {
      X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_), name.c_str());
    } else {
      SSL_set1_host(ssl_, name.c_str());
      SSL_set_tlsext_host_name(ssl_, name.c_str());
    }
    SSL_set_connect_state(ssl_);
  }
  ~Handshake() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
  }
  Handshake(const Handshake&) = delete;

  std::string hello() {
    SSL_do_handshake(ssl_);
    return output();
  }
  // Goes on with what the peer says, until the handshake is done.
  void finish(Client& client) {
    while (SSL_do_handshake(ssl_) != 1) {
      if (SSL_get_error(ssl_, -1) != SSL_ERROR_WANT_READ) FAIL(ERR_error_string(ERR_get_error(), nullptr));
      client.send(output());
      input(client);
    }
    client.send(output());
  }
  std::string ask(Client& client, std::string_view request) {
    SSL_write(ssl_, request.data(), static_cast<int>(request.size()));
    client.send(output());
    std::string out;
    while (out.find("\r\n\r\n") == std::string::npos || !out.ends_with("\n")) {
      char block[4096];
      const int count = SSL_read(ssl_, block, sizeof block);
      if (count > 0) out.append(block, static_cast<std::size_t>(count));
      else if (SSL_get_error(ssl_, count) == SSL_ERROR_WANT_READ) input(client);
      else FAIL("TLS ended; until then: " << out);
    }
    return out;
  }
  // What the certificate is for: "DNS:localhost".
  std::string names() const {
    X509* const certificate = SSL_get_peer_certificate(ssl_);
    auto* const all = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
    std::string out;
    for (int i = 0; i < sk_GENERAL_NAME_num(all); ++i) {
      const GENERAL_NAME* const each = sk_GENERAL_NAME_value(all, i);
      if (each->type == GEN_DNS)
        out += "DNS:" + std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(each->d.dNSName)));
      else if (each->type == GEN_IPADD) out += fmt::format("IP:{}", ASN1_STRING_length(each->d.iPAddress));
    }
    GENERAL_NAMES_free(all);
    X509_free(certificate);
    return out;
  }

 private:
  std::string output() {
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(SSL_get_wbio(ssl_), &bytes);
    std::string out(bytes, static_cast<std::size_t>(size));
    (void)BIO_reset(SSL_get_wbio(ssl_));
    return out;
  }
  void input(Client& client) {
    const std::string more = client.read_some();
    if (more.empty()) FAIL("the proxy has closed the connection");
    BIO_write(SSL_get_rbio(ssl_), more.data(), static_cast<int>(more.size()));
  }

  std::vector<std::pair<unsigned, std::string>> more_;
  SSL_CTX* context_;
  SSL* ssl_ = nullptr;
};

const std::string kRequest = "GET / HTTP/1.1\r\nHost: localhost:3443\r\n\r\n";

}  // namespace

TEST_CASE("intercept: a ClientHello may come in two pieces, cut anywhere") {
  Workspace workspace;
  Proxy proxy({"--threads", "1"}, &workspace);
  const Context context = proxy.routed();
  Client other = proxy.connect();
  const std::string plain = request_text("GET", "http://localhost:3000/", context);
  std::size_t size = 2;
  const std::size_t step = slow() ? 31 : 1;
  for (std::size_t at = 1; at < size; at += step) {
    INFO(at);
    Client client = tunnel(proxy, context, "localhost:3443");
    Handshake tls(proxy, "localhost");
    const std::string hello = tls.hello();
    size = hello.size();
    client.send(hello.substr(0, at));
    CHECK(other.ask(plain).status == 200);  // so that the worker has looked at the first piece
    client.send(hello.substr(at));
    tls.finish(client);
    if (at % 50 == 1) CHECK(tls.ask(client, kRequest).find("port 3443") != std::string::npos);
  }
}

TEST_CASE("intercept: GREASE, encrypted ClientHello, and key shares larger than a packet") {
  Workspace workspace;
  Proxy proxy({"--threads", "1"}, &workspace);
  const Context context = proxy.routed();
  // RFC 8701; the draft's ECH extension with an outer hello of a plausible size; something like five post-quantum shares.
  Handshake tls(proxy, "localhost",
                {{0x1a1a, ""}, {0xfe0d, std::string(250, '\x01')}, {0xfafa, std::string(6'000, '\x02')}, {0x4a4a, "\x00"}});
  const std::string hello = tls.hello();
  CHECK(hello.size() > 6'250);
  Client client = tunnel(proxy, context, "localhost:3443");
  Client other = proxy.connect();
  const std::string plain = request_text("GET", "http://localhost:3000/", context);
  for (std::size_t at = 0; at < hello.size(); at += 1'400) {
    client.send(hello.substr(at, 1'400));
    CHECK(other.ask(plain).status == 200);
  }
  tls.finish(client);
  CHECK(tls.ask(client, kRequest).find("port 3443") != std::string::npos);
}

TEST_CASE("intercept: the certificate is for exactly the name that was asked for") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  struct Row {
    std::string target, name, names;
  };
  for (const Row& row : std::vector<Row>{{"localhost:443", "localhost", "DNS:localhost"},
                                         {"app.localhost:8443", "app.localhost", "DNS:app.localhost"},
                                         {"127.0.0.1:443", "127.0.0.1", "IP:4"},
                                         {"127.9.8.7:443", "127.9.8.7", "IP:4"},
                                         {"[::1]:443", "::1", "IP:16"}}) {
    INFO(row.target);
    Client client = tunnel(proxy, context, row.target);
    Handshake tls(proxy, row.name);
    client.send(tls.hello());
    tls.finish(client);
    CHECK(tls.names() == row.names);
    const std::string answer = tls.ask(client, fmt::format("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", row.target));
    CHECK(answer.starts_with("HTTP/1.1 200 "));
  }
}

TEST_CASE("intercept: what is broken inside ends the tunnel, and nothing else") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  for (const std::string& bytes :
       {std::string("\x16\x03\x01\x00\x05hello", 10), std::string("\x16\x03\x01\xff\xff", 5) + std::string(70'000, 'x'),
        std::string("\x16\x02\x00\x00\x00", 5), std::string(1, '\x16')}) {
    Client client = tunnel(proxy, context, "localhost:3443");
    client.send(bytes);
    if (bytes.size() == 1) client.half_close();
    client.read_all_until_close();
  }
  CHECK(proxy.get(context, "http://localhost:3000/").status == 200);
}

TEST_CASE("intercept: it can be switched off, and so can HTTP/2 inside") {
  Workspace workspace;
  SECTION("--no-intercept") {
    Proxy proxy({"--no-intercept"}, &workspace);
    Client client = tunnel(proxy, proxy.routed(), "localhost:3443");
    Handshake tls(proxy, "localhost");
    client.send(tls.hello());
    CHECK(client.read_all_until_close() == std::string("\x15\x03\x03\x00\x02\x02\x28", 7));  // an alert that TLS clients can show
    CHECK(eventually([&] { return proxy.process().stderr_text().find("--no-intercept") != std::string::npos; }));
  }
  SECTION("--no-http2") {
    Proxy proxy({"--no-http2"}, &workspace);
    const std::string ca = text_in(proxy.ready, "caFile");
    CHECK_FALSE(proxy.ready.at("http2").as_bool());
    const Context context = proxy.routed();
    const Run run_ = run({"curl", "-sS", "--noproxy", "", "-x", context.proxy_url, "--cacert", ca, "-w", "%{http_version}",
                          "https://localhost:3443/"});
    CHECK(run_.out.ends_with("1.1"));
    Client client = proxy.connect();
    CHECK(client.ask("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").status == 505);
  }
}

}  // namespace e2e
