#include "net/address.hpp"

#include <catch2/catch.hpp>

using namespace cmux;
using namespace cmux::net;

namespace {

// The loopback test as callers make it: on a parsed host.
bool is_loopback_text(std::string_view text) {
  const auto authority = parse_authority(text);
  return authority && is_loopback_name(authority->host);
}

std::string name_of_labels(std::initializer_list<std::size_t> lengths) {
  std::string name;
  for (const std::size_t length : lengths) name += (name.empty() ? "" : ".") + std::string(length, 'a');
  return name;
}

}  // namespace

TEST_CASE("parse_authority reads every legal form and normalises it") {
  struct Row {
    std::string_view text, host;
    bool ipv6;
    int port;  // 0: none
    std::string_view again;
  };
  const Row rows[] = {
      {"localhost", "localhost", false, 0, "localhost"},
      {"localhost:3000", "localhost", false, 3000, "localhost:3000"},
      {"LocalHost.:80", "localhost", false, 80, "localhost:80"},
      {"localhost.", "localhost", false, 0, "localhost"},
      {"app.localhost:1", "app.localhost", false, 1, "app.localhost:1"},
      {"example.com:65535", "example.com", false, 65535, "example.com:65535"},
      {"example.com:00080", "example.com", false, 80, "example.com:80"},
      {"my_service:8080", "my_service", false, 8080, "my_service:8080"},
      {"_dmarc.example.com", "_dmarc.example.com", false, 0, "_dmarc.example.com"},
      {"a-.-b", "a-.-b", false, 0, "a-.-b"},
      {"xn--bcher-kva.example", "xn--bcher-kva.example", false, 0, "xn--bcher-kva.example"},
      {"127.0.0.1:3000", "127.0.0.1", false, 3000, "127.0.0.1:3000"},
      {"127.1", "127.1", false, 0, "127.1"},
      {"[::1]", "::1", true, 0, "[::1]"},
      {"[::1]:3000", "::1", true, 3000, "[::1]:3000"},
      {"::1", "::1", true, 0, "[::1]"},
      {"::", "::", true, 0, "[::]"},
      {"2001:DB8::A", "2001:db8::a", true, 0, "[2001:db8::a]"},
      {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8", true, 0, "[1:2:3:4:5:6:7:8]"},
      {"[::FFFF:7f00:1]:80", "::ffff:7f00:1", true, 80, "[::ffff:7f00:1]:80"},
      {"::ffff:127.0.0.1", "::ffff:127.0.0.1", true, 0, "[::ffff:127.0.0.1]"},
      {"[fe80::1%25eth0]:80", "fe80::1%eth0", true, 80, "[fe80::1%25eth0]:80"},
      {"[fe80::1%eth0]", "fe80::1%eth0", true, 0, "[fe80::1%25eth0]"},
      {"FE80::1%Eth0", "fe80::1%Eth0", true, 0, "[fe80::1%25Eth0]"},
      {"[fe80::1%252]", "fe80::1%2", true, 0, "[fe80::1%252]"},
      {"[fe80::1%2525]", "fe80::1%25", true, 0, "[fe80::1%2525]"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto authority = parse_authority(row.text);
    REQUIRE(authority.has_value());
    CHECK(authority->host == row.host);
    CHECK(authority->ipv6 == row.ipv6);
    CHECK(authority->port.value_or(0) == row.port);
    CHECK(authority->text() == row.again);
    const auto reparsed = parse_authority(authority->text());
    REQUIRE(reparsed.has_value());
    CHECK(reparsed->host == row.host);
  }
}

// Among them bare IPv6 with two readings: "::1:80" is ::1 with port 80, or ::1:80.
TEST_CASE("parse_authority refuses what is not one host and one port") {
  using namespace std::string_view_literals;
  const std::string_view rows[] = {
      "",
      ".",
      "..",
      ":",
      ":80",
      "host:",
      "host:0",
      "host:00000",
      "host:65536",
      "host:99999",
      "host:100000",
      "host:000080",
      "host:abc",
      "host:80a",
      "host:+80",
      "host:-1",
      "host: 80",
      "host:8 0",
      "host:0x50",
      "host:80:90",
      "user@host",
      "user:pass@host:80",
      "@host",
      "host@",
      "ho st",
      " host",
      "host ",
      "host\t",
      "host\r\n",
      "ho\nst",
      "host\0"sv,
      "localhost\0.evil.com"sv,
      "127.0.0.1\0"sv,
      "[::1\0]"sv,
      "host\x7f",
      "h\xc3\xb6st",
      "local%68ost",
      "localhost%00",
      "host/",
      "host/path",
      "host?query",
      "host#fragment",
      "host\\",
      "http://host",
      "a..b",
      ".a",
      "a...",
      "host..",
      "*.example.com",
      "a,b",
      "a;b",
      "[]",
      "[",
      "]",
      "[]:80",
      "[::1",
      "::1]",
      "[::1]:",
      "[::1]:0",
      "[::1]:65536",
      "[::1]:abc",
      "[::1]80",
      "[::1]x",
      "[::1].",
      "[::1] ",
      "[ ::1]",
      "[[::1]]",
      "[::1]]",
      "[localhost]",
      "[127.0.0.1]",
      "[v1.fe80]",
      "[1:2:3]",
      "[1:2:3:4:5:6:7:8:9]",
      "[::g]",
      "[12345::]",
      "::1:80",
      "fe80::1:443",
      "::1:0",
      "1:2:3:4:5:6:7:8:80",
      ":::",
      "[fe80::1%]",
      "[fe80::1%25]",
      "[fe80::1%25e/0]",
      "[fe80::1%25et h0]",
      "[fe80::1%25eth0%25]",
      "[fe80::1%an-interface-name]",
      "fe80::1%eth0:80",
      "localhost%eth0",
      "127.0.0.1%eth0",
  };
  for (const std::string_view row : rows) {
    CAPTURE(row);
    const auto authority = parse_authority(row);
    REQUIRE(authority.has_error());
    CHECK(authority.error().code == Errc::malformed);
    CHECK(authority.error().status == 400);
  }
}

TEST_CASE("parse_authority never quotes a password") {
  const auto authority = parse_authority("user:hunter2@host");
  REQUIRE(authority.has_error());
  CHECK(authority.error().detail.find("hunter2") == std::string::npos);
}

TEST_CASE("names end at 63 characters a label and 253 in all") {
  const std::string longest = name_of_labels({63, 63, 63, 61});
  REQUIRE(longest.size() == 253);
  CHECK(parse_authority(longest).has_value());
  CHECK(parse_authority(longest + ".").has_value());
  CHECK(parse_authority(longest + ":80").has_value());
  CHECK(is_dns_name(longest));
  const std::string too_long = name_of_labels({63, 63, 63, 62});
  CHECK(parse_authority(too_long).has_error());
  CHECK_FALSE(is_dns_name(too_long));
  CHECK(parse_authority(name_of_labels({63})).has_value());
  CHECK(parse_authority(name_of_labels({64})).has_error());
  CHECK_FALSE(is_dns_name(name_of_labels({64})));
}

TEST_CASE("parse_port") {
  CHECK(parse_port("1") == 1);
  CHECK(parse_port("65535") == 65535);
  for (const std::string_view text :
       {"", "0", "65536", "070000", "-1", "+1", " 1", "1 ", "1.0", "0x1", "abc", "99999999999999999999"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_port(text).has_value());
  }
}

TEST_CASE("loopback is what it is, in every spelling") {
  for (const std::string_view text : {"localhost",
                                      "LOCALHOST",
                                      "LOCALHOST.",
                                      "localhost:3000",
                                      "app.localhost",
                                      "a.b.localhost",
                                      "App.LocalHost.",
                                      "127.0.0.1",
                                      "127.0.0.2",
                                      "127.0.0.1.",
                                      "127.255.255.255",
                                      "127.0.0.0",
                                      "0.0.0.0",
                                      "::1",
                                      "[::1]",
                                      "[::1]:3000",
                                      "0:0:0:0:0:0:0:1",
                                      "[0000:0::0001]",
                                      "::",
                                      "[::]:80",
                                      "0:0:0:0:0:0:0:0",
                                      "::ffff:127.0.0.1",
                                      "[::ffff:127.0.0.1]",
                                      "[::FFFF:7F00:1]",
                                      "::ffff:127.9.8.7",
                                      "0:0:0:0:0:ffff:7fff:ffff",
                                      "[::1%25lo]"}) {
    CAPTURE(text);
    CHECK(is_loopback_text(text));
  }
}

TEST_CASE("what looks like loopback and is not") {
  for (const std::string_view text : {"127.evil.com",
                                      "localhost.evil.com",
                                      "127.0.0.1.nip.io",
                                      "127.1",
                                      "127.0.1",
                                      "0x7f.1",
                                      "0x7f.0.0.1",
                                      "0177.0.0.1",
                                      "127.0.0.01",
                                      "127.0.0.256",
                                      "127.0.0.0.1",
                                      "2130706433",
                                      "0x7f000001",
                                      "127",
                                      "0",
                                      "0.0",
                                      "0.0.0.1",
                                      "0.0.0.00",
                                      "128.0.0.1",
                                      "126.255.255.255",
                                      "1.127.0.0",
                                      "10.0.0.1",
                                      "169.254.169.254",
                                      "notlocalhost",
                                      "localhost1",
                                      "local.host",
                                      "my-localhost",
                                      "localhosts.localhos",
                                      "evil.com",
                                      "localhost.localdomain",
                                      "_localhost",
                                      "localhost-",
                                      "::2",
                                      "::1:0:0",
                                      "[1::1]",
                                      "[fe80::1]",
                                      "[::127.0.0.1]",
                                      "[::ffff:126.0.0.1]",
                                      "[::ffff:8000:1]",
                                      "[::ffff:0.0.0.0]",
                                      "[::fffe:127.0.0.1]",
                                      "[64:ff9b::127.0.0.1]",
                                      "[2002:7f00:1::]",
                                      "[fe80::1%25lo]"}) {
    CAPTURE(text);
    CHECK_FALSE(is_loopback_text(text));
  }
  // Not even hosts.
  for (const std::string_view text :
       {"", "[localhost]", "localhost@evil.com", "evil.com@localhost", "localhost#", "localhost..", ".localhost"}) {
    CAPTURE(text);
    CHECK_FALSE(is_loopback_text(text));
  }
}

TEST_CASE("is_loopback_name wants a whole, normalised host") {
  using namespace std::string_view_literals;
  CHECK(is_loopback_name("::ffff:7f00:1"));  // with brackets only in an authority, where it could be ::ffff:7f00 and port 1
  CHECK(is_loopback_name("::1%lo"));
  CHECK_FALSE(is_loopback_name("127.0.0.1\0"sv));
  CHECK_FALSE(is_loopback_name("127.0.0.1\0.evil.com"sv));
  CHECK_FALSE(is_loopback_name("127.0.0.1%lo"));
  CHECK_FALSE(is_loopback_name(""));
  CHECK_FALSE(is_loopback_name(std::string(300, '1')));
}

TEST_CASE("is_under goes by labels") {
  CHECK(is_under("cmux.app", "cmux.app"));
  CHECK(is_under("a.cmux.app", "cmux.app"));
  CHECK(is_under("a.b.cmux.app", "cmux.app"));
  CHECK_FALSE(is_under("notcmux.app", "cmux.app"));
  CHECK_FALSE(is_under("app", "cmux.app"));
  CHECK_FALSE(is_under("cmux.app.evil.com", "cmux.app"));
  CHECK_FALSE(is_under("anything", ""));
  CHECK_FALSE(is_under("", ""));
}

TEST_CASE("is_dns_name") {
  for (const std::string_view text :
       {"cmux.app", "localhost", "a", "1", "Example.COM", "a-b.c--d", "xn--bcher-kva.example", "127.0.0.1"}) {
    CAPTURE(text);
    CHECK(is_dns_name(text));
  }
  using namespace std::string_view_literals;
  for (const std::string_view text : {""sv, "."sv, "a."sv, ".a"sv, "a..b"sv, "-a"sv, "a-"sv, "a.-b"sv, "a-.b"sv, "a_b"sv, "a b"sv,
                                      "a:80"sv, "[::1]"sv, "::1"sv, "a/b"sv, "a\0b"sv, "b\xc3\xbc.de"sv, "*.a"sv}) {
    CAPTURE(text);
    CHECK_FALSE(is_dns_name(text));
  }
}

TEST_CASE("to_lower changes ASCII letters only") { CHECK(to_lower("AbZ-09_[`{\xc3\x84") == "abz-09_[`{\xc3\x84"); }
