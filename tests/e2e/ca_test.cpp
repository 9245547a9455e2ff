// The `ca` command: what it prints, where it looks, and that it needs no instance.
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <filesystem>
#include <thread>

#include "support.hpp"

namespace e2e {
namespace {

struct Place {
  TempDir home;
  Strings environment{"HOME=" + home.path, "XDG_STATE_HOME=", "CMUXPROXY_STATE_DIR=" + (home / "state")};
  Run ca(const Strings& arguments) const {
    Strings command{binary(), "ca"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return run(command, environment);
  }
};

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// base64 of SHA-256 over the public key of a certificate, reckoned without the program.
std::string fingerprint(const std::string& pem) {
  BIO* const bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  X509* const certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  REQUIRE(certificate != nullptr);
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  X509_free(certificate);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned digest_size = 0;
  EVP_Digest(der, static_cast<std::size_t>(size), digest, &digest_size, EVP_sha256(), nullptr);
  OPENSSL_free(der);
  return base64({reinterpret_cast<const char*>(digest), digest_size});
}

}  // namespace

TEST_CASE("ca: path, pem, spki and install-hint tell of one CA, without an instance") {
  const Place place;
  const Run path = place.ca({"path"});
  INFO(path.err);
  REQUIRE(path.exit == 0);
  CHECK(path.err.empty());
  CHECK(path.out == place.home / "state/ca.crt" + "\n");
  const std::string certificate = read_file(place.home / "state/ca.crt");
  struct stat status {};
  REQUIRE(stat((place.home / "state/ca.key").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  REQUIRE(stat((place.home / "state").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0700);

  CHECK(place.ca({"pem"}).out == certificate);
  const Run spki = place.ca({"spki"});
  CHECK(spki.out == fingerprint(certificate) + "\n");
  const Run hint = place.ca({"install-hint"});
  CHECK(hint.exit == 0);
  for (const char* part : {"/usr/local/share/ca-certificates", "update-ca-trust", "security add-trusted-cert", "certutil -d sql:",
                           "Firefox", "NODE_EXTRA_CA_CERTS", "--cacert", "--ignore-certificate-errors-spki-list=", "remove:"})
    CHECK(has(hint.out, part));
  CHECK(has(hint.out, place.home / "state/ca.crt"));
  CHECK(has(hint.out, fingerprint(certificate)));

  CHECK(text_in(place.ca({"path", "--json"}).json().as_object(), "path") == place.home / "state/ca.crt");
  CHECK(text_in(place.ca({"pem", "--json"}).json().as_object(), "pem") == certificate);
  CHECK(text_in(place.ca({"spki", "--json"}).json().as_object(), "spki") + "\n" == spki.out);
  CHECK(text_in(place.ca({"install-hint", "--json"}).json().as_object(), "hint") == hint.out);
}

TEST_CASE("ca: where the state directory is") {
  const TempDir home;
  struct Row {
    Strings environment;
    std::string expected;
  };
  const std::string in_home = home / ".local/state/cmuxproxy/ca.crt";
  for (const Row& row : {
           Row{{"HOME=" + home.path, "XDG_STATE_HOME="}, in_home},
           Row{{"HOME=" + home.path, "XDG_STATE_HOME=relative", "CMUXPROXY_STATE_DIR="}, in_home},
           Row{{"HOME=" + home.path, "XDG_STATE_HOME=" + (home / "xdg")}, home / "xdg/cmuxproxy/ca.crt"},
           Row{{"HOME=" + home.path, "XDG_STATE_HOME=" + (home / "xdg"), "CMUXPROXY_STATE_DIR=" + (home / "own")},
               home / "own/ca.crt"},
           Row{{"HOME=", "XDG_STATE_HOME=" + (home / "xdg2")}, home / "xdg2/cmuxproxy/ca.crt"},
       }) {
    const Run path = run({binary(), "ca", "path"}, row.environment);
    INFO(path.err);
    CHECK(path.exit == 0);
    CHECK(path.out == row.expected + "\n");
    CHECK(std::filesystem::exists(row.expected));
  }
  const Run nowhere = run({binary(), "ca", "path"}, {"HOME=", "XDG_STATE_HOME="});
  CHECK(nowhere.exit == 1);
  CHECK(nowhere.out.empty());
  CHECK(has(nowhere.err, "CMUXPROXY_STATE_DIR"));
}

TEST_CASE("ca: programs that start together have one CA") {
  const Place place;
  std::vector<Process> programs(6);
  for (Process& program : programs) program.start({binary(), "ca", "spki"}, place.environment);
  const std::string first = programs.front().read_line();
  CHECK(first.size() == 44);
  for (std::size_t i = 1; i < programs.size(); ++i) CHECK(programs[i].read_line() == first);
  for (Process& program : programs) CHECK(program.wait() == 0);
}

TEST_CASE("ca: damaged files are exit 1, named, and left as they are") {
  const Place place;
  REQUIRE(place.ca({"path"}).exit == 0);
  write_file(place.home / "state/ca.crt", "nonsense");
  for (const Strings& arguments : {Strings{"path"}, {"pem"}, {"spki", "--json"}, {"install-hint"}}) {
    const Run refused = place.ca(arguments);
    CHECK(refused.exit == 1);
    CHECK(refused.out.empty());
    CHECK(has(refused.err, place.home / "state/ca.crt"));
  }
  CHECK(read_file(place.home / "state/ca.crt") == "nonsense");
}

TEST_CASE("ca: help and usage") {
  const Place place;
  for (const Strings& arguments :
       {Strings{"--help"}, {"path", "--help"}, {"pem", "--help"}, {"spki", "--help"}, {"install-hint", "--help"}}) {
    const Run help = place.ca(arguments);
    CHECK(help.exit == 0);
    CHECK(has(help.out, "Example"));
    CHECK(has(help.out, "cmuxproxy ca"));
  }
  for (const Strings& arguments : {Strings{}, {"nonsense"}, {"path", "--nonsense"}}) {
    const Run refused = place.ca(arguments);
    CHECK(refused.exit == 2);
    CHECK(refused.out.empty());
    CHECK(has(refused.err, arguments.size() == 2 ? "--json" : "install-hint"));
  }
  CHECK_FALSE(std::filesystem::exists(place.home / "state"));
}

}  // namespace e2e
