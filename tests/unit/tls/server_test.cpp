#include "tls/server.hpp"

#include <openssl/sha.h>

#include "tls_world.hpp"

using namespace cmux;
using namespace cmux::tls;

namespace {

using SessionPointer = std::unique_ptr<SSL_SESSION, Releaser<SSL_SESSION_free>>;
using ContextPointer = std::unique_ptr<SSL_CTX, Releaser<SSL_CTX_free>>;

struct Offer {
  std::string sni{};
  std::string alpn{};  // in wire form
  SSL_SESSION* session = nullptr;
  int version = TLS1_3_VERSION;
};

struct Outcome {
  bool done = false;
  bool resumed = false;
  std::string alpn;
  std::string host;   // as the server says
  std::string alert;  // that the client got
  CertificatePointer leaf;
  std::vector<std::string> chain;  // SPKI digests
  SessionPointer session;
};

std::string reason_of_failure() {
  const unsigned long code = ERR_peek_error();
  ERR_clear_error();
  return code ? ERR_reason_error_string(code) : "";
}

// A whole handshake in memory, and the tickets that come after it.
Outcome shake(ServerContext& server_context, std::string_view default_host, const Offer& offer = {}) {
  const ContextPointer context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_min_proto_version(context.get(), offer.version);
  SSL_CTX_set_max_proto_version(context.get(), offer.version);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  if (offer.version < TLS1_2_VERSION) SSL_CTX_set_security_level(context.get(), 0);  // else the client itself would refuse
  const SslPointer client(SSL_new(context.get())), server(server_context.make(default_host));
  REQUIRE(server);
  BIO *near = nullptr, *far = nullptr;
  REQUIRE(BIO_new_bio_pair(&near, 64 * 1024, &far, 64 * 1024) == 1);
  SSL_set_bio(client.get(), near, near);
  SSL_set_bio(server.get(), far, far);
  SSL_set_connect_state(client.get());
  if (!offer.sni.empty()) SSL_set_tlsext_host_name(client.get(), offer.sni.c_str());
  if (!offer.alpn.empty())
    SSL_set_alpn_protos(client.get(), reinterpret_cast<const unsigned char*>(offer.alpn.data()),
                        static_cast<unsigned>(offer.alpn.size()));
  if (offer.session) SSL_set_session(client.get(), offer.session);

  Outcome out;
  const auto fatal = [](SSL* ssl, int returned) { return returned != 1 && SSL_get_error(ssl, returned) == SSL_ERROR_SSL; };
  bool server_failed = false;
  for (int turn = 0; turn < 20 && !out.done; ++turn) {
    ERR_clear_error();
    const int there = SSL_do_handshake(client.get());
    if (fatal(client.get(), there)) {
      out.alert = reason_of_failure();
      return out;
    }
    ERR_clear_error();
    const int here = server_failed ? -1 : SSL_do_handshake(server.get());
    if (!server_failed && fatal(server.get(), here)) server_failed = true;
    out.done = there == 1 && here == 1;
  }
  out.host = ServerContext::host_of(server.get());
  if (!out.done) return out;
  char byte = 'x';
  SSL_write(server.get(), &byte, 1);
  SSL_read(client.get(), &byte, 1);  // takes the tickets of TLS 1.3 in
  out.resumed = SSL_session_reused(client.get()) == 1 && SSL_session_reused(server.get()) == 1;
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(client.get(), &name, &size);
  out.alpn.assign(reinterpret_cast<const char*>(name), size);
  out.leaf.reset(SSL_get1_peer_certificate(client.get()));
  const STACK_OF(X509)* const chain = SSL_get_peer_cert_chain(client.get());
  for (int i = 0; i < sk_X509_num(chain); ++i) out.chain.push_back(spki_digest(sk_X509_value(chain, i)));
  SSL_shutdown(client.get());
  out.session.reset(SSL_get1_session(client.get()));
  return out;
}

struct World {
  StateDirectory directory;
  std::unique_ptr<Authority> authority = directory.open();
  std::unique_ptr<ServerContext> server = make();

  std::unique_ptr<ServerContext> make(bool http2 = true) const {
    auto made = ServerContext::create(*authority, {http2});
    REQUIRE(made.has_value());
    return std::move(*made);
  }
  bool accepts(const Outcome& outcome, const std::string& host) const {
    return outcome.done && outcome.leaf &&
           verdict(outcome.leaf.get(), authority->certificate(), host, directory.now()) == X509_V_OK;
  }
};

std::string wire(std::initializer_list<std::string_view> protocols) {
  std::string out;
  for (const std::string_view protocol : protocols) (out += static_cast<char>(protocol.size())) += protocol;
  return out;
}

const int kVersions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

}  // namespace

TEST_CASE("tls server: the certificate is for the name asked for, or else for the default host") {
  World world;
  for (const int version : kVersions) {
    CAPTURE(version);
    const Outcome named = shake(*world.server, "127.0.0.1", {"app.localhost", {}, nullptr, version});
    CHECK(world.accepts(named, "app.localhost"));
    CHECK(named.host == "app.localhost");
    CHECK(world.accepts(shake(*world.server, "127.0.0.1", {"LocalHost", {}, nullptr, version}), "localhost"));
    CHECK(world.accepts(shake(*world.server, "127.0.0.1", {{}, {}, nullptr, version}), "127.0.0.1"));
    CHECK(world.accepts(shake(*world.server, "[::1]", {{}, {}, nullptr, version}), "::1"));
    CHECK(world.accepts(shake(*world.server, "localhost", {"example.com", {}, nullptr, version}), "localhost"));
    CHECK(world.accepts(shake(*world.server, "localhost", {"*.localhost", {}, nullptr, version}), "localhost"));
    CHECK(world.accepts(shake(*world.server, "example.com", {"localhost", {}, nullptr, version}), "localhost"));
  }
}

TEST_CASE("tls server: no name that may be signed ends the handshake with an alert") {
  World world;
  for (const int version : kVersions) {
    for (const char* sni : {"", "example.com"}) {
      const Outcome refused = shake(*world.server, "192.0.2.1", {sni, {}, nullptr, version});
      CHECK_FALSE(refused.done);
      CHECK(refused.alert == "tlsv1 unrecognized name");
    }
  }
  CHECK(shake(*world.server, "localhost").done);
}

TEST_CASE("tls server: an authority that cannot sign any more ends the handshake with an alert") {
  World world;
  world.directory.pass(kAuthorityLife + 1);
  const Outcome refused = shake(*world.server, "localhost");
  CHECK_FALSE(refused.done);
  CHECK(refused.alert == "tlsv1 alert internal error");
}

TEST_CASE("tls server: the CA's certificate comes along, so that one fingerprint covers every name") {
  World world;
  for (const char* host : {"localhost", "127.0.0.1", "a.localhost"}) {
    const Outcome outcome = shake(*world.server, host);
    REQUIRE(outcome.chain.size() == 2);
    CHECK(outcome.chain[1] == spki_digest(world.authority->certificate()));
  }
}

TEST_CASE("tls server: ALPN") {
  World world;
  const auto http1 = world.make(false);
  struct Row {
    std::string offered, with_http2, without;
  };
  const std::string refused = "(refused)";
  for (const Row& row : {
           Row{wire({"h2", "http/1.1"}), "h2", "http/1.1"},
           Row{wire({"http/1.1", "h2"}), "h2", "http/1.1"},
           Row{wire({"h2"}), "h2", refused},
           Row{wire({"http/1.1"}), "http/1.1", "http/1.1"},
           Row{wire({"spdy/3", "http/1.1"}), "http/1.1", "http/1.1"},
           Row{wire({"h", "h22", "http/1.0"}), refused, refused},
           Row{"", "", ""},
       }) {
    for (const int version : kVersions) {
      CAPTURE(row.offered, version);
      for (const bool http2 : {true, false}) {
        const Outcome outcome = shake(http2 ? *world.server : *http1, "localhost", {"localhost", row.offered, nullptr, version});
        const std::string& expected = http2 ? row.with_http2 : row.without;
        CHECK(outcome.done == (expected != refused));
        if (outcome.done) CHECK(outcome.alpn == expected);
        else CHECK(outcome.alert == "tlsv1 alert no application protocol");
      }
    }
  }
}

TEST_CASE("tls server: sessions resume, with every worker of the process") {
  World world;
  const auto other_worker = world.make();
  for (const int version : kVersions) {
    CAPTURE(version);
    const Outcome first = shake(*world.server, "127.0.0.1", {"localhost", wire({"h2"}), nullptr, version});
    REQUIRE(first.done);
    CHECK_FALSE(first.resumed);
    const Outcome again = shake(*world.server, "127.0.0.1", {"localhost", wire({"h2"}), first.session.get(), version});
    CHECK(again.resumed);
    CHECK(again.alpn == "h2");
    CHECK(again.host == "localhost");
    CHECK(shake(*other_worker, "127.0.0.1", {"LOCALHOST", {}, again.session.get(), version}).resumed);
  }
}

TEST_CASE("tls server: sessions never resume for another name") {
  World world;
  for (const int version : kVersions) {
    CAPTURE(version);
    const Outcome first = shake(*world.server, "127.0.0.1", {"a.localhost", {}, nullptr, version});
    REQUIRE(first.done);
    const Outcome other = shake(*world.server, "127.0.0.1", {"b.localhost", {}, first.session.get(), version});
    CHECK_FALSE(other.resumed);
    CHECK(world.accepts(other, "b.localhost"));
    const Outcome unnamed = shake(*world.server, "127.0.0.1", {{}, {}, first.session.get(), version});
    CHECK_FALSE(unnamed.resumed);
    CHECK(world.accepts(unnamed, "127.0.0.1"));
    const Outcome elsewhere = shake(*world.server, "::1", {{}, {}, unnamed.session.get(), version});
    CHECK_FALSE(elsewhere.resumed);
    CHECK(world.accepts(elsewhere, "::1"));
  }
  const World other_process;
  const Outcome first = shake(*world.server, "localhost");
  const Outcome foreign = shake(*other_process.server, "localhost", {{}, {}, first.session.get()});
  CHECK(foreign.done);
  CHECK_FALSE(foreign.resumed);
}

TEST_CASE("tls server: leaves are kept while they are fresh") {
  World world;
  const auto serial = [&](const char* host) {
    const Outcome outcome = shake(*world.server, host);
    REQUIRE(outcome.done);
    const ASN1_INTEGER* const number = X509_get0_serialNumber(outcome.leaf.get());
    return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(number)),
                       static_cast<std::size_t>(ASN1_STRING_length(number)));
  };
  const std::string first = serial("localhost");
  CHECK(serial("LOCALHOST.") == first);
  CHECK(serial("127.0.0.1") != first);
  world.directory.pass(5 * kDay);
  CHECK(serial("localhost") == first);
  world.directory.pass(kDay / 2);
  const std::string second = serial("localhost");
  CHECK(second != first);
  world.directory.pass(-3 * kDay);  // the clock was set back
  CHECK(serial("localhost") != second);
}

TEST_CASE("tls server: more names than are kept") {
  World world;
  for (int i = 0; i < 300; ++i) {
    const std::string host = fmt::format("n{}.localhost", i);
    const Outcome outcome = shake(*world.server, "127.0.0.1", {host});
    REQUIRE(world.accepts(outcome, host));
  }
}

TEST_CASE("tls server: an SSL that never shakes hands costs nothing but itself") {
  World world;
  const SslPointer first(world.server->make("localhost")), second(world.server->make(""));
  REQUIRE(first);
  CHECK(ServerContext::host_of(first.get()).empty());
}

TEST_CASE("tls server: versions before 1.2 are refused") {
  World world;
  const Outcome refused = shake(*world.server, "localhost", {"localhost", {}, nullptr, TLS1_1_VERSION});
  CHECK_FALSE(refused.done);
  CHECK(refused.alert == "tlsv1 alert protocol version");
}
