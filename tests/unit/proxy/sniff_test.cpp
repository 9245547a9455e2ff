#include <catch2/catch.hpp>

#include "proxy/downstream.hpp"

using namespace cmux::proxy;
using namespace std::string_view_literals;

namespace {

// What the first bytes are, the more of them are seen: nothing else than `unknown` and, from some byte on, the answer.
void check(std::string_view bytes, Protocol expected) {
  CAPTURE(bytes);
  CHECK(sniff(bytes) == expected);
  bool decided = false;
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    CAPTURE(size);
    const Protocol now = sniff(bytes.substr(0, size));
    if (decided) CHECK(now == expected);
    else CHECK((now == Protocol::unknown || now == expected));
    decided = decided || now != Protocol::unknown;
  }
}

}  // namespace

TEST_CASE("the first bytes say which protocol it is, wherever they are cut") {
  check("\x16\x03\x01\x02\x00\x01"sv, Protocol::tls);
  check("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0"sv, Protocol::http2);
  for (const std::string_view text :
       {"GET / HTTP/1.1\r\n", "POST http://localhost:3000/ HTTP/1.1\r\n", "OPTIONS * HTTP/1.1\r\n", "M-SEARCH /x",
        "GET HTTPS://a/", "GET ws://a/", "GET wss://a/", "P /", "get / HTTP/1.0\r\n", "GET /incomplete"})
    check(text, Protocol::http1);
  for (const std::string_view text :
       {"SSH-2.0-OpenSSH_9.2\r\n"sv, "EHLO example.com\r\n"sv, "\0\0\0\x08\x04\xd2\x16\x2f"sv, "\x15\x03"sv, "\r\n"sv,
        " GET / HTTP/1.1"sv, "GET\r\n"sv, "*1\r\n$4\r\nPING\r\n"sv, "GET key\r\n"sv, "GET httpx://"sv, "\xff"sv,
        "CONNECT a:443 HTTP/1.1\r\n"sv, "GET  / HTTP/1.1"sv, "(a) /"sv})
    check(text, Protocol::raw);
  check("0123456789012345678901234567890123456789", Protocol::raw);  // no method is that long
}

TEST_CASE("bytes that may become a request line are undecided") {
  for (const std::string_view text : {"", "G", "GET", "GET ", "GET h", "GET http:/", "PRI", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r"}) {
    CAPTURE(text);
    CHECK(sniff(text) == Protocol::unknown);
  }
}

TEST_CASE("the HTTP/2 preface alone is HTTP/2", "") { check("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Protocol::http2); }
