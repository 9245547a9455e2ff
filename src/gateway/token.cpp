#include "gateway/token.hpp"

#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <boost/json.hpp>

#include <algorithm>

#include "policy/credentials.hpp"

namespace cmux::gateway {
namespace {

namespace json = boost::json;

constexpr std::size_t kEd25519 = 32, kLeastSecret = 32;
constexpr std::chrono::seconds kSkew{30};  // between the clocks of who signs and who checks, for "nbf"

Error refused(std::string why) { return make_error(Errc::config, std::move(why)); }

const unsigned char* octets(std::string_view bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }
unsigned char* octets(std::string& bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }

std::string_view name_of(Algorithm algorithm) { return algorithm == Algorithm::ed25519 ? "EdDSA" : "HS256"; }

std::string text_of(const json::object& object, std::string_view name) {
  const json::value* const value = object.if_contains(json::string_view(name.data(), name.size()));
  return value && value->is_string() ? std::string(value->as_string().c_str(), value->as_string().size()) : std::string();
}

// A NumericDate of whole seconds (RFC 7519 section 2) within what the clock can hold.
Result<std::optional<WallTime>> time_of(const json::object& object, std::string_view name) {
  const json::value* const value = object.if_contains(json::string_view(name.data(), name.size()));
  if (!value) return std::optional<WallTime>();
  json::error_code failed;
  const auto seconds = value->is_number() ? value->to_number<std::int64_t>(failed) : -1;
  constexpr std::int64_t kMost = 253'402'300'799;  // the year 9999
  if (failed || seconds < 0 || seconds > kMost) return refused(fmt::format("\"{}\" is no time", name));
  return std::optional(wall_time(seconds));
}

std::optional<json::object> parse_object(std::string_view text) {
  json::error_code failed;
  json::parse_options options;
  options.max_depth = 4;
  json::value value = json::parse(json::string_view(text.data(), text.size()), failed, {}, options);
  if (failed || !value.is_object()) return std::nullopt;
  return std::move(value.as_object());
}

std::string hmac(std::string_view secret, std::string_view text) {
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), octets(text), text.size(), octets(out), &size);
  out.resize(size);
  return out;
}

struct Digest {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~Digest() { EVP_MD_CTX_free(context); }
};

bool is_signed(const Key& key, std::string_view text, std::string_view signature) {
  if (key.algorithm == Algorithm::hmac_sha256) return policy::equal_secrets(hmac(key.secret, text), signature);
  const Digest digest;
  const bool good = digest.context && EVP_DigestVerifyInit(digest.context, nullptr, nullptr, nullptr, key.key.get()) == 1 &&
                    EVP_DigestVerify(digest.context, octets(signature), signature.size(), octets(text), text.size()) == 1;
  ERR_clear_error();
  return good;
}

Result<std::string> signature_of(const Key& key, std::string_view text) {
  if (key.algorithm == Algorithm::hmac_sha256) return hmac(key.secret, text);
  const Digest digest;
  std::string out(64, '\0');
  std::size_t size = out.size();
  if (!digest.context || EVP_DigestSignInit(digest.context, nullptr, nullptr, nullptr, key.key.get()) != 1 ||
      EVP_DigestSign(digest.context, octets(out), &size, octets(text), text.size()) != 1)
    return tls::openssl_error("sign a token");
  out.resize(size);
  return out;
}

std::string raw_public(const Key& key) {
  std::string out(kEd25519, '\0');
  std::size_t size = out.size();
  EVP_PKEY_get_raw_public_key(key.key.get(), octets(out), &size);
  return out;
}

Result<Key> parse_key(const json::object& object) {
  Key key;
  key.id = text_of(object, "kid");
  if (key.id.empty() || key.id.size() > 64) return refused("a key has no \"kid\" of 1 to 64 characters");
  const auto wrong = [&](std::string_view why) { return refused(fmt::format("key {}: {}", key.id, why)); };
  const std::string type = text_of(object, "kty"), algorithm = text_of(object, "alg");
  if (type == "oct") {
    key.algorithm = Algorithm::hmac_sha256;
    auto secret = from_base64url(text_of(object, "k"));
    if (!secret || secret->size() < kLeastSecret) return wrong("\"k\" must be at least 32 bytes in base64url");
    key.secret = std::move(*secret);
  } else if (type == "OKP" && text_of(object, "crv") == "Ed25519") {
    const auto open = from_base64url(text_of(object, "x"));
    if (!open || open->size() != kEd25519) return wrong("\"x\" must be 32 bytes in base64url");
    if (object.contains("d")) {
      auto secret = from_base64url(text_of(object, "d"));
      if (!secret || secret->size() != kEd25519) return wrong("\"d\" must be 32 bytes in base64url");
      key.key.reset(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, octets(*secret), secret->size()));
      key.secret = std::move(*secret);
      if (key.key && raw_public(key) != *open) return wrong("\"x\" is not the public key of \"d\"");
    } else {
      key.key.reset(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, octets(*open), open->size()));
    }
    if (!key.key) return wrong("OpenSSL takes it for no key");
  } else {
    return wrong("expected \"kty\" \"OKP\" with \"crv\" \"Ed25519\", or \"oct\"");
  }
  if (!algorithm.empty() && algorithm != name_of(key.algorithm)) return wrong("\"alg\" does not go with \"kty\"");
  auto from = time_of(object, "nbf"), to = time_of(object, "exp");
  if (!from || !to) return wrong((from ? to : from).error().detail);
  key.not_before = from->value_or(WallTime());
  key.expires = *to;
  return key;
}

struct Parts {
  std::string_view head, body, signature;  // as they stand in the token
};
std::optional<Parts> parts_of(std::string_view token) {
  const std::size_t first = token.find('.'), last = token.rfind('.');
  if (first == token.npos || first == last || token.find('.', first + 1) != last) return std::nullopt;
  return Parts{token.substr(0, first), token.substr(first + 1, last - first - 1), token.substr(last + 1)};
}

Result<Claims> claims_of(std::string_view body_text) {
  const auto body = parse_object(body_text);
  if (!body) return refused("the token's claims are no JSON object");
  const auto expires = time_of(*body, "exp"), from = time_of(*body, "nbf");
  if (!expires || !from) return refused((expires ? from : expires).error().detail);
  if (!*expires) return refused("the token has no end (\"exp\")");
  // A token for something else that the same key may have signed.
  if (body->contains("aud") && text_of(*body, "aud") != "cmuxproxy") return refused("the token is for somebody else (\"aud\")");
  Claims claims{text_of(*body, "sub"), **expires, *from, text_of(*body, "jti")};
  if (claims.machine.empty()) return refused("the token names no machine (\"sub\")");
  // One that cannot be written down could not be revoked.
  if (body->contains("jti") && !is_token_id(claims.id))
    return refused("the token's id (\"jti\") is not 1 to 128 visible characters");
  return claims;
}

}  // namespace

WallTime wall_time(std::int64_t seconds) {
  constexpr std::int64_t kHeld = 9'223'372'036;  // nanoseconds in 64 bits
  return WallTime(std::chrono::seconds(std::min(seconds, kHeld)));
}

std::int64_t seconds_of(WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

bool is_token_id(std::string_view text) {
  constexpr std::size_t kMost = 128;
  return !text.empty() && text.size() <= kMost &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
}

std::string base64url(std::string_view bytes) {
  static constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t word = 0;
    for (std::size_t i = 0; i < 3; ++i) word = word << 8 | (i < count ? static_cast<unsigned char>(bytes[at + i]) : 0);
    for (std::size_t i = 0; i <= count; ++i) out += kDigits[word >> (18 - 6 * i) & 63];
  }
  return out;
}

std::optional<std::string> from_base64url(std::string_view text) {
  const auto digit = [](char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
  };
  std::string out;
  std::uint32_t word = 0;
  unsigned bits = 0;
  for (const char c : text) {
    const int value = digit(c);
    if (value < 0) return std::nullopt;
    word = word << 6 | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out += static_cast<char>(word >> bits & 255);
  }
  // One text for the same bytes: no digit that says nothing, and nothing in the bits that are left.
  if (bits >= 6 || (word & ((1U << bits) - 1)) != 0) return std::nullopt;
  return out;
}

const Key* Keys::find(std::string_view id) const {
  const auto found = std::find_if(keys.begin(), keys.end(), [&](const Key& key) { return key.id == id; });
  return found == keys.end() ? nullptr : &*found;
}

const Key* Keys::signing(WallTime now) const {
  const Key* best = nullptr;
  for (const Key& key : keys)
    if (key.good_at(now) && !key.secret.empty() && (!best || key.not_before >= best->not_before)) best = &key;
  return best;
}

Result<std::shared_ptr<Keys>> parse_keys(std::string_view text) {
  const auto set = parse_object(text);
  const json::value* const list = set ? set->if_contains("keys") : nullptr;
  if (!list || !list->is_array()) return refused("expected a JWK set: {\"keys\": [...]}");
  auto out = std::make_shared<Keys>();
  for (const json::value& item : list->as_array()) {
    if (!item.is_object()) return refused("expected an object for each key");
    auto key = parse_key(item.as_object());
    if (!key) return key.error();
    if (out->find(key->id)) return refused(fmt::format("key {}: is there twice", key->id));
    out->keys.push_back(std::move(*key));
    if (out->keys.size() > kMostKeys) return refused(fmt::format("there are more than {} keys", kMostKeys));
  }
  return out;
}

std::string print_keys(const Keys& keys, bool with_secrets) {
  json::array list;
  for (const Key& key : keys.keys) {
    json::object out{{"kid", key.id}, {"alg", std::string(name_of(key.algorithm))}};
    if (key.algorithm == Algorithm::ed25519) {
      out["kty"] = "OKP", out["crv"] = "Ed25519", out["x"] = base64url(raw_public(key));
      if (with_secrets && !key.secret.empty()) out["d"] = base64url(key.secret);
    } else {
      if (!with_secrets) continue;  // it has no public part
      out["kty"] = "oct", out["k"] = base64url(key.secret);
    }
    out["nbf"] = seconds_of(key.not_before);
    if (key.expires) out["exp"] = seconds_of(*key.expires);
    list.push_back(std::move(out));
  }
  return json::serialize(json::object{{"keys", std::move(list)}}) + "\n";
}

Result<Key> make_key(Algorithm algorithm, WallTime now) {
  Key key;
  key.id = policy::random_hex(16);
  key.algorithm = algorithm;
  key.secret.resize(kEd25519);
  if (RAND_bytes(octets(key.secret), static_cast<int>(key.secret.size())) != 1) return tls::openssl_error("make a key");
  if (algorithm == Algorithm::ed25519) {
    key.key.reset(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, octets(key.secret), key.secret.size()));
    if (!key.key) return tls::openssl_error("make a key");
  }
  key.not_before = std::chrono::floor<std::chrono::seconds>(now);
  return key;
}

Result<std::string> sign_text(const Key& key, std::string_view claims) {
  const json::object head{{"alg", std::string(name_of(key.algorithm))}, {"typ", "JWT"}, {"kid", key.id}};
  std::string out = base64url(json::serialize(head)) + "." + base64url(claims);
  auto signature = signature_of(key, out);
  if (!signature) return signature.error();
  return out + "." + base64url(*signature);
}

Result<std::string> sign(const Key& key, const Claims& claims, WallTime now) {
  json::object body{{"sub", claims.machine}, {"iat", seconds_of(now)}, {"exp", seconds_of(claims.expires)}};
  if (claims.not_before) body["nbf"] = seconds_of(*claims.not_before);
  if (!claims.id.empty()) body["jti"] = claims.id;
  return sign_text(key, json::serialize(body));
}

Result<Claims> verify(std::string_view token, const Keys& keys, WallTime now) {
  if (token.size() > kLongestToken) return refused("the token is too long");
  const auto parts = parts_of(token);
  if (!parts) return refused("that is no token");
  const auto head_text = from_base64url(parts->head), body_text = from_base64url(parts->body);
  const auto signature = from_base64url(parts->signature);
  if (!head_text || !body_text || !signature) return refused("that is no token");
  const auto head = parse_object(*head_text);
  if (!head) return refused("that is no token");
  const Key* const key = keys.find(text_of(*head, "kid"));
  if (!key) return refused("the token's key is not known here");
  // RFC 7515 section 4.1.11: what is critical and not understood is refused; nothing is understood.
  if (text_of(*head, "alg") != name_of(key->algorithm) || head->contains("crit"))
    return refused("the token's algorithm is not its key's");
  if (!is_signed(*key, token.substr(0, token.rfind('.')), *signature)) return refused("the token's signature is wrong");
  if (!key->good_at(now)) return refused("the token's key is not valid now");
  auto claims = claims_of(*body_text);
  if (!claims) return claims;
  // A key that has ended holds nothing up any longer.
  claims->expires = std::min(claims->expires, key->expires.value_or(claims->expires));
  if (now >= claims->expires) return refused("the token has expired");
  if (claims->not_before && now + kSkew < *claims->not_before) return refused("the token is not valid yet");
  claims->key = key->id;
  return claims;
}

Result<Claims> read_claims(std::string_view token) {
  const auto parts = token.size() > kLongestToken ? std::nullopt : parts_of(token);
  const auto body = parts ? from_base64url(parts->body) : std::nullopt;
  return body ? claims_of(*body) : Result<Claims>(refused("that is no token"));
}

bool names_key(std::string_view token, const Keys& keys) {
  const std::size_t dot = token.find('.');
  if (token.size() > kLongestToken || dot == token.npos) return false;
  const auto text = from_base64url(token.substr(0, dot));
  const auto head = text ? parse_object(*text) : std::nullopt;
  return head && keys.find(text_of(*head, "kid"));
}

}  // namespace cmux::gateway
