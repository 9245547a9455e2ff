// Access tokens: compact JWS (RFC 7515) over a few claims, signed with Ed25519 (RFC 8037) or HMAC-SHA256. Each key has one
// algorithm, whatever a token's header says, and a time in which it is good. Keys are a JWK set (RFC 7517) with the members "nbf"
// and "exp" beside it. Immutable once made; any thread.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tls/openssl.hpp"

namespace cmux::gateway {

using WallTime = std::chrono::system_clock::time_point;
WallTime wall_time(std::int64_t seconds);  // since 1970; past what the clock can hold: its end
std::int64_t seconds_of(WallTime time);

enum class Algorithm : std::uint8_t { ed25519, hmac_sha256 };

struct Key {
  std::string id;
  Algorithm algorithm = Algorithm::ed25519;
  tls::KeyPointer key;  // HMAC: none
  std::string secret;   // HMAC: the key; Ed25519: the private key's 32 bytes, or empty where only the public one is known
  WallTime not_before{};
  std::optional<WallTime> expires;
  bool good_at(WallTime now) const { return now >= not_before && (!expires || now < *expires); }
};

struct Keys {
  std::vector<Key> keys;
  const Key* find(std::string_view id) const;
  // That tokens are signed with now: of the good ones with a secret, the one that began last. Null: there is none.
  const Key* signing(WallTime now) const;
};
using KeysPtr = std::shared_ptr<const Keys>;

constexpr std::size_t kMostKeys = 100;
constexpr std::size_t kLongestToken = 4096;

// Errors (Errc::config) say which key, and never quote one.
Result<std::shared_ptr<Keys>> parse_keys(std::string_view json);
std::string print_keys(const Keys& keys, bool with_secrets);
Result<Key> make_key(Algorithm algorithm, WallTime now);

struct Claims {
  std::string machine;  // "sub"
  WallTime expires{};   // "exp"
  std::optional<WallTime> not_before;
  std::string id = {};   // "jti"; empty: it has none, and cannot be revoked by itself
  std::string key = {};  // the id of the key that it was verified with
};
// 1 to 128 visible ASCII characters.
bool is_token_id(std::string_view text);
Result<std::string> sign(const Key& key, const Claims& claims, WallTime now);
Result<std::string> sign_text(const Key& key, std::string_view claims);  // JSON, as it is
// Errors' details say why not, without the token.
Result<Claims> verify(std::string_view token, const Keys& keys, WallTime now);
Result<Claims> read_claims(std::string_view token);  // what it says, whoever has signed it, and whatever the time is

// Does it say that it was signed with one of these keys? Whether it was is not looked at.
bool names_key(std::string_view token, const Keys& keys);

// RFC 7515 section 2, without padding; nothing for what is not canonical.
std::string base64url(std::string_view bytes);
std::optional<std::string> from_base64url(std::string_view text);

}  // namespace cmux::gateway
