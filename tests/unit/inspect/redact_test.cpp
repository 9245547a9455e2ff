#include "inspect/redact.hpp"

#include <catch2/catch.hpp>

using namespace cmux::inspect;
using cmux::http::Fields;

namespace {

std::string shown(std::string_view name, std::string_view value, bool secret = false) {
  Fields fields;
  fields.add(name, value, cmux::http::name_of(name), secret);
  return redacted(fields[0]);
}

}  // namespace

TEST_CASE("redact: of a URL the values of query and fragment, and who is named before the host") {
  CHECK(redacted_url("/a?code=1&state=x&empty=#access_token=2") == "/a?code=•••&state=•••&empty=#access_token=•••");
  CHECK(redacted_url("http://user:pass@host/p@th?a=1") == "http://•••@host/p@th?a=•••");
  for (const char* const plain : {"/plain", "/?", "", "/a//b@c", "/@vite/client", "/npm:left-pad@1.3.0/x", "/@fs//home/me@work/x",
                                  "mailto:me@a.test", "http://@host/"})
    CHECK(redacted_url(plain) == plain);
  CHECK(redacted_url("/?a=1&") == "/?a=•••&");
}

TEST_CASE("redact: user info, wherever a browser or a program would find a host behind it") {
  for (const auto& [url, shown] : std::initializer_list<std::pair<const char*, const char*>>{
           {"//u:SECRET@h/x", "//•••@h/x"},
           {"/\\u:SECRET@h/x", "/\\•••@h/x"},
           {"\\\\SECRET@h", "\\\\•••@h"},
           {"https:\\\\u:SECRET@h/", "https:\\\\•••@h/"},
           {"http:u:SECRET@h/", "http:•••@h/"},
           {"HTTPS:/u:SECRET@h/", "HTTPS:/•••@h/"},
           {"///u:SECRET@h/", "///•••@h/"},
           {"postgres://u:SECRET@h/db", "postgres://•••@h/db"},
           {"/p/http://u:SECRET@h/http://v:SECRET@i/x", "/p/http://•••@h/http://•••@i/x"},
           {"http://u:SEC@RET@h/", "http://•••@h/"},
           {"0;url=//u:SECRET@h/", "0;url=//•••@h/"},
           {"http://a/?x=//u:SECRET@h", "http://a/?x=•••"},
       })
    CHECK(redacted_url(url) == shown);
  CHECK(redacted_authority("u:SECRET@h:80") == "•••@h:80");
  CHECK(redacted_authority("h:80") == "h:80");
  std::string path;
  add_without_user(path, "/p/http://u:SECRET@h/a@b", {});
  CHECK(path == "/p/http://h/a@b");
  std::string many;
  for (int i = 0; i < 200'000; ++i) many += "ws:@";
  path.clear();
  add_without_user(path, many, kHidden);  // at once
  CHECK(path.size() < many.size());
}

TEST_CASE("redact: parts of a query without a value are hidden, but for what dev servers are told by them") {
  CHECK(redacted_url("/?SECRET") == "/?•••");
  CHECK(redacted_url("/?a=1&SECRET&import&v=") == "/?a=•••&•••&import&v=");
  CHECK(redacted_url("/#a=1&SECRET") == "/#a=•••&•••");
  CHECK(redacted_url("/?c2VjcmV0==") == "/?•••");
  CHECK(redacted_url("/?YSBzZWNyZXQgaW4gYmFzZTY0=") == "/?•••");
  CHECK(redacted_url("/?a==b") == "/?a=•••");
}

TEST_CASE("redact: credentials, cookies and a route's own fields are hidden, names stay") {
  CHECK(shown("Authorization", "Bearer abc") == "Bearer •••");
  CHECK(shown("authorization", "abc") == "•••");
  CHECK(shown("Authorization", "SECRET more") == "•••");
  CHECK(shown("AUTHORIZATION", "Basic\tabc") == "Basic\t•••");
  CHECK(shown("Proxy-Authorization", "Basic abc") == "Basic •••");
  CHECK(shown("X-Forwarded-Authorization", "basic abc") == "basic •••");
  CHECK(shown("Cookie", "a=1; b=2;c") == "a=•••; b=•••;•••");
  CHECK(shown("Set-Cookie", "sid=1; Path=/; HttpOnly") == "sid=•••; Path=/; HttpOnly");
  CHECK(shown("Set-Cookie", "sid") == "•••");
  CHECK(shown("X-Route", "abc", true) == "•••");
  CHECK(shown("Referer", "abc", true) == "•••");
  CHECK(shown("Host", "u:SECRET@localhost:3000") == "•••@localhost:3000");
}

TEST_CASE("redact: fields that are called a secret are hidden, and those that only sound so are not") {
  for (const char* const name : {"X-Cmux-Token",
                                 "X-Api-Key",
                                 "X-Api_Key",
                                 "api.key",
                                 "X-ApiKey",
                                 "Ocp-Apim-Subscription-Key",
                                 "X-Functions-Key",
                                 "X-Access-Key",
                                 "X-Auth-Key",
                                 "x-authkey",
                                 "X-Auth",
                                 "X-Authorization",
                                 "X-Original-Authorization",
                                 "Authentication",
                                 "Authentication-Info",
                                 "Proxy-Authentication-Info",
                                 "Cf-Access-Jwt-Assertion",
                                 "X-Goog-Iap-Jwt-Assertion",
                                 "X-JWT",
                                 "X-Session",
                                 "X-SessionId",
                                 "x-session-id",
                                 "Mcp-Session-Id",
                                 "DPoP",
                                 "PHP-Auth-Pw",
                                 "X-Passwd",
                                 "X-Password",
                                 "Set-Cookie2",
                                 "X-CSRF",
                                 "X-XSRF-TOKEN",
                                 "X-Amz-Security-Token",
                                 "Private-Token",
                                 "X-GitHub-OTP",
                                 "X-Client-Secret"})
    CHECK(shown(name, "abc") == "•••");
  for (const char* const name : {"Accept",
                                 "Accept-Encoding",
                                 "Access-Control-Allow-Credentials",
                                 "Access-Control-Allow-Headers",
                                 "Author",
                                 "Authority",
                                 "Cache-Key",
                                 "Content-Type",
                                 "ETag",
                                 "From",
                                 "Idempotency-Key",
                                 "Keep-Alive",
                                 "Keywords",
                                 "Link",
                                 "Location",
                                 "Origin",
                                 "Sec-Fetch-Site",
                                 "Sec-WebSocket-Accept",
                                 "Sec-WebSocket-Key",
                                 "Sec-WebSocket-Version",
                                 "Stripe-Signature",
                                 "Surrogate-Key",
                                 "User-Agent",
                                 "Via",
                                 "WWW-Authenticate",
                                 "X-Forwarded-For",
                                 "X-Forwarded-User",
                                 "X-Frame-Options",
                                 "X-Ratelimit-Remaining-Tokens",
                                 "X-Request-Id",
                                 "X-Bypass-Cache",
                                 "X-Residence"})
    CHECK(shown(name, "abc") == "abc");
  CHECK(shown("Access-Control-Allow-Headers", "Authorization, X-Api-Key") == "Authorization, X-Api-Key");
  // By what they hold.
  CHECK(shown("X-Upstream", "Bearer abc") == "•••");
  CHECK(shown("X-Amzn-Oidc-Data", "eyJhbGciOiJIUzI1NiJ9.e30.abc") == "•••");
  CHECK(shown("WWW-Authenticate", "Bearer realm=\"x\"") == "Bearer realm=\"x\"");
}

TEST_CASE("redact: tokens that are sent as a WebSocket's subprotocol are hidden, protocols are not") {
  const auto protocols = [](std::string_view value) { return shown("Sec-WebSocket-Protocol", value); };
  for (const char* const plain : {"vite-hmr", "graphql-transport-ws", "v4.channel.k8s.io, base64.binary.k8s.io",
                                  "wamp.2.msgpack.batched", "actioncable-v1-json, actioncable-unsupported", "mqtt", "a,b"})
    CHECK(protocols(plain) == plain);
  CHECK(protocols("v4.channel.k8s.io,base64url.bearer.authorization.k8s.io.SECRET") == "v4.channel.k8s.io,•••");
  CHECK(protocols("access_token, SECRET") == "•••, •••");
  CHECK(protocols("chat, 0123456789abcdef0123456789abcdef") == "chat, •••");
  CHECK(protocols("chat, eyJh.e30.x") == "chat, •••");
}

TEST_CASE("redact: URLs in fields are shown without their secrets, and other text as it is") {
  CHECK(shown("Location", "https://a.test/cb?code=1") == "https://a.test/cb?code=•••");
  CHECK(shown("Location", "/cb?code=1;state=a b\"2") == "/cb?code=•••");
  CHECK(shown("Referer", "//u:SECRET@h/") == "//•••@h/");
  CHECK(shown("Refresh", "0;url=http://h/?t=1") == "0;url=http://h/?t=•••");
  CHECK(shown("Origin", "http://u:SECRET@h") == "http://•••@h");
  CHECK(shown("Link", "<http://h/a?sig=1>; rel=preload, </b?t=2>; rel=\"x\"") ==
        "<http://h/a?sig=•••>; rel=preload, </b?t=•••>; rel=\"x\"");
  CHECK(shown("X-Original-URL", "a?token=1") == "a?token=•••");
  CHECK(shown("X-Forwarded-Uri", "/a?code=1 2") == "/a?code=•••");
  CHECK(shown("SourceMap", "a.map?token=1") == "a.map?token=•••");
  CHECK(shown("Destination", "http://u:SECRET@h/?a=1") == "http://•••@h/?a=•••");
  CHECK(shown("Report-To", R"({"endpoints":[{"url":"https://r/?key=1"}]})") == R"({"endpoints":[{"url":"https://r/?key=•••"}]})");
  CHECK(shown("X-Envoy-Original-Path", "/a?b=1") == "/a?b=•••");
  for (const auto& [name, value] : std::initializer_list<std::pair<const char*, const char*>>{
           {"Sec-Fetch-User", "?1"},
           {"Priority", "u=1, i=?0"},
           {"If-None-Match", "W/\"a?b\""},
           {"User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"},
           {"Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"},
           {"From", "me@a.test"},
           {"X-Question", "who? and why?"},
       })
    CHECK(shown(name, value) == value);
  CHECK(shown("Referer", "/\xe9?a=1") == "/é?a=•••");
}

TEST_CASE("redact: what is hidden in a URL that is sent again is what stood there, each once") {
  CHECK(restored_url("/a?code=•••&x=2", "/a?code=1&x=1") == "/a?code=1&x=2");
  CHECK(restored_url("/a?i=•••&i=•••&i=•••", "/a?i=1&i=2") == "/a?i=1&i=2&i=•••");
  CHECK(restored_url("/b?other=•••", "/a?code=1") == "/b?other=•••");
  CHECK(restored_url("/a?co=•••", "/a?code=1") == "/a?co=•••");
  CHECK(restored_url("/a", "/a?code=1") == "/a");
  CHECK(restored_url("/a?•••&import", "/a?import&secret") == "/a?secret&import");
  CHECK(restored_url("/a?•••", "/a?import") == "/a?•••");
  CHECK(restored_url("/p/http://h/x", "/p/http://u:1@h/x") == "/p/http://u:1@h/x");
  CHECK(restored_url("/p/http://•••@h/x", "/p/http://u:1@h/x") == "/p/http://u:1@h/x");
  CHECK(restored_url("/p/http://h/y", "/p/http://u:1@h/x") == "/p/http://h/y");
}

TEST_CASE("redact: what is no UTF-8 is read as Latin-1, so that JSON holds") {
  CHECK(utf8("plain •••") == "plain •••");
  CHECK(utf8("\xff\xe9") == "ÿé");
  CHECK(utf8("\xc0\x80") == "À\u0080");
  CHECK(utf8("\xed\xa0\x80").size() == 6);  // a surrogate
  CHECK(utf8("\xf5\x80\x80\x80").size() == 8);
  CHECK(utf8("\xe2\x80") == "â\u0080");
  CHECK(utf8("") == "");
}
