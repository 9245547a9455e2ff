#include "tls/certificate.hpp"

#include <arpa/inet.h>
#include <openssl/bn.h>
#include <openssl/ec.h>

#include <algorithm>
#include <cstring>

#include "tls/digest.hpp"

namespace cmux::tls {
namespace {

// The contract's loopback names, and the cmux domains that stay on this machine. A name stands for all below it as well.
constexpr std::string_view kNames[] = {"localhost", "cmux.local", "cmux.localhost", "manaflow.local", "manaflow.localhost"};

struct Network {
  std::string_view address, mask;
};
constexpr Network kNetworks[] = {
    {"127.0.0.0", "255.0.0.0"},
    {"0.0.0.0", "255.255.255.255"},
    {"::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"::ffff:127.0.0.0", "ffff:ffff:ffff:ffff:ffff:ffff:ff00:0"},  // 127.0.0.0/8 mapped into IPv6
};

constexpr std::size_t kLongestName = 253;
constexpr std::size_t kLongestLabel = 63;
constexpr std::size_t kLongestCommonName = 64;  // RFC 5280 appendix A.1, ub-common-name

// 4 or 16 bytes; empty for what is no address.
std::string address_of(const std::string& text) {
  char bytes[sizeof(in6_addr)];
  if (inet_pton(AF_INET, text.c_str(), bytes) == 1) return {bytes, sizeof(in_addr)};
  if (inet_pton(AF_INET6, text.c_str(), bytes) == 1) return {bytes, sizeof(in6_addr)};
  return {};
}

std::string text_of(const std::string& address) {
  char text[INET6_ADDRSTRLEN];
  inet_ntop(address.size() == sizeof(in_addr) ? AF_INET : AF_INET6, address.data(), text, sizeof text);
  return text;
}

// Underscores are no hostname's (RFC 952), but browsers and resolvers take them, and my_app.localhost is common.
bool is_name(std::string_view text) {
  if (text.empty() || text.size() > kLongestName) return false;
  std::size_t label = 0;
  for (const char c : text) {
    if (c == '.') {
      if (label == 0) return false;
      label = 0;
      continue;
    }
    const bool allowed = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (!allowed || ++label > kLongestLabel) return false;
  }
  return label != 0;
}

bool is_in(const std::string& address, const Network& network) {
  const std::string base = address_of(std::string(network.address)), mask = address_of(std::string(network.mask));
  if (address.size() != base.size()) return false;
  for (std::size_t i = 0; i < base.size(); ++i)
    if ((address[i] & mask[i]) != base[i]) return false;
  return true;
}

std::string constraints() {
  std::string out = "critical";
  for (const std::string_view name : kNames) out += fmt::format(",permitted;DNS:{}", name);
  for (const Network& network : kNetworks) out += fmt::format(",permitted;IP:{}/{}", network.address, network.mask);
  return out;
}

bool add_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  const bool added = extension && X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

bool add_name(X509_NAME* name, const char* field, std::string_view value) {
  return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(value.data()),
                                    static_cast<int>(value.size()), -1, 0) == 1;
}

// Built by hand and not from a configuration text, where a comma in a name would begin another entry.
bool add_subject_alternative(X509* certificate, const CertificateHost& host) {
  const std::string& value = host.address.empty() ? host.text : host.address;
  ASN1_STRING* const string = ASN1_STRING_type_new(host.address.empty() ? V_ASN1_IA5STRING : V_ASN1_OCTET_STRING);
  GENERAL_NAME* const name = GENERAL_NAME_new();
  GENERAL_NAMES* const names = GENERAL_NAMES_new();
  bool done = string && name && names && ASN1_STRING_set(string, value.data(), static_cast<int>(value.size())) == 1;
  if (done) {
    GENERAL_NAME_set0_value(name, host.address.empty() ? GEN_DNS : GEN_IPADD, string);
    done = sk_GENERAL_NAME_push(names, name) > 0 &&
           X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1;
    GENERAL_NAMES_free(names);  // with all that is in it
    return done;
  }
  ASN1_STRING_free(string);
  GENERAL_NAME_free(name);
  GENERAL_NAMES_free(names);
  return false;
}

// 128 bits: CAs of many machines never meet in one, and browsers refuse two certificates of one issuer with the same.
bool set_serial(X509* certificate) {
  const std::unique_ptr<BIGNUM, Releaser<BN_free>> number(BN_new());
  return number && BN_rand(number.get(), 128, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
         BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate));
}

bool set_times(X509* certificate, std::time_t begin, std::time_t end) {
  return ASN1_TIME_set(X509_getm_notBefore(certificate), begin) && ASN1_TIME_set(X509_getm_notAfter(certificate), end);
}

std::time_t time_of(const ASN1_TIME* time) {
  std::tm parts{};
  return ASN1_TIME_to_tm(time, &parts) == 1 ? timegm(&parts) : 0;
}

}  // namespace

Result<CertificateHost> parse_certificate_host(std::string_view text) {
  CertificateHost host;
  if (text.size() > 2 && text.front() == '[' && text.back() == ']') text = text.substr(1, text.size() - 2);
  if (text.find(':') != std::string_view::npos) text = text.substr(0, text.find('%'));  // a zone is nobody else's business
  if (text.size() > 1 && text.back() == '.') text.remove_suffix(1);
  for (const char c : text) host.text += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (host.text.find('\0') == std::string::npos) host.address = address_of(host.text);
  if (!host.address.empty()) host.text = text_of(host.address);
  else if (!is_name(host.text)) return make_error(Errc::config, "no certificate: this is neither a host name nor an address");
  return host;
}

bool is_permitted(const CertificateHost& host) {
  if (!host.address.empty())
    return std::any_of(std::begin(kNetworks), std::end(kNetworks), [&](const Network& n) { return is_in(host.address, n); });
  return std::any_of(std::begin(kNames), std::end(kNames), [&](std::string_view name) {
    if (!host.text.ends_with(name)) return false;
    return host.text.size() == name.size() || host.text[host.text.size() - name.size() - 1] == '.';
  });
}

Result<KeyPointer> make_key() {
  KeyPointer key(EVP_EC_gen("P-256"));
  if (!key) return openssl_error("make a key");
  return key;
}

Result<CertificatePointer> make_authority_certificate(EVP_PKEY* key, std::time_t now) {
  CertificatePointer made(X509_new());
  X509* const certificate = made.get();
  const bool keyed = certificate && X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
                     X509_set_pubkey(certificate, key) == 1;
  if (!keyed) return openssl_error("make the CA's certificate");
  // Trust stores show the name: the digits, which are the public key's, tell one machine's CA, or the one before, from another.
  const std::string digest = spki_digest(certificate);
  std::string name = "cmuxproxy local CA ";
  for (const char c : digest.substr(0, 4)) name += fmt::format("{:02x}", static_cast<unsigned char>(c));
  X509_NAME* const subject = X509_get_subject_name(certificate);
  // The extended key usage is no root's in RFC 5280, but verifiers apply it to all below: nothing for mail or code.
  const bool done = set_times(certificate, now - kBackdate, now + kAuthorityLife) && add_name(subject, "O", "cmuxproxy") &&
                    add_name(subject, "CN", name) && X509_set_issuer_name(certificate, subject) == 1 &&
                    add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
                    add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign") &&
                    add_extension(certificate, certificate, NID_ext_key_usage, "serverAuth") &&
                    add_extension(certificate, certificate, NID_name_constraints, constraints()) &&
                    add_extension(certificate, certificate, NID_subject_key_identifier, "hash") &&
                    X509_sign(certificate, key, EVP_sha256()) > 0;
  if (!done) return openssl_error("make the CA's certificate");
  return made;
}

Result<CertificatePointer> make_leaf_certificate(const CertificateHost& host, X509* authority, EVP_PKEY* authority_key,
                                                 EVP_PKEY* leaf_key, std::time_t now, std::time_t expires) {
  CertificatePointer made(X509_new());
  X509* const certificate = made.get();
  if (!certificate) return openssl_error("make a certificate");
  X509_NAME* const subject = X509_get_subject_name(certificate);
  // An address is no common name: OpenSSL would hold "127.0.0.1" there for a DNS name, which the constraints do not permit.
  const bool named = host.address.empty() && host.text.size() <= kLongestCommonName;
  const bool done =
      X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
      set_times(certificate, now - kBackdate, expires) && add_name(subject, "O", "cmuxproxy") &&
      (!named || add_name(subject, "CN", host.text)) &&
      X509_set_issuer_name(certificate, X509_get_subject_name(authority)) == 1 && X509_set_pubkey(certificate, leaf_key) == 1 &&
      add_extension(certificate, authority, NID_basic_constraints, "critical,CA:FALSE") &&
      add_extension(certificate, authority, NID_key_usage, "critical,digitalSignature") &&
      add_extension(certificate, authority, NID_ext_key_usage, "serverAuth") && add_subject_alternative(certificate, host) &&
      add_extension(certificate, authority, NID_authority_key_identifier, "keyid:always") &&
      X509_sign(certificate, authority_key, EVP_sha256()) > 0;
  if (!done) return openssl_error("make a certificate");
  return made;
}

std::time_t begin_of(const X509* certificate) { return time_of(X509_get0_notBefore(certificate)); }
std::time_t end_of(const X509* certificate) { return time_of(X509_get0_notAfter(certificate)); }

std::string spki_digest(const X509* certificate) {
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  std::string digest = sha256({reinterpret_cast<const char*>(der), size > 0 ? static_cast<std::size_t>(size) : 0});
  OPENSSL_free(der);
  return digest;
}

}  // namespace cmux::tls
