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
  CHECK(redacted_url("/a?code=1&state=x&flag&empty=#access_token=2") == "/a?code=•••&state=•••&flag&empty=#access_token=•••");
  CHECK(redacted_url("http://user:pass@host/p@th?a=1") == "http://•••@host/p@th?a=•••");
  CHECK(redacted_url("/plain") == "/plain");
  CHECK(redacted_url("/?") == "/?");
  CHECK(redacted_url("/?a=1&") == "/?a=•••&");
  CHECK(redacted_url("") == "");
}

TEST_CASE("redact: credentials, cookies, a route's own fields and what is called a token are hidden, names stay") {
  CHECK(shown("Authorization", "Bearer abc") == "Bearer •••");
  CHECK(shown("authorization", "abc") == "•••");
  CHECK(shown("Proxy-Authorization", "Basic abc") == "Basic •••");
  CHECK(shown("Cookie", "a=1; b=2;c") == "a=•••; b=•••;•••");
  CHECK(shown("Set-Cookie", "sid=1; Path=/; HttpOnly") == "sid=•••; Path=/; HttpOnly");
  CHECK(shown("Set-Cookie", "sid") == "•••");
  CHECK(shown("X-Cmux-Token", "abc") == "•••");
  CHECK(shown("X-Api-Key", "abc") == "•••");
  CHECK(shown("X-Route", "abc", true) == "•••");
  CHECK(shown("Location", "https://a.test/cb?code=1") == "https://a.test/cb?code=•••");
  CHECK(shown("Referer", "http://localhost:3000/?t=1") == "http://localhost:3000/?t=•••");
  CHECK(shown("Accept", "text/html") == "text/html");
  CHECK(shown("Sec-WebSocket-Key", "dGVzdA==") == "dGVzdA==");
}

TEST_CASE("redact: what is hidden in a URL that is sent again is what stood there, each once") {
  CHECK(restored_url("/a?code=•••&x=2", "/a?code=1&x=1") == "/a?code=1&x=2");
  CHECK(restored_url("/a?i=•••&i=•••&i=•••", "/a?i=1&i=2") == "/a?i=1&i=2&i=•••");
  CHECK(restored_url("/b?other=•••", "/a?code=1") == "/b?other=•••");
  CHECK(restored_url("/a?co=•••", "/a?code=1") == "/a?co=•••");
  CHECK(restored_url("/a", "/a?code=1") == "/a");
  CHECK(restored_url("/a?•••", "/a?secret") == "/a?•••");
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
