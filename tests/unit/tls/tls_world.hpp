// What the tests of TLS share: a state directory, a clock to turn, OpenSSL's own verdict on a certificate, and a TLS client that
// talks to an SSL in memory.
#pragma once

#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include "tls/authority.hpp"

namespace cmux::tls {

class StateDirectory {
 public:
  StateDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "cmux-tls-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    base_ = name;
  }
  ~StateDirectory() { std::filesystem::remove_all(base_); }
  StateDirectory(const StateDirectory&) = delete;

  std::string path() const { return base_ + "/a/state"; }
  std::string file(const std::string& name) const { return path() + "/" + name; }
  bool has(const std::string& name) const { return std::filesystem::exists(file(name)); }
  std::string text(const std::string& name) const {
    std::ostringstream out;
    out << std::ifstream(file(name)).rdbuf();
    return out.str();
  }
  void put(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(path());
    std::ofstream(file(name)) << text;
    chmod(file(name).c_str(), 0600);
  }
  mode_t mode(const std::string& name) const {
    struct stat status {};
    return stat(file(name).c_str(), &status) == 0 ? status.st_mode & 0777 : 0;
  }
  std::unique_ptr<Authority> open() const {
    auto authority = Authority::open(path(), {[now = now_] { return *now; }});
    if (!authority) FAIL(authority.error().detail);
    return std::move(*authority);
  }
  // The error, or what says that there was none.
  std::string refusal() const {
    auto authority = Authority::open(path(), {[now = now_] { return *now; }});
    return authority ? "(accepted)" : authority.error().detail;
  }
  std::time_t now() const { return *now_; }
  void pass(std::time_t seconds) { *now_ += seconds; }

 private:
  std::string base_;
  std::shared_ptr<std::time_t> now_ = std::make_shared<std::time_t>(std::time(nullptr));
};

// What a client that trusts `authority` says about a certificate for `host`: X509_V_OK, or why not.
inline int verdict(X509* leaf, X509* authority, const std::string& host, std::time_t now) {
  const std::unique_ptr<X509_STORE, Releaser<X509_STORE_free>> store(X509_STORE_new());
  X509_STORE_add_cert(store.get(), authority);
  const std::unique_ptr<X509_STORE_CTX, Releaser<X509_STORE_CTX_free>> context(X509_STORE_CTX_new());
  X509_STORE_CTX_init(context.get(), store.get(), leaf, nullptr);
  X509_STORE_CTX_set_default(context.get(), "ssl_server");
  X509_VERIFY_PARAM* const wanted = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_time(wanted, now);
  X509_VERIFY_PARAM_set_flags(wanted, X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE);
  if (X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str()) != 1) {
    ERR_clear_error();
    X509_VERIFY_PARAM_set1_host(wanted, host.data(), host.size());
  }
  X509_verify_cert(context.get());
  ERR_clear_error();
  return X509_STORE_CTX_get_error(context.get());
}

inline KeyPointer key_in(const std::string& pem) {
  const BioPointer bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return KeyPointer(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
}

}  // namespace cmux::tls
