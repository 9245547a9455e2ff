#include "tls/java_store.hpp"

#include "tls_world.hpp"

using namespace cmux;
using namespace cmux::tls;

namespace {

std::uint64_t number_at(const std::string& text, std::size_t at, unsigned bytes) {
  std::uint64_t number = 0;
  for (unsigned i = 0; i < bytes; ++i) number = number << 8 | static_cast<unsigned char>(text.at(at + i));
  return number;
}

}  // namespace

TEST_CASE("Java's trust store: every certificate is in it; the same ones make the same file") {
  StateDirectory directory;
  const auto authority = directory.open();
  const std::string pem = authority->certificate_pem();
  const auto store = java_trust_store("# a comment\n" + pem + "\n" + pem);
  REQUIRE(store.has_value());
  CHECK(number_at(*store, 0, 4) == 0xfeedfeed);
  CHECK(number_at(*store, 4, 4) == 2);  // the version
  CHECK(number_at(*store, 8, 4) == 2);  // entries
  std::size_t at = 12;
  for (const char* const alias : {"root-1", "root-2"}) {
    CHECK(number_at(*store, at, 4) == 2);  // a certificate
    CHECK(store->substr(at + 6, 6) == alias);
    CHECK(store->substr(at + 22, 5) == "X.509");
    at += 31 + number_at(*store, at + 27, 4);
  }
  CHECK(store->size() == at + 20);  // a SHA-1
  CHECK(*java_trust_store(pem + pem) == *store);
}

TEST_CASE("Java's trust store: nothing, and what is damaged, are errors") {
  StateDirectory directory;
  std::string pem = directory.open()->certificate_pem();
  CHECK(java_trust_store("").error().code == Errc::config);
  CHECK(java_trust_store("no certificate").error().code == Errc::config);
  const std::string whole = pem;
  pem[pem.size() / 2] = '!';
  CHECK(java_trust_store(whole + pem).error().code == Errc::config);
}
