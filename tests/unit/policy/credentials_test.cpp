#include "policy/credentials.hpp"

#include <set>

#include <catch2/catch.hpp>

using namespace cmux::policy;

TEST_CASE("random_hex gives so many digits, and others each time") {
  for (const std::size_t digits : {0, 1, 8, 15, 16, 24}) {
    const std::string text = random_hex(digits);
    CHECK(text.size() == digits);
    CHECK(text.find_first_not_of("0123456789abcdef") == std::string::npos);
  }
  std::set<std::string> seen;
  std::set<char> used;
  for (int i = 0; i < 1000; ++i) {
    const std::string text = random_hex(24);
    used.insert(text.begin(), text.end());
    CHECK(seen.insert(text).second);
  }
  CHECK(used.size() == 16);
}

TEST_CASE("parse_basic reads RFC 7617") {
  struct Row {
    std::string_view value, username, password;
  };
  const Row rows[] = {
      {"Basic dXNlcjpwYXNz", "user", "pass"},
      {"basic dXNlcjpwYXNz", "user", "pass"},
      {"BASIC dXNlcjpwYXNz", "user", "pass"},
      {"bAsIc   dXNlcjpwYXNz", "user", "pass"},
      {"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame"},
      {"Basic dXNlcjphOmI=", "user", "a:b"},
      {"Basic dXNlcjo=", "user", ""},
      {"Basic OnBhc3M=", "", "pass"},
      {"Basic Og==", "", ""},
      {"Basic dGVzdDoxMjPCow==", "test", "123\xc2\xa3"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.value);
    const auto credentials = parse_basic(row.value);
    REQUIRE(credentials.has_value());
    CHECK(credentials->username == row.username);
    CHECK(credentials->password == row.password);
  }
}

TEST_CASE("parse_basic takes nothing else") {
  using namespace std::string_view_literals;
  for (const std::string_view value : {
           ""sv,
           "Basic"sv,
           "Basic "sv,
           "Basic    "sv,
           " Basic dXNlcjpwYXNz"sv,
           "Basic\tdXNlcjpwYXNz"sv,
           "BasicdXNlcjpwYXNz"sv,
           "Basics dXNlcjpwYXNz"sv,
           "Bearer dXNlcjpwYXNz"sv,
           "Digest username=\"user\""sv,
           "dXNlcjpwYXNz"sv,
           "Basic dXNlcjpwYXNz "sv,
           "Basic dXNlcjpwYXNz, Basic dXNlcjpwYXNz"sv,
           "Basic dXNlcjpw YXNz"sv,
           "Basic dXNlcjpwYXNz\n"sv,
           "Basic dXNlcjpwYXN"sv,  // the length is not a multiple of four
           "Basic dXNlcjo"sv,      // padding is missing
           "Basic dXNlcjo=="sv,    // too much of it
           "Basic dXNlcg=="sv,     // "user": no colon
           "Basic dXNl=jpw"sv,     // padding inside
           "Basic ===="sv,
           "Basic dX=="sv,
           "Basic dXNlcjpw-_Nz"sv,  // the URL alphabet
           "Basic dXNlcjpwYXN!"sv,
           "Basic dXNlcjpwYXN\0"sv,
           "Basic dXMAZXI6cA=="sv,  // a NUL in the username
           "Basic dXNlcjpwDQo="sv,  // CR LF in the password
       }) {
    CAPTURE(value);
    CHECK_FALSE(parse_basic(value).has_value());
  }
}

TEST_CASE("parse_basic is bounded") {
  const std::string fits = basic_value("u", std::string(3000, 'p'));
  CHECK(parse_basic(fits)->password.size() == 3000);
  CHECK_FALSE(parse_basic(basic_value("u", std::string(3100, 'p'))).has_value());
}

TEST_CASE("basic_value and parse_basic are inverse") {
  CHECK(basic_value("Aladdin", "open sesame") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  for (std::size_t length = 0; length < 40; ++length) {
    const std::string username = random_hex(length), password = random_hex(24) + ":";
    const auto credentials = parse_basic(basic_value(username, password));
    REQUIRE(credentials.has_value());
    CHECK(credentials->username == username);
    CHECK(credentials->password == password);
  }
}

TEST_CASE("equal_secrets compares whole texts") {
  CHECK(equal_secrets("", ""));
  CHECK(equal_secrets("secret", "secret"));
  CHECK_FALSE(equal_secrets("secret", "secreT"));
  CHECK_FALSE(equal_secrets("Secret", "secret"));
  CHECK_FALSE(equal_secrets("secret", "secret1"));
  CHECK_FALSE(equal_secrets("secret", ""));
  CHECK_FALSE(equal_secrets("", "secret"));
  using namespace std::string_view_literals;
  CHECK_FALSE(equal_secrets("a\0b"sv, "a\0c"sv));
}
