#include "upstream/parent.hpp"

#include <catch2/catch.hpp>

#include <fmt/format.h>

using namespace cmux;
using namespace cmux::upstream;

namespace {

std::string read(std::string_view url) {
  const auto parent = parse_parent(url);
  if (!parent) return parent.error().detail.substr(parent.error().detail.find("; ") + 2);
  return fmt::format("{} {} {}", parent->text(), parent->username, parent->password);
}

bool covers(std::string_view list, std::string_view host, std::uint16_t port = 443) { return Bypass(list).covers(host, port); }

}  // namespace

TEST_CASE("parent: a URL says what it is, where, and who asks") {
  CHECK(read("http://proxy.example:3128") == "http://proxy.example:3128  ");
  CHECK(read("HTTPS://Proxy.Example./") == "https://proxy.example:443  ");
  CHECK(read("http://proxy.example") == "http://proxy.example:80  ");
  CHECK(read("socks5://[::1]") == "socks5://[::1]:1080  ");
  CHECK(read("socks5h://u:p@127.0.0.1:9050") == "socks5://127.0.0.1:9050 u p");
  CHECK(read("http://me:p%40ss%3Aw%25rd@proxy.example:3128") == "http://proxy.example:3128 me p@ss:w%rd");
  CHECK(read("http://me:p@ss@proxy.example:3128") == "http://proxy.example:3128 me p@ss");
  CHECK(read("http://me@proxy.example:3128") == "http://proxy.example:3128 me ");
  CHECK(parse_parent("http://me:pass@proxy.example:3128")->form.authorization == "Basic bWU6cGFzcw==");
  CHECK(parse_parent("http://proxy.example:3128")->form.authorization.empty());
  CHECK(parse_parent("http://me:pass@proxy.example:3128")->redacted() == "http://***@proxy.example:3128");
  CHECK(parse_parent("http://proxy.example:3128")->redacted() == "http://proxy.example:3128");
  CHECK(read("http://***@proxy.example:3128") == "*** stands for a user and password that were left out");
}

TEST_CASE("parent: a URL that is none is refused, and nothing of it is shown") {
  for (const char* const url : {"",
                                "s3cret",
                                "proxy.example:3128",
                                "ftp://u:s3cret@proxy.example",
                                "http://",
                                "http://u:s3cret@",
                                "http://u:s3cret@:3128",
                                "http://u:s3cret@proxy.example:0",
                                "http://u:s3cret@proxy.example:65536",
                                "http://u:s3/cret@proxy.example:1",
                                "http://u:s3cret@proxy.example:1/path",
                                "http://u:s3#cret@proxy.example:1",
                                "http://u:s3cret@proxy.example:1?x",
                                "http://:s3cret@proxy.example:1",
                                "http://u%3A:s3cret@proxy.example:1",
                                "http://u:s3cret%0d%0aX:1@proxy.example:1",
                                "http://u:s3cret%00@proxy.example:1",
                                "http://u:s3cret%4@proxy.example:1",
                                "http://u:s3cret%zz@proxy.example:1",
                                "http://u:s3cret@pro xy.example:1",
                                "http://u:s3cret@b\xc3\xbc.example:1"}) {
    INFO(url);
    const auto parent = parse_parent(url);
    REQUIRE(!parent);
    CHECK(parent.error().code == Errc::config);
    CHECK(parent.error().detail.find("s3") == std::string::npos);
    CHECK(parent.error().detail.find("cret") == std::string::npos);
  }
  CHECK(!parse_parent("socks5://u:" + std::string(256, 'x') + "@proxy.example:1"));
  CHECK(parse_parent("socks5://u:" + std::string(255, 'x') + "@proxy.example:1").has_value());
}

TEST_CASE("parent: NO_PROXY is read as curl and Go read it") {
  CHECK(covers("example.com", "example.com"));
  CHECK(covers("Example.COM.", "www.example.com"));
  CHECK(covers(".example.com", "www.example.com"));
  CHECK(covers(".example.com", "example.com"));
  CHECK_FALSE(covers("*.example.com", "example.com"));
  CHECK(covers("*.example.com", "a.b.example.com"));
  CHECK_FALSE(covers("example.com", "notexample.com"));
  CHECK_FALSE(covers("example.com", "example.com.evil.test"));
  CHECK(covers("a.test, b.test\tc.test", "b.test"));
  CHECK(covers("a.test, b.test\tc.test", "c.test"));
  CHECK(covers("*", "anything.test"));
  CHECK(covers("a.test,*", "anything.test"));
  CHECK(covers("example.com:8443", "example.com", 8443));
  CHECK_FALSE(covers("example.com:8443", "example.com", 443));
  CHECK(covers("10.0.0.0/8", "10.1.2.3"));
  CHECK(covers("10.0.0.0/8", "::ffff:10.1.2.3"));
  CHECK_FALSE(covers("10.0.0.0/8", "11.1.2.3"));
  CHECK(covers("10.128.0.0/9", "10.200.0.1"));
  CHECK_FALSE(covers("10.128.0.0/9", "10.100.0.1"));
  CHECK(covers("0.0.0.0/0", "203.0.113.7"));
  CHECK_FALSE(covers("0.0.0.0/0", "2001:db8::1"));
  CHECK(covers("2001:db8::/32", "2001:db8:1::5"));
  CHECK_FALSE(covers("2001:db8::/32", "2001:db9::5"));
  CHECK(covers("192.0.2.7", "192.0.2.7"));
  CHECK(covers("192.0.2.7:80", "192.0.2.7", 80));
  CHECK_FALSE(covers("192.0.2.7:80", "192.0.2.7", 443));
  CHECK(covers("2001:db8::1", "2001:0db8::1"));
  CHECK(covers("[2001:db8::1]:443", "2001:db8::1"));
  CHECK_FALSE(covers("[2001:db8::1]:80", "2001:db8::1"));
  CHECK(covers("::ffff:10.0.0.0/104", "10.1.2.3"));
  CHECK(covers("::ffff:10.0.0.0/104", "::ffff:10.1.2.3"));
  CHECK_FALSE(covers("::ffff:10.0.0.0/104", "11.1.2.3"));
  CHECK(covers("::ffff:0.0.0.0/96", "203.0.113.7"));
  CHECK(covers("10.1.*", "10.1.2.3"));
  CHECK_FALSE(covers("10.1.*", "10.2.1.3"));
  CHECK(covers("*corp.test:8080", "mycorp.test", 8080));
  CHECK_FALSE(covers("*corp.test:8080", "mycorp.test", 443));
  CHECK(covers("my_host", "my_host"));
}

TEST_CASE("parent: what NO_PROXY holds and nobody understands covers nothing, and is told of") {
  CHECK(Bypass(", a.test , *.b.test\t10.0.0.0/8,[::1]:80,*").not_understood().empty());
  for (const char* const wrong : {".",
                                  "..",
                                  "10.0.0.0/33",
                                  "10.0.0.0/x",
                                  "10.0.0.0/",
                                  "/8",
                                  "::ffff:10.0.0.0/129",
                                  "::1/129",
                                  "host:",
                                  "host:0",
                                  "host:65536",
                                  ":80",
                                  ":80x",
                                  "http://a.test",
                                  "a.test;b.test",
                                  "b\xc3\xbc.test",
                                  "10.0.0.0/8:80",
                                  "<local>",
                                  "[::1",
                                  "\x1b[31m"}) {
    INFO(wrong);
    const Bypass bypass(fmt::format("first.test,{},last.test", wrong));
    CHECK(bypass.not_understood() == std::vector<std::string>{wrong});
    CHECK_FALSE(bypass.covers("10.0.0.1", 80));
    CHECK(bypass.covers("first.test", 80));
    CHECK(bypass.covers("last.test", 80));
  }
}

TEST_CASE("parent: loopback goes straight, whatever else is said") {
  Parents parents;
  parents.requests = *parse_parent("http://one.example:1");
  parents.tunnels = *parse_parent("http://two.example:2");
  parents.bypass = Bypass("straight.test");
  CHECK(parents.find("there.test", 80, false)->text() == "http://one.example:1");
  CHECK(parents.find("there.test", 443, true)->text() == "http://two.example:2");
  for (const char* const host : {"localhost", "app.localhost", "127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::ffff:127.0.0.1",
                                 "127.1", "2130706433", "0x7f.1", "straight.test", "x.straight.test"}) {
    INFO(host);
    CHECK(parents.find(host, 80, false) == nullptr);
    CHECK(parents.find(host, 80, true) == nullptr);
  }
  parents.requests.reset();
  CHECK(parents.find("there.test", 80, false) == nullptr);
  CHECK(parents.find("there.test", 80, true) != nullptr);
}
