// The bounds of the CA's files and of the sessions that are kept, from both sides.
#include <future>

#include "tls/authority_files.hpp"
#include "tls/client.hpp"
#include "tls/server.hpp"
#include "tls_world.hpp"

using namespace cmux;
using namespace cmux::tls;
using Catch::Matchers::Contains;
using std::chrono::milliseconds;

namespace {

constexpr std::size_t kMostBytes = 64 * 1024;  // of a file
constexpr std::size_t kMostSessions = 1024;

// A handshake of both sides in memory, with the tickets behind it: was it a resumed one?
bool resumed(ClientContext& client_context, ServerContext& server_context, const std::string& key) {
  const SslPointer client(client_context.make("localhost", key, {})), server(server_context.make("localhost"));
  BIO *near = nullptr, *far = nullptr;
  REQUIRE(BIO_new_bio_pair(&near, 64 * 1024, &far, 64 * 1024) == 1);
  SSL_set_bio(client.get(), near, near);
  SSL_set_bio(server.get(), far, far);
  bool done = false;
  for (int turn = 0; turn < 20 && !done; ++turn) {
    const int there = SSL_do_handshake(client.get()), here = SSL_do_handshake(server.get());
    done = there == 1 && here == 1;
  }
  REQUIRE(done);
  char byte = 'x';
  SSL_write(server.get(), &byte, 1);
  SSL_read(client.get(), &byte, 1);
  const bool out = SSL_session_reused(client.get()) == 1;
  SSL_shutdown(client.get());
  return out;
}

}  // namespace

TEST_CASE("authority: a file may be as large as its bound, and no larger") {
  const StateDirectory directory;
  const auto first = directory.open();
  const std::string pem = directory.text("ca.crt");
  // What stands in front of a certificate in its file is no part of it.
  directory.put("ca.crt", std::string(kMostBytes - pem.size() - 1, '#') + "\n" + pem);
  CHECK(directory.open()->spki_fingerprint() == first->spki_fingerprint());
  directory.put("ca.crt", std::string(kMostBytes - pem.size(), '#') + "\n" + pem);
  CHECK_THAT(directory.refusal(), Contains("ca.crt is too large"));
}

TEST_CASE("authority: another process is waited for, for a time") {
  const StateDirectory directory;
  auto held = std::make_unique<Result<AuthorityFiles>>(AuthorityFiles::lock(directory.path()));
  REQUIRE(held->has_value());
  const auto refused = AuthorityFiles::lock(directory.path(), milliseconds(30));
  REQUIRE(refused.has_error());
  CHECK_THAT(refused.error().detail, Contains("ca.lock"));
  auto waiting = std::async(std::launch::async, [&] { return AuthorityFiles::lock(directory.path()).has_value(); });
  held.reset();
  CHECK(waiting.get());
}

TEST_CASE("tls client: sessions of so many origins are kept, and those of others are not resumed") {
  const StateDirectory directory;
  const auto authority = directory.open();
  const auto server = ServerContext::create(*authority, {false});
  const auto client = ClientContext::create({"", true});
  REQUIRE((server.has_value() && client.has_value()));
  for (std::size_t i = 1; i < kMostSessions; ++i) SSL_free((*client)->make("localhost", std::to_string(i), {}));
  CHECK_FALSE(resumed(**client, **server, "the last"));
  CHECK(resumed(**client, **server, "the last"));
  CHECK_FALSE(resumed(**client, **server, "one more"));
  CHECK_FALSE(resumed(**client, **server, "one more"));
}
