#include "tls/authority.hpp"

#include <openssl/pem.h>
#include <openssl/rand.h>

#include <algorithm>
#include <filesystem>

#include "base/log.hpp"
#include "tls/authority_files.hpp"
#include "tls/digest.hpp"

namespace cmux::tls {
namespace {

// Replaced while the old one still works, so that whoever trusts it sees it coming in the log and not in a broken browser.
constexpr std::time_t kRotateBefore = 30 * kDay;

struct Pair {
  CertificatePointer certificate;
  KeyPointer key;
};

// A key's text, wiped when it is done with.
struct Secret {
  explicit Secret(std::string taken) : text(std::move(taken)) {}
  ~Secret() { OPENSSL_cleanse(text.data(), text.size()); }
  Secret(const Secret&) = delete;
  std::string text;
};

Error refuse(const std::string& path, std::string_view reason) {
  return make_error(Errc::config, fmt::format("{}: {}; restore it, or remove both ca.crt and ca.key there to have a new CA made, "
                                              "which clients must then be told to trust",
                                              path, reason));
}

BioPointer reader(std::string_view text) { return BioPointer(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

// Without it OpenSSL would ask on the terminal for an encrypted key's.
int no_password(char*, int, int, void*) { return -1; }

CertificatePointer parse_certificate(std::string_view text) {
  CertificatePointer certificate(PEM_read_bio_X509(reader(text).get(), nullptr, no_password, nullptr));
  ERR_clear_error();
  return certificate;
}

KeyPointer parse_key(std::string_view text) {
  KeyPointer key(PEM_read_bio_PrivateKey(reader(text).get(), nullptr, no_password, nullptr));
  ERR_clear_error();
  return key;
}

std::string taken_text(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

std::string pem_of(X509* certificate) {
  const BioPointer bio(BIO_new(BIO_s_mem()));
  return bio && PEM_write_bio_X509(bio.get(), certificate) == 1 ? taken_text(bio.get()) : std::string();
}

std::string pem_of(EVP_PKEY* key) {
  const BioPointer bio(BIO_new(BIO_s_secmem()));
  const bool written = bio && PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1;
  return written ? taken_text(bio.get()) : std::string();
}

bool fits(X509* certificate, EVP_PKEY* key) {
  const bool fitting = X509_check_private_key(certificate, key) == 1;
  ERR_clear_error();
  return fitting;
}

// A CA without constraints would sign for any site, so whoever had its key would be any site to this machine's browsers.
bool is_ours(X509* certificate, EVP_PKEY* key) {
  const bool ours = EVP_PKEY_get_base_id(key) == EVP_PKEY_EC && X509_check_ca(certificate) == 1 &&
                    X509_get_ext_by_NID(certificate, NID_name_constraints, -1) >= 0 && X509_verify(certificate, key) == 1;
  ERR_clear_error();
  return ours;
}

Result<Pair> make_pair(AuthorityFiles& files, std::time_t now, std::string_view old_certificate) {
  auto key = make_key();
  if (!key) return key.error();
  auto certificate = make_authority_certificate(key->get(), now);
  if (!certificate) return certificate.error();
  const Secret key_text(pem_of(key->get()));
  const std::string certificate_text = pem_of(certificate->get());
  if (key_text.text.empty() || certificate_text.empty()) return openssl_error("write the CA as PEM");
  if (auto done = files.replace(certificate_text, key_text.text, old_certificate); !done) return done.error();
  return Pair{std::move(*certificate), std::move(*key)};
}

// The second half of a replacement that was cut short.
Result<void> recover(AuthorityFiles& files, const std::optional<std::string>& certificate_text) {
  auto next = AuthorityFiles::read_secret(files.paths().next_key);
  if (next && *next) {
    const Secret text(std::move(**next));
    const auto certificate = certificate_text ? parse_certificate(*certificate_text) : nullptr;
    const auto key = parse_key(text.text);
    if (certificate && key && fits(certificate.get(), key.get())) return files.finish();
  }
  files.drop_unfinished();
  return {};
}

// What the files hold, replaced where it is about to expire; nothing where there are none.
Result<std::optional<Pair>> load_pair(AuthorityFiles& files, std::time_t now) {
  const AuthorityPaths& paths = files.paths();
  const auto certificate_text = AuthorityFiles::read(paths.certificate);
  if (!certificate_text) return certificate_text.error();
  if (auto done = recover(files, *certificate_text); !done) return done.error();
  auto key_text = AuthorityFiles::read_secret(paths.key);
  if (!key_text) return key_text.error();
  if (!*certificate_text && !*key_text) return std::optional<Pair>();
  if (!*certificate_text) return refuse(paths.certificate, fmt::format("is missing, though {} is there", paths.key));
  if (!*key_text) return refuse(paths.key, fmt::format("is missing, though {} is there", paths.certificate));

  const Secret secret(std::move(**key_text));
  Pair pair{parse_certificate(**certificate_text), parse_key(secret.text)};
  if (!pair.certificate) return refuse(paths.certificate, "holds no certificate that can be read");
  if (!pair.key) return refuse(paths.key, "holds no key that can be read");
  if (!fits(pair.certificate.get(), pair.key.get()))
    return refuse(paths.certificate, fmt::format("does not belong to the key in {}", paths.key));
  if (!is_ours(pair.certificate.get(), pair.key.get()))
    return refuse(paths.certificate, "is not a CA that cmuxproxy has made: one on P-256 that is limited to loopback names");
  if (begin_of(pair.certificate.get()) > now)
    return refuse(paths.certificate, "is not valid yet: is this machine's clock right?");
  if (end_of(pair.certificate.get()) - now >= kRotateBefore) return std::optional<Pair>(std::move(pair));

  auto made = make_pair(files, now, **certificate_text);
  if (!made && end_of(pair.certificate.get()) > now) {
    log::warn("the local CA expires soon and could not be replaced: {}", made.error().detail);
    return std::optional<Pair>(std::move(pair));
  }
  if (!made) return made.error();
  log::warn(
      "the local CA was about to expire and has been replaced: tell clients to trust {} (cmuxproxy ca install-hint), and to "
      "forget {}",
      paths.certificate, paths.old_certificate);
  return std::optional<Pair>(std::move(*made));
}

Result<CertificateHost> permitted_host(std::string_view text) {
  auto host = parse_certificate_host(text);
  if (!host || is_permitted(*host)) return host;
  return make_error(Errc::config,
                    fmt::format("no certificate for {}: the local CA signs for localhost, names under it, the local "
                                "cmux names and loopback addresses alone",
                                host->text));
}

}  // namespace

Result<std::unique_ptr<Authority>> Authority::open(const std::string& directory, AuthorityOptions options) {
  std::unique_ptr<Authority> authority(new Authority);
  if (options.clock) authority->clock_ = std::move(options.clock);
  else authority->clock_ = [] { return std::time(nullptr); };

  // Its path is told to clients, which may run in another directory.
  std::error_code failed;
  std::string place = std::filesystem::absolute(directory, failed).string();
  while (place.size() > 1 && place.ends_with('/')) place.pop_back();
  if (directory.empty() || failed) return make_error(Errc::config, "the state directory has no name");
  auto files = AuthorityFiles::lock(place);
  if (!files) return files.error();
  auto loaded = load_pair(*files, authority->now());
  if (!loaded) return loaded.error();
  if (!*loaded) {
    auto made = make_pair(*files, authority->now(), {});
    if (!made) return made.error();
    *loaded = std::move(*made);
  }
  authority->certificate_ = std::move((*loaded)->certificate);
  authority->key_ = std::move((*loaded)->key);
  authority->certificate_path_ = files->paths().certificate;
  authority->certificate_pem_ = pem_of(authority->certificate_.get());

  // One key for all leaves of this process: making one each would cost more than all else of a handshake.
  auto leaf_key = make_key();
  if (!leaf_key) return leaf_key.error();
  authority->leaf_key_ = std::move(*leaf_key);
  TicketKeys& keys = authority->ticket_keys_;
  if (RAND_priv_bytes(keys.data(), static_cast<int>(keys.size())) != 1) return openssl_error("make keys for TLS sessions");
  return authority;
}

Authority::~Authority() { OPENSSL_cleanse(ticket_keys_.data(), ticket_keys_.size()); }

Result<std::string> Authority::check_host(std::string_view host) {
  auto permitted = permitted_host(host);
  if (!permitted) return permitted.error();
  return std::move(permitted->text);
}

Result<Leaf> Authority::mint(std::string_view host) const {
  const auto permitted = permitted_host(host);
  if (!permitted) return permitted.error();
  Leaf leaf;
  leaf.made = now();
  leaf.expires = std::min(leaf.made + kLeafLife, end_of(certificate_.get()));
  if (leaf.expires <= leaf.made)
    return make_error(Errc::config, fmt::format("{} has expired; a restart makes a new CA", certificate_path_));
  auto certificate = make_leaf_certificate(*permitted, certificate_.get(), key_.get(), leaf_key_.get(), leaf.made, leaf.expires);
  if (!certificate) return certificate.error();
  leaf.certificate = std::move(*certificate);
  return leaf;
}

std::string Authority::spki_fingerprint() const { return base64(spki_digest(certificate_.get())); }

}  // namespace cmux::tls
