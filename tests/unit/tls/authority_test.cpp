#include "tls/authority.hpp"

#include <sys/wait.h>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "tls_world.hpp"

using namespace cmux;
using namespace cmux::tls;
using Catch::Matchers::Contains;

namespace {

constexpr std::time_t kTenYears = kAuthorityLife;

// A pair that is not Authority's own, for files that are wrong.
struct Other {
  StateDirectory directory;
  std::unique_ptr<Authority> authority = directory.open();
};

}  // namespace

TEST_CASE("authority: made at first need, and the same from then on") {
  const StateDirectory directory;
  const auto first = directory.open();
  CHECK(directory.mode("") == 0700);
  CHECK(directory.mode("ca.key") == 0600);
  CHECK(first->certificate_path() == directory.file("ca.crt"));
  CHECK(first->certificate_pem() == directory.text("ca.crt"));
  CHECK_THAT(first->certificate_pem(), Contains("BEGIN CERTIFICATE") && !Contains("PRIVATE"));
  CHECK_FALSE(directory.has("ca.crt.new"));
  CHECK_FALSE(directory.has("ca.key.new"));
  CHECK_FALSE(directory.has("ca.crt.old"));
  CHECK(first->spki_fingerprint().size() == 44);

  const auto second = directory.open();
  CHECK(second->certificate_pem() == first->certificate_pem());
  CHECK(second->spki_fingerprint() == first->spki_fingerprint());
  // The key of the leaves is each process's own, and never on disk.
  CHECK(EVP_PKEY_eq(second->leaf_key(), first->leaf_key()) == 0);
  CHECK(EVP_PKEY_eq(key_in(directory.text("ca.key")).get(), X509_get0_pubkey(first->certificate())) == 1);
}

TEST_CASE("authority: the path is told whole, however the directory was given") {
  const StateDirectory directory;
  const auto authority = Authority::open(directory.path() + "//");
  REQUIRE(authority.has_value());
  CHECK((*authority)->certificate_path() == directory.file("ca.crt"));
  CHECK(directory.mode("") == 0700);
  CHECK(Authority::open("").has_error());
}

TEST_CASE("authority: processes that start together have one CA") {
  const StateDirectory directory;
  int gate[2], results[2];
  REQUIRE(pipe(gate) == 0);
  REQUIRE(pipe(results) == 0);
  constexpr int kProcesses = 8;
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    const pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
      close(gate[1]);
      char byte = 0;
      static_cast<void>(!read(gate[0], &byte, 1));  // until all are there
      auto authority = Authority::open(directory.path());
      std::string said = authority ? (*authority)->spki_fingerprint() : "failed";
      said.resize(44, ' ');
      _exit(write(results[1], said.data(), said.size()) == 44 ? 0 : 1);
    }
    children.push_back(pid);
  }
  close(gate[0]);
  close(gate[1]);
  close(results[1]);
  std::set<std::string> seen;
  char said[44];
  int count = 0;
  for (; read(results[0], said, sizeof said) == sizeof said; ++count) seen.emplace(said, sizeof said);
  close(results[0]);
  for (const pid_t child : children) {
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }
  CHECK(count == kProcesses);
  REQUIRE(seen.size() == 1);
  CHECK(*seen.begin() == directory.open()->spki_fingerprint());
}

TEST_CASE("authority: threads may open and mint together") {
  const StateDirectory directory;
  std::vector<std::string> fingerprints(8);
  {
    std::vector<std::thread> threads;
    for (std::string& fingerprint : fingerprints)
      threads.emplace_back([&] {
        const auto authority = Authority::open(directory.path());
        if (authority) fingerprint = (*authority)->spki_fingerprint();
      });
    for (std::thread& thread : threads) thread.join();
  }
  CHECK(std::set<std::string>(fingerprints.begin(), fingerprints.end()).size() == 1);
  CHECK(fingerprints.front().size() == 44);

  const auto authority = directory.open();
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      for (int n = 0; n < 10; ++n) {
        const std::string host = fmt::format("a{}-{}.localhost", i, n);
        const auto leaf = authority->mint(host);
        if (leaf && verdict(leaf->certificate.get(), authority->certificate(), host, directory.now()) == X509_V_OK) ++good;
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(good == 40);
}

TEST_CASE("authority: other hosts are refused with the reason") {
  const StateDirectory directory;
  const auto authority = directory.open();
  for (const char* host : {"example.com", "notlocalhost", "8.8.8.8", "2001:db8::1"}) {
    const auto refused = authority->mint(host);
    REQUIRE(refused.has_error());
    CHECK(refused.error().code == Errc::config);
    CHECK_THAT(refused.error().detail, Contains(host) && Contains("loopback"));
  }
  const auto odd = authority->mint("a\nb");
  REQUIRE(odd.has_error());
  CHECK_THAT(odd.error().detail, !Contains("\n"));
  CHECK(Authority::check_host("LOCALHOST.").value() == "localhost");
}

TEST_CASE("authority: damaged files are refused, by name and with what to do") {
  const StateDirectory directory;
  const auto expect_refusal = [&](const std::string& file) {
    const std::string said = directory.refusal();
    CHECK_THAT(said, Contains(directory.file(file)) && Contains("remove both") && !Contains("PRIVATE"));
  };
  const auto authority = directory.open();
  const std::string certificate = directory.text("ca.crt"), key = directory.text("ca.key");
  for (const std::string& text : {std::string(), std::string("nonsense"), certificate.substr(0, certificate.size() / 2), key}) {
    directory.put("ca.crt", text);
    expect_refusal("ca.crt");
  }
  directory.put("ca.crt", certificate);
  for (const std::string& text : {std::string(), std::string("nonsense"), key.substr(0, key.size() / 2), certificate}) {
    directory.put("ca.key", text);
    expect_refusal("ca.key");
  }
  directory.put("ca.key", key);
  CHECK(directory.refusal() == "(accepted)");

  std::filesystem::remove(directory.file("ca.key"));
  expect_refusal("ca.key");
  directory.put("ca.key", key);
  std::filesystem::remove(directory.file("ca.crt"));
  expect_refusal("ca.crt");

  const Other other;
  directory.put("ca.crt", other.directory.text("ca.crt"));
  expect_refusal("ca.crt");
  CHECK_THAT(directory.refusal(), Contains("does not belong") && Contains(directory.file("ca.key")));

  directory.put("ca.crt", certificate);
  directory.put("ca.key", std::string(100'000, 'x'));
  CHECK_THAT(directory.refusal(), Contains(directory.file("ca.key")) && Contains("too large"));
}

TEST_CASE("authority: a certificate that is not limited to loopback is refused") {
  const StateDirectory directory;
  const auto authority = directory.open();
  // A leaf's certificate for the CA's own key: it fits the key, and is no CA.
  const KeyPointer key = key_in(directory.text("ca.key"));
  auto leaf = make_leaf_certificate(*parse_certificate_host("localhost"), authority->certificate(), key.get(), key.get(),
                                    directory.now(), directory.now() + kTenYears);
  REQUIRE(leaf.has_value());
  const BioPointer bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), leaf->get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  directory.put("ca.crt", std::string(data, static_cast<std::size_t>(size)));
  CHECK_THAT(directory.refusal(), Contains(directory.file("ca.crt")) && Contains("limited to loopback"));
}

TEST_CASE("authority: a key that others may have read is refused, with what to do") {
  const StateDirectory directory;
  const std::string fingerprint = directory.open()->spki_fingerprint();
  for (const mode_t mode : {0644, 0640, 0604, 0620, 0601}) {
    CAPTURE(mode);
    REQUIRE(chmod(directory.file("ca.key").c_str(), mode) == 0);
    CHECK_THAT(directory.refusal(), Contains("chmod 600") && Contains(directory.file("ca.key")));
    CHECK(directory.mode("ca.key") == mode);  // what it was can still be seen
  }
  REQUIRE(chmod(directory.file("ca.key").c_str(), 0600) == 0);
  CHECK(directory.open()->spki_fingerprint() == fingerprint);
}

TEST_CASE("authority: a key is where it seems to be, and ours") {
  const StateDirectory directory;
  directory.open();
  const std::string key = directory.file("ca.key"), elsewhere = directory.file("elsewhere");
  SECTION("a symbolic link") {
    std::filesystem::rename(key, elsewhere);
    REQUIRE(symlink(elsewhere.c_str(), key.c_str()) == 0);
    REQUIRE(chmod(elsewhere.c_str(), 0644) == 0);
    CHECK_THAT(directory.refusal(), Contains(key) && Contains("symbolic link"));
    CHECK(directory.mode("elsewhere") == 0644);
  }
  SECTION("somebody else's") {
    if (geteuid() != 0) return;
    REQUIRE(chown(key.c_str(), 65534, 65534) == 0);
    CHECK_THAT(directory.refusal(), Contains(key) && Contains("another user"));
  }
}

TEST_CASE("authority: a directory that lets others in is corrected, and private from the start") {
  const StateDirectory directory;
  const mode_t before = umask(0);
  const std::string fingerprint = directory.open()->spki_fingerprint();
  umask(before);
  CHECK(directory.mode("") == 0700);
  CHECK(directory.mode("..") == 0700);
  REQUIRE(chmod(directory.path().c_str(), 0777) == 0);
  CHECK(directory.open()->spki_fingerprint() == fingerprint);
  CHECK(directory.mode("") == 0755);
  // One that is shared on purpose is not for us to change.
  REQUIRE(chmod(directory.path().c_str(), 01777) == 0);
  CHECK_THAT(directory.refusal(), Contains(directory.path()) && Contains("CMUXPROXY_STATE_DIR"));
  CHECK(directory.mode("") == 0777);
}

TEST_CASE("authority: a place that cannot be says so") {
  const StateDirectory directory;
  std::filesystem::create_directories(std::filesystem::path(directory.path()).parent_path());
  std::ofstream(directory.path()) << "a file";
  CHECK_THAT(directory.refusal(), Contains(directory.path()));
}

TEST_CASE("authority: a pipe in the place of a file does not hold the start") {
  const StateDirectory directory;
  directory.open();
  std::filesystem::remove(directory.file("ca.key"));
  REQUIRE(mkfifo(directory.file("ca.key").c_str(), 0600) == 0);
  CHECK_THAT(directory.refusal(), Contains(directory.file("ca.key")));
}

TEST_CASE("authority: replaced before it expires, and the old certificate is kept") {
  StateDirectory directory;
  const std::string first = directory.open()->certificate_pem();
  directory.pass(kTenYears - 30 * kDay);
  CHECK(directory.open()->certificate_pem() == first);
  directory.pass(1);
  const auto second = directory.open();
  CHECK(second->certificate_pem() != first);
  CHECK(directory.text("ca.crt") == second->certificate_pem());
  CHECK(directory.text("ca.crt.old") == first);
  CHECK_FALSE(directory.has("ca.key.old"));
  CHECK(directory.mode("ca.key") == 0600);
  const auto leaf = second->mint("localhost");
  REQUIRE(leaf.has_value());
  CHECK(verdict(leaf->certificate.get(), second->certificate(), "localhost", directory.now()) == X509_V_OK);
  directory.pass(kTenYears + kDay);  // expired
  CHECK(directory.open()->certificate_pem() != second->certificate_pem());
  CHECK(directory.text("ca.crt.old") == second->certificate_pem());
}

TEST_CASE("authority: a clock that was set back is named as the cause") {
  StateDirectory directory;
  directory.open();
  directory.pass(-2 * kDay);
  CHECK_THAT(directory.refusal(), Contains(directory.file("ca.crt")) && Contains("clock"));
}

TEST_CASE("authority: no leaf outlives the CA") {
  StateDirectory directory;
  const auto authority = directory.open();
  directory.pass(kTenYears - kDay);
  const auto leaf = authority->mint("localhost");
  REQUIRE(leaf.has_value());
  CHECK(leaf->expires == end_of(authority->certificate()));
  CHECK(verdict(leaf->certificate.get(), authority->certificate(), "localhost", directory.now()) == X509_V_OK);
  directory.pass(kDay);
  const auto late = authority->mint("localhost");
  REQUIRE(late.has_error());
  CHECK_THAT(late.error().detail, Contains("expired"));
}

TEST_CASE("authority: a replacement that was cut short is finished, or undone") {
  const StateDirectory directory;
  const auto authority = directory.open();
  const std::string certificate = directory.text("ca.crt"), key = directory.text("ca.key");
  const Other other;
  const std::string next_certificate = other.directory.text("ca.crt"), next_key = other.directory.text("ca.key");

  // Before the certificate was replaced: the old pair stands.
  directory.put("ca.key.new", next_key);
  directory.put("ca.crt.new", next_certificate.substr(0, 100));
  CHECK(directory.open()->certificate_pem() == certificate);
  CHECK_FALSE(directory.has("ca.key.new"));
  CHECK_FALSE(directory.has("ca.crt.new"));

  // After it: the new pair does.
  directory.put("ca.key.new", next_key);
  directory.put("ca.crt", next_certificate);
  CHECK(directory.open()->spki_fingerprint() == other.authority->spki_fingerprint());
  CHECK(directory.text("ca.key") == next_key);
  CHECK(directory.mode("ca.key") == 0600);
  CHECK_FALSE(directory.has("ca.key.new"));

  // The very first one, before anything was there.
  std::filesystem::remove(directory.file("ca.key"));
  std::filesystem::remove(directory.file("ca.crt"));
  directory.put("ca.key.new", key.substr(0, 20));
  const std::string made = directory.open()->spki_fingerprint();
  CHECK(directory.open()->spki_fingerprint() == made);
}
