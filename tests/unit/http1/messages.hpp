// Messages of parts that a parser has to look at, most of which fit together: valid ones, ones with an oddity, and damaged ones.
#pragma once

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "http1/parser.hpp"

namespace cmux::http1 {

struct Parts {
  std::vector<std::string_view> usual, odd;
};
inline const Parts kMethods{{"GET", "POST", "PUT", "HEAD", "OPTIONS", "M-SEARCH"}, {"CONNECT", "get", "G(T", ""}};
inline const Parts kTargets{
    {"/", "/a?b=c", "//x", "/{}|?\\", "http://a.test/x?y", "http://[::1]:80", "HTTPS://a.test:443/", "ws://a/s", "http://a?q"},
    {"*", "a.test:443", "/#f", "a", "ftp://a/", "http:///x", "/a b", "/\xc3\xa4", "/a\\b", "http://a\\b/", "b.test:443"}};
inline const Parts kVersions{{"HTTP/1.1", "HTTP/1.1", "HTTP/1.0"}, {"HTTP/1.2", "HTTP/2.0", "HTTP/1.11", "http/1.1"}};
inline const Parts kStatuses{
    {"200 OK", "404 Not Found", "204 No Content", "304 Not Modified", "103 Early Hints", "200 ", "999 \xe4"},
    {"101 Switching Protocols", "200", "099 x", "20 x", "2000 x"}};
inline const Parts kLines{
    {"X-A: b", "x-a:c", "X-Empty:", "X-B: \t d e \t", "X-C: b:c: d", "X-D: \xff\t\"x\"", "!#$%&'*+-.^_`|~9: y", "Cookie: a=b",
     "Connection: keep-alive", "Connection: close", "Connection: X-A, upgrade", "Proxy-Connection: close", "Upgrade: websocket",
     "Expect: 100-continue", "TE: trailers"},
    {"Connection: a b", "Connection: close;", "Host: a.test", "Host: b@a", "X-Folded: a\r\n b", " X-Folded: a", "X-A : b",
     "X(A): b", "X-A", ": b", "X-Bare: a\rb", "X-Bare: a\nb", "Content-Length: 3", "Transfer-Encoding: chunked"}};
inline const Parts kLengths{{"Content-Length: 12", "content-length:12"},
                            {"Content-Length: 012", "Content-Length: 12, 12", "Content-Length: +12",
                             "Content-Length: ", "Content-Length: 0000000000000000012", "Content-Length: 18446744073709551616",
                             "Content-Length: 12\r\nContent-Length: 12", "Content-Length: 12\r\nContent-Length: 13"}};
inline const Parts kCodings{
    {"Transfer-Encoding: chunked", "transfer-encoding:Chunked", "Transfer-Encoding: , chunked"},
    {"Transfer-Encoding: gzip", "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked, gzip",
     "Transfer-Encoding: chunked, chunked", "Transfer-Encoding: chunked;q=1", "Transfer-Encoding: xchunked", "Transfer-Encoding:",
     "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", "Transfer-Encoding: gzip\r\nContent-Length: 12"}};
inline const std::string kLongSizeLine = std::string(1100, '0') + "5\r\nhello\r\n";
inline const Parts kChunks{{"5\r\nhello\r\n", "C\r\nhello, world\r\n", "00c\r\nhello, world\r\n", "A\r\nten letter\r\n",
                            "1a\r\nabcdefghijklmnopqrstuvwxyz\r\n", "0000000000000005\r\nhello\r\n", "5;a\r\nhello\r\n",
                            "5 ;a\r\nhello\r\n", "5;a=\"b;c\";d=e\r\nhello\r\n", "5\t; a = \"\\\"\tb\" ;c\r\nhello\r\n"},
                           {"5 \r\nhello\r\n", "5;\r\nhello\r\n", "5;=\r\nhello\r\n", "5;a=\r\nhello\r\n", "5;a=b \r\nhello\r\n",
                            "5;a=\"b\"c\r\nhello\r\n", "5;a=\"b\nc\"\r\nhello\r\n", "5;a=\"b\r\nhello\r\n", kLongSizeLine,
                            "5\nhello\r\n", "5\r\nhello\n", "6\r\nhello\r\n", "4\r\nhello\r\n", "0x5\r\nhello\r\n",
                            "-5\r\nhello\r\n", "fffffffffffffffff\r\n", "1000000000000000\r\n", "\r\n"}};
inline const Parts kTrailers{{"", "X-T: 1\r\n", "X-T: 1\r\nx-t:2\r\n", "Host: b\r\n"},
                             {"Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n", "Connection: a b\r\n",
                              "X-T: a\r\n b\r\n", "X-T : 1\r\n", "X-T: 1\n"}};
inline const Parts kSplinters{
    {"\r\n", "\n", "\r", " ", "\t", ":", ";", ",", "#", "0", "f", "\r\n ", "\r\n\r\n", "HTTP/1.0", "chunked", "close"}, {}};

class MessageMaker {
 public:
  explicit MessageMaker(Role role) : role_(role), random_(role == Role::request ? 1 : 2) {}

  std::string next() {
    std::string out = odds(100) ? "\r\n" : "";
    if (role_ == Role::request) {
      out.append(any(kMethods)).append(" ").append(any(kTargets)).append(" ").append(any(kVersions));
      if (!odds(20)) out += "\r\nHost: a.test";
    } else {
      out.append(any(kVersions)).append(" ").append(any(kStatuses));
    }
    const auto line = [&](std::string_view text) { out.append("\r\n").append(text); };
    while (odds(2)) line(any(kLines));
    const unsigned framing = random_() % 4;
    if (framing == 0) line(any(kLengths));
    if (framing > 1) line(any(kCodings));
    while (odds(3)) line(any(kLines));
    out += "\r\n\r\n";
    if (framing < 2) {
      out += "hello, world";
    } else {
      while (odds(2)) out += any(kChunks);
      out.append("0\r\n").append(any(kTrailers)).append("\r\n");
    }
    if (odds(4)) out += "GET / HTTP/1.1\r\n\r\n";  // what follows is another message's
    if (odds(3)) damage(out);
    return out;
  }

 private:
  bool odds(unsigned one_in) { return random_() % one_in == 0; }
  std::string_view any(const Parts& parts) {
    const auto& of = !parts.odd.empty() && odds(10) ? parts.odd : parts.usual;
    return of[random_() % of.size()];
  }
  void damage(std::string& text) {
    const auto place = [&] { return random_() % (text.size() + 1); };
    for (unsigned times = random_() % 3 + 1; times > 0; --times) switch (random_() % 5) {
        case 0: text.insert(place(), 1, static_cast<char>(random_() % 256)); break;
        case 1: text[random_() % text.size()] = static_cast<char>(random_() % 256); break;
        case 2: text.erase(random_() % text.size() / 2, random_() % 8 + 1); break;
        case 3: text.insert(place(), any(kSplinters)); break;
        case 4: {
          const std::size_t from = place();
          text.insert(place(), text.substr(from, random_() % 30));
          break;
        }
      }
  }

  Role role_;
  std::mt19937 random_;
};

}  // namespace cmux::http1
