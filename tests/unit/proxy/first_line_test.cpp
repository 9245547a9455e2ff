#include "proxy/first_line.hpp"

#include <catch2/catch.hpp>

using namespace cmux::proxy;
using namespace std::string_view_literals;

namespace {

constexpr std::size_t kLongest = 32 * 1024;

// However the bytes arrive, it is nothing else than undecided and, from some byte on, the answer.
void check(std::string_view bytes, Protocol expected) {
  CAPTURE(bytes.substr(0, 60), bytes.size());
  CHECK(FirstLine(kLongest).look(bytes) == expected);
  FirstLine slowly(kLongest);
  Protocol last = Protocol::unknown;
  for (std::size_t size = 0; size <= bytes.size() && last == Protocol::unknown; ++size) last = slowly.look(bytes.substr(0, size));
  CHECK(last == expected);
}

}  // namespace

TEST_CASE("a forwarded port: whatever a browser can send is HTTP or TLS") {
  check("\x16\x03\x01\x02\x00\x01"sv, Protocol::tls);
  check("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0"sv, Protocol::http2);
  for (const std::size_t size : {1, 31, 32, 33, 4'000, 4'096, 5'000, 30'000})
    check(std::string(size, 'A') + " /x HTTP/1.1\r\nHost: evil.example\r\n\r\n", Protocol::http1);
  for (const char first : "!#$%&'*+-.^_`|~09azAZ"sv) check(std::string(1, first) + "1 /x HTTP/1.1\r\n", Protocol::http1);
  check(std::string(kLongest + 1, 'A'), Protocol::http1);  // without an end: the parser says that it is too long
  check("PING /?\"<>\\^`{|} HTTP/1.1\r\n", Protocol::http1);
}

TEST_CASE("a forwarded port: what a lenient server could take for a request is one") {
  for (const std::string_view text :
       {"\r\nGET /x HTTP/1.1\r\n", "\n\n \t\r\nGET /x HTTP/1.1\r\n", "GET  / HTTP/1.1\r\n", "GET\t/ HTTP/1.1\r\n",
        " GET / HTTP/1.1\r\n", "GET / HTTP/1.1\n", "GET /\r\n", "GET / x y\r\n", "GET example.com HTTP/1.1\r\n",
        "CONNECT a:443 HTTP/1.1\r\n", "OPTIONS * HTTP/1.1\r\n", "GET HTTPS://a\r\n", "get / http/1.0\r\n",
        "GET /\xc3\xa4 HTTP/1.1\r\n", "GET\r/ HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n\r\nXX", "GET / HTTP/1.1 and more\r\n",
        "GET \t HTTP/9\r\n"})
    check(text, Protocol::http1);
}

TEST_CASE("a forwarded port: the protocols that raw tunnels are for are raw") {
  for (const std::string_view text : {"\0\0\0\x08\x04\xd2\x16\x2f"sv,
                                      "SSH-2.0-OpenSSH_9.2\r\n"sv,
                                      "EHLO example.com\r\n"sv,
                                      "USER anonymous\r\n"sv,
                                      "PING\r\n"sv,
                                      "*1\r\n$4\r\nPING\r\n"sv,
                                      "GET key\r\n"sv,
                                      "KEYS *\r\n"sv,
                                      "get key\r\n"sv,
                                      "stats\r\n"sv,
                                      "set k 0 0 1\r\nx\r\n"sv,
                                      "\x10\x0c\0\x04MQTT"sv,
                                      "AMQP\0\0\x09\x01"sv,
                                      "\x3a\0\0\0"sv,
                                      "0032git-upload-pack /p.git\0host=a\0"sv,
                                      "{\"id\":1"sv,
                                      "OPTIONS rtsp://a/ RTSP/1.0\r\n"sv,
                                      "\xff\xfb\x1f"sv,
                                      "HTTP/1.1 200 OK\r\n"sv,
                                      "(a) /"sv,
                                      "\r\n\0"sv})
    check(text, Protocol::raw);
}

TEST_CASE("a forwarded port: a line is undecided until its end") {
  for (const std::string_view text : {"", "G", "GET", "GET ", "GET /x", "GET /x HTTP/1.1\r", "PING", "PING\r", "\r\n", " ", "PRI",
                                      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r"}) {
    CAPTURE(text);
    CHECK(FirstLine(kLongest).look(text) == Protocol::unknown);
  }
}
