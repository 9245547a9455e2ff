// Access tokens: what is good, and all that is not.
#include "gateway/token.hpp"

#include <catch2/catch.hpp>

using namespace cmux;
using namespace cmux::gateway;
using namespace std::chrono_literals;

namespace {

const WallTime kNow{std::chrono::seconds(1'800'000'000)};

Keys keys_of(Algorithm algorithm) {
  Keys keys;
  keys.keys.push_back(*make_key(algorithm, kNow - 1h));
  return keys;
}

std::string token_of(const Keys& keys, std::chrono::seconds ttl = 3600s) {
  return *sign(keys.keys.front(), {"abc", kNow + ttl, {}}, kNow);
}

std::string why_not(std::string_view token, const Keys& keys, WallTime now = kNow) {
  const auto claims = verify(token, keys, now);
  return claims ? "" : claims.error().detail;
}

std::string with_head(std::string_view token, std::string_view head) {
  return base64url(head) + std::string(token.substr(token.find('.')));
}

// The claims as they are given, signed.
std::string with_claims(const Keys& keys, const std::string& claims) { return *sign_text(keys.keys.front(), claims); }

}  // namespace

TEST_CASE("gateway token: signed and verified with either algorithm, through the keys' file") {
  for (const Algorithm algorithm : {Algorithm::ed25519, Algorithm::hmac_sha256}) {
    const Keys keys = keys_of(algorithm);
    const std::string token = token_of(keys);
    const auto read = parse_keys(print_keys(keys, true));
    REQUIRE(read.has_value());
    const auto claims = verify(token, **read, kNow);
    REQUIRE(claims.has_value());
    CHECK(claims->machine == "abc");
    CHECK(claims->expires == kNow + 1h);
    CHECK((*read)->signing(kNow)->id == keys.keys.front().id);
    const auto open = parse_keys(print_keys(keys, false));
    REQUIRE(open.has_value());
    CHECK((*open)->keys.size() == (algorithm == Algorithm::ed25519 ? 1 : 0));
    CHECK((*open)->signing(kNow) == nullptr);
    CHECK(verify(token, **open, kNow).has_value() == (algorithm == Algorithm::ed25519));
  }
}

TEST_CASE("gateway token: its time, its key's time, and a key that is not known") {
  Keys keys = keys_of(Algorithm::ed25519);
  const std::string token = token_of(keys);
  CHECK(why_not(token, keys, kNow + 3599s) == "");
  CHECK(why_not(token, keys, kNow + 3600s) == "the token has expired");
  const std::string later = *sign(keys.keys.front(), {"abc", kNow + 2h, kNow + 1h}, kNow);
  CHECK(why_not(later, keys) == "the token is not valid yet");
  CHECK(why_not(later, keys, kNow + 1h - 29s) == "");
  CHECK(why_not(token, keys_of(Algorithm::ed25519)) == "the token's key is not known here");
  keys.keys.front().expires = kNow;
  CHECK(why_not(token, keys) == "the token's key is not valid now");
  keys.keys.front().expires = kNow + 1s;
  CHECK(why_not(token, keys) == "");
  CHECK(verify(token, keys, kNow)->expires == kNow + 1s);  // what it lets in ends with its key
  keys.keys.front().expires = kNow + 2h;
  CHECK(verify(token, keys, kNow)->expires == kNow + 1h);
  keys.keys.front().not_before = kNow + 1s;
  CHECK(why_not(token, keys) == "the token's key is not valid now");
}

TEST_CASE("gateway token: another algorithm than its key's, none, or something critical is refused") {
  const Keys keys = keys_of(Algorithm::ed25519);
  const std::string token = token_of(keys), id = keys.keys.front().id;
  for (const std::string& head :
       {R"({"alg":"none","kid":")" + id + "\"}", R"({"alg":"HS256","kid":")" + id + "\"}", R"({"kid":")" + id + "\"}",
        R"({"alg":"eddsa","kid":")" + id + "\"}", R"({"alg":"EdDSA","crit":["x"],"x":1,"kid":")" + id + "\"}"}) {
    CAPTURE(head);
    CHECK(why_not(with_head(token, head), keys) == "the token's algorithm is not its key's");
  }
  CHECK(why_not(with_head(token, R"({"alg":"none"})"), keys) == "the token's key is not known here");
  // The old trick: the public key as a secret.
  Keys forged;
  forged.keys.push_back(*make_key(Algorithm::hmac_sha256, kNow - 1h));
  forged.keys.front().id = id;
  CHECK(why_not(token_of(forged), keys) == "the token's algorithm is not its key's");
}

TEST_CASE("gateway token: truncated, changed, padded, long and shapeless ones are refused") {
  for (const Algorithm algorithm : {Algorithm::ed25519, Algorithm::hmac_sha256}) {
    const Keys keys = keys_of(algorithm);
    const std::string token = token_of(keys);
    for (std::size_t size = 0; size < token.size(); ++size)
      if (why_not(token.substr(0, size), keys).empty()) FAIL_CHECK("good at " << size << " bytes");
    for (std::size_t at = 0; at < token.size(); ++at) {
      std::string changed = token;
      changed[at] = changed[at] == 'A' ? 'B' : 'A';
      if (why_not(changed, keys).empty()) FAIL_CHECK("good though changed at " << at);
    }
    for (const std::string& bad : {token + "=", token + ".", "." + token, token + "." + token, token + " ", std::string("a.b.c"),
                                   std::string(".."), std::string(64 * 1024, 'a'), token + std::string(64 * 1024, 'A')})
      CHECK(why_not(bad, keys) != "");
  }
}

TEST_CASE("gateway token: claims are what they must be, and further ones do no harm") {
  const Keys keys = keys_of(Algorithm::hmac_sha256);
  const auto why = [&](const std::string& claims) { return why_not(with_claims(keys, claims), keys); };
  CHECK(why(R"({"sub":"abc","exp":1800000001,"iat":1,"admin":true,"nested":{"a":[1]}})") == "");
  CHECK(why(R"({"sub":"abc","exp":1800000001,"aud":"cmuxproxy"})") == "");
  CHECK(why(R"({"sub":"abc","exp":1800000001,"aud":"another"})") == "the token is for somebody else (\"aud\")");
  CHECK(why(R"({"sub":"abc","exp":1800000001,"aud":["cmuxproxy"]})") == "the token is for somebody else (\"aud\")");
  CHECK(why(R"({"sub":"abc"})") == "the token has no end (\"exp\")");
  CHECK(why(R"({"sub":"abc","exp":"1800000001"})") == "\"exp\" is no time");
  CHECK(why(R"({"sub":"abc","exp":-1})") == "\"exp\" is no time");
  CHECK(why(R"({"sub":"abc","exp":1e300})") == "\"exp\" is no time");
  CHECK(why(R"({"sub":"abc","exp":253402300799})") == "");
  CHECK(why(R"({"exp":1800000001})") == "the token names no machine (\"sub\")");
  CHECK(why(R"({"sub":["abc"],"exp":1800000001})") == "the token names no machine (\"sub\")");
  CHECK(why("[]") == "the token's claims are no JSON object");
  CHECK(why("{") == "the token's claims are no JSON object");
}

TEST_CASE("gateway keys: a file that is none is refused with the reason, without what is in it") {
  const std::string secret = base64url(std::string(32, 'k'));
  const auto why = [&](const std::string& text) {
    const auto keys = parse_keys(text);
    REQUIRE(keys.has_error());
    CHECK(keys.error().code == Errc::config);
    CHECK(keys.error().detail.find(secret) == std::string::npos);
    return keys.error().detail;
  };
  const std::string good = R"({"kid":"a","kty":"oct","k":")" + secret + "\"}";
  REQUIRE(parse_keys("{\"keys\":[" + good + "]}").has_value());
  CHECK(why("") == "expected a JWK set: {\"keys\": [...]}");
  CHECK(why("{\"keys\":{}}") == "expected a JWK set: {\"keys\": [...]}");
  CHECK(why("{\"keys\":[1]}") == "expected an object for each key");
  CHECK(why("{\"keys\":[" + good + "," + good + "]}") == "key a: is there twice");
  CHECK(why(R"({"keys":[{"kty":"oct"}]})") == "a key has no \"kid\" of 1 to 64 characters");
  CHECK(why(R"({"keys":[{"kid":"a","kty":"RSA"}]})").find("expected \"kty\"") != std::string::npos);
  CHECK(why(R"({"keys":[{"kid":"a","kty":"oct","k":"c2hvcnQ"}]})").find("at least 32 bytes") != std::string::npos);
  CHECK(why(R"({"keys":[{"kid":"a","kty":"oct","alg":"EdDSA","k":")" + secret + "\"}]}").find("\"alg\"") != std::string::npos);
  CHECK(why(R"({"keys":[{"kid":"a","kty":"OKP","crv":"Ed25519","x":")" + secret + R"(","d":")" + secret + "\"}]}") ==
        "key a: \"x\" is not the public key of \"d\"");
  CHECK(why(R"({"keys":[{"kid":"a","kty":"oct","exp":"never","k":")" + secret + "\"}]}").find("\"exp\"") != std::string::npos);
}

TEST_CASE("gateway keys: a set holds so many, and no more") {
  Keys keys;
  while (keys.keys.size() < kMostKeys) keys.keys.push_back(*make_key(Algorithm::hmac_sha256, kNow));
  CHECK((*parse_keys(print_keys(keys, true)))->keys.size() == kMostKeys);
  keys.keys.push_back(*make_key(Algorithm::hmac_sha256, kNow));
  CHECK(parse_keys(print_keys(keys, true)).error().detail == "there are more than 100 keys");
}

TEST_CASE("gateway token: base64url has one text for the same bytes") {
  for (const std::string& bytes :
       {std::string(), std::string("a"), std::string("ab"), std::string("abc"), std::string("\xff\xfe\xfd\xfc")})
    CHECK(from_base64url(base64url(bytes)) == bytes);
  CHECK(base64url("\xff\xfe\xfd") == "__79");
  for (const std::string_view bad : {"A", "YQ==", "YR", "YWJ", "a+b/", "a b", "AAAAA"}) {
    CAPTURE(bad);
    CHECK_FALSE(from_base64url(bad));
  }
}
