#include "tls/certificate.hpp"

#include "tls_world.hpp"

using namespace cmux;
using namespace cmux::tls;

namespace {

// What a thief of the key makes: a certificate for any host.
CertificatePointer forged(const StateDirectory& directory, const Authority& authority, const CertificateHost& host) {
  const KeyPointer key = key_in(directory.text("ca.key"));
  REQUIRE(key);
  auto made = make_leaf_certificate(host, authority.certificate(), key.get(), authority.leaf_key(), directory.now(),
                                    directory.now() + kDay);
  REQUIRE(made.has_value());
  return std::move(*made);
}

CertificateHost host_of(const std::string& text) {
  auto host = parse_certificate_host(text);
  REQUIRE(host.has_value());
  return *host;
}

std::string canonical(const std::string& text) {
  const auto host = parse_certificate_host(text);
  return host ? host->text : "(refused)";
}

bool allowed(const std::string& text) {
  const auto host = parse_certificate_host(text);
  return host && is_permitted(*host);
}

}  // namespace

TEST_CASE("certificates: hosts are made one form, and what is none is refused") {
  CHECK(canonical("LocalHost.") == "localhost");
  CHECK(canonical("my_app.LOCALHOST") == "my_app.localhost");
  CHECK(canonical("127.0.0.1") == "127.0.0.1");
  CHECK(canonical("[0:0::1]") == "::1");
  CHECK(canonical("::1%lo") == "::1");
  CHECK(canonical("::FFFF:7f00:1") == "::ffff:127.0.0.1");
  CHECK(host_of("127.0.0.1").address.size() == 4);
  CHECK(host_of("::ffff:127.0.0.1").address.size() == 16);
  CHECK(host_of("localhost").address.empty());
  for (const std::string& text :
       {std::string(), std::string("."), std::string("a..b"), std::string(".localhost"), std::string("localhost.."),
        std::string("*.localhost"), std::string("a b.localhost"), std::string("a,DNS:b.localhost"), std::string("ü.localhost"),
        std::string("localhost\0.evil.com", 19), std::string("127.0.0.1\0", 10), std::string("::1]"), std::string("1:2"),
        std::string("localhost:80"), std::string(64, 'a') + ".localhost", std::string(254, 'a')}) {
    CAPTURE(text);
    const auto refused = parse_certificate_host(text);
    REQUIRE(refused.has_error());
    CHECK(refused.error().code == Errc::config);
  }
}

TEST_CASE("certificates: loopback is permitted, and nothing beside it") {
  for (const char* host : {"localhost", "LOCALHOST.", "app.localhost", "a.b.localhost", "cmux.local", "x.cmux.local",
                           "cmux.localhost", "manaflow.local", "a.manaflow.localhost", "127.0.0.1", "127.255.255.255", "0.0.0.0",
                           "::1", "[::1]", "::", "::ffff:127.1.2.3"}) {
    CAPTURE(host);
    CHECK(allowed(host));
  }
  for (const char* host : {"notlocalhost", "localhost.evil.com", "example.com", "local", "xcmux.local", "cmux.app", "8.8.8.8",
                           "128.0.0.1", "126.255.255.255", "0.0.0.1", "::2", "::127.0.0.1", "::ffff:128.0.0.1", "::ffff:0.0.0.0",
                           "127.1", "127.0.0.1.nip.io", "1::1"}) {
    CAPTURE(host);
    CHECK_FALSE(allowed(host));
  }
}

TEST_CASE("certificates: what the CA signs is accepted by OpenSSL for that host, and for no other") {
  const StateDirectory directory;
  const auto authority = directory.open();
  const std::string longest = std::string(63, 'a') + ".localhost";  // too long for a common name
  for (const std::string& host :
       {std::string("localhost"), std::string("app.localhost"), std::string("my_app.localhost"), std::string("cmux.local"),
        std::string("127.0.0.1"), std::string("127.9.9.9"), std::string("::1"), std::string("0.0.0.0"), std::string("::"),
        std::string("::ffff:127.0.0.1"), longest}) {
    CAPTURE(host);
    const auto leaf = authority->mint(host);
    REQUIRE(leaf.has_value());
    X509* const certificate = leaf->certificate.get();
    CHECK(verdict(certificate, authority->certificate(), host, directory.now()) == X509_V_OK);
    CHECK(verdict(certificate, authority->certificate(), host, directory.now() - kDay + 60) == X509_V_OK);
    CHECK(verdict(certificate, authority->certificate(), host, directory.now() + kLeafLife + 1) == X509_V_ERR_CERT_HAS_EXPIRED);
    CHECK(verdict(certificate, authority->certificate(), "other.localhost", directory.now()) == X509_V_ERR_HOSTNAME_MISMATCH);
    CHECK(verdict(certificate, authority->certificate(), "127.0.0.2", directory.now()) == X509_V_ERR_IP_ADDRESS_MISMATCH);
    CHECK(end_of(certificate) - begin_of(certificate) <= 398 * kDay);
  }
}

TEST_CASE("certificates: a stolen key is worth nothing beyond loopback") {
  const StateDirectory directory;
  const auto authority = directory.open();
  for (const char* host : {"example.com", "notlocalhost", "localhost.example.com", "cmux.app", "8.8.8.8", "128.0.0.1",
                           "2001:db8::1", "::ffff:8.8.8.8"}) {
    CAPTURE(host);
    const auto leaf = forged(directory, *authority, host_of(host));
    CHECK(verdict(leaf.get(), authority->certificate(), host, directory.now()) == X509_V_ERR_PERMITTED_VIOLATION);
  }
  // The same way to make and to ask accepts what is permitted.
  const auto leaf = forged(directory, *authority, host_of("localhost"));
  CHECK(verdict(leaf.get(), authority->certificate(), "localhost", directory.now()) == X509_V_OK);
}

TEST_CASE("certificates: the CA says what it is, in critical extensions") {
  const StateDirectory directory;
  const auto authority = directory.open();
  X509* const certificate = authority->certificate();
  CHECK(X509_check_ca(certificate) == 1);
  CHECK(X509_get_pathlen(certificate) == 0);
  CHECK(X509_get_key_usage(certificate) == (KU_KEY_CERT_SIGN | KU_CRL_SIGN));
  CHECK(X509_get_extended_key_usage(certificate) == XKU_SSL_SERVER);
  CHECK(X509_get0_subject_key_id(certificate) != nullptr);
  for (const int kind : {NID_basic_constraints, NID_key_usage, NID_name_constraints}) {
    const int at = X509_get_ext_by_NID(certificate, kind, -1);
    REQUIRE(at >= 0);
    CHECK(X509_EXTENSION_get_critical(X509_get_ext(certificate, at)) == 1);
  }
  const auto leaf = authority->mint("localhost");
  REQUIRE(leaf.has_value());
  CHECK(X509_check_ca(leaf->certificate.get()) == 0);
  CHECK(X509_get_extended_key_usage(leaf->certificate.get()) == XKU_SSL_SERVER);
  CHECK(ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(leaf->certificate.get()), X509_get0_subject_key_id(certificate)) == 0);
  const auto again = authority->mint("localhost");
  REQUIRE(again.has_value());
  CHECK(ASN1_INTEGER_cmp(X509_get0_serialNumber(leaf->certificate.get()), X509_get0_serialNumber(again->certificate.get())) != 0);
}
