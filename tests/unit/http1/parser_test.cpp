#include "http1/parser.hpp"

#include <catch2/catch.hpp>

#include "http1/heads.hpp"

using namespace cmux;
using namespace cmux::http1;
using namespace std::string_view_literals;

namespace {

// However a head arrives, the outcome is the same. Of an error only the status is: what can be told depends on what was seen.
void check_splits(Role role, std::string_view text, const std::string& whole) {
  const auto same = [&](const std::string& other) {
    return whole.starts_with("error") ? other.substr(0, 9) == whole.substr(0, 9) : other == whole;
  };
  for (std::size_t at = 0; at <= text.size(); ++at) {
    CAPTURE(at);
    CHECK(same(parsed_split(role, text, at)));
  }
  CHECK(same(parsed_slowly(role, text)));
}

void check_good(Role role, std::string_view text, const std::string& expected) {
  CAPTURE(text);
  const std::string whole = parsed(role, text);
  CHECK(whole == std::to_string(text.size()) + " " + expected);
  check_splits(role, text, whole);
  // What follows is left alone.
  CHECK(parsed(role, std::string(text) + "GET / HTTP/1.1\r\n\r\n") == whole);
}

void check_bad(Role role, std::string_view text, unsigned status = 400, std::string_view why = "") {
  CAPTURE(text, why);
  const std::string whole = parsed(role, text);
  CHECK(whole.starts_with("error " + std::to_string(status)));
  CHECK(whole.find(why) != std::string::npos);
  check_splits(role, text, whole);
}

}  // namespace

TEST_CASE("good request heads") {
  struct Row {
    std::string_view text, head;
  };
  const Row rows[] = {
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET|||/||0||11|origin\nHost: a\n"},
      {"GET / HTTP/1.0\r\n\r\n", "GET|||/||0||10|origin\n"},
      {"GET / HTTP/1.9\r\n\r\n", "GET|||/||0||11|origin\n"},
      {"GET http://a HTTP/1.1\r\n\r\n", "GET|http|a|/||0||11|\n"},
      {"GET HTTP://A:80/x?y HTTP/1.1\r\n\r\n", "GET|http|A:80|/x?y||0||11|\n"},
      {"GET https://[::1]:443/x HTTP/1.1\r\n\r\n", "GET|https|[::1]:443|/x||0||11|\n"},
      {"GET ws://a/s HTTP/1.1\r\n\r\n", "GET|http|a|/s||0||11|\n"},
      {"GET WSS://a/s HTTP/1.1\r\n\r\n", "GET|https|a|/s||0||11|\n"},
      {"GET http://a?q HTTP/1.1\r\n\r\n", "GET|http|a|/?q||0||11|\n"},
      {"OPTIONS * HTTP/1.1\r\n\r\n", "OPTIONS|||*||0||11|origin\n"},
      {"OPTIONS http://a HTTP/1.1\r\n\r\n", "OPTIONS|http|a|*||0||11|\n"},
      {"OPTIONS http://a/ HTTP/1.1\r\n\r\n", "OPTIONS|http|a|/||0||11|\n"},
      {"CONNECT a:443 HTTP/1.1\r\n\r\n", "CONNECT||a:443|||0||11|\n"},
      {"CONNECT [::1]:443 HTTP/1.1\r\n\r\n", "CONNECT||[::1]:443|||0||11|\n"},
      {"M-SEARCH //x//y HTTP/1.1\r\n\r\n", "M-SEARCH|||//x//y||0||11|origin\n"},
      {"GET /\"<>^`{|}?\"<>\\^`{|} HTTP/1.1\r\n\r\n", "GET|||/\"<>^`{|}?\"<>\\^`{|}||0||11|origin\n"},
      {"GET /?http://b/ HTTP/1.1\r\n\r\n", "GET|||/?http://b/||0||11|origin\n"},
      {"GET / HTTP/1.1\r\nA:b\r\nA:\r\nC: \t d e \t\r\nF: \xff\tx\r\n!#$%&'*+-.^_`|~9: y\r\n\r\n",
       "GET|||/||0||11|origin\nA: b\nA: \nC: d e\nF: \xff\tx\n!#$%&'*+-.^_`|~9: y\n"},
      {"GET / HTTP/1.1\r\nA: b:c: d\r\n\r\n", "GET|||/||0||11|origin\nA: b:c: d\n"},
  };
  for (const Row& row : rows) check_good(Role::request, row.text, std::string(row.head));
}

TEST_CASE("bad request heads") {
  struct Row {
    std::string_view text;
    unsigned status = 400;
    std::string_view why = "";
  };
  const Row rows[] = {
      {"GET /\r\n\r\n", 400, "expected METHOD TARGET"},
      {"GET\r\n\r\n"},
      {" GET / HTTP/1.1\r\n\r\n"},
      {"GET  / HTTP/1.1\r\n\r\n"},
      {"GET /  HTTP/1.1\r\n\r\n"},
      {"GET / HTTP/1.1 \r\n\r\n"},
      {"GET /a b HTTP/1.1\r\n\r\n"},
      {"GET\t/\tHTTP/1.1\r\n\r\n"},
      {"G(T / HTTP/1.1\r\n\r\n", 400, "bad method"},
      {"GET / HTTP/2.0\r\n\r\n", 505},
      {"GET / HTTP/0.9\r\n\r\n", 505},
      {"GET / HTTP/1.\r\n\r\n"},
      {"GET / HTTP/1.11\r\n\r\n"},
      {"GET / HTTP/1,1\r\n\r\n"},
      {"GET / http/1.1\r\n\r\n"},
      {"GET / HTTP/x.1\r\n\r\n"},
      {"GET a HTTP/1.1\r\n\r\n", 400, "bad request target"},
      {"GET * HTTP/1.1\r\n\r\n"},
      {"GET a:80 HTTP/1.1\r\n\r\n"},
      {"GET ftp://a/ HTTP/1.1\r\n\r\n", 400, "unsupported scheme"},
      {"GET http:///x HTTP/1.1\r\n\r\n", 400, "no host"},
      {"GET http://?x HTTP/1.1\r\n\r\n", 400, "no host"},
      {"GET :// HTTP/1.1\r\n\r\n"},
      {"GET /#f HTTP/1.1\r\n\r\n", 400, "request target"},
      {"GET /\x7f HTTP/1.1\r\n\r\n"},
      {"GET /\0 HTTP/1.1\r\n\r\n"sv},
      {"GET / HTTP/1.1\nHost: a\n\n", 400, "bare LF"},
      {"GET / HTTP/1.1\r\nHost: a\n\r\n", 400, "bare LF"},
      {"GET / HTTP/1.1\r\nHost: a\r\n\n", 400, "bare LF"},
      {"\nGET / HTTP/1.1\r\n\r\n"},
      {"GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", 400, "control character"},
      {"GET / HTTP/1.1\r\nA: b\r\r\n\r\n"},
      {"GET / HTTP/1.1\rA: b\r\n\r\n"},
      {"GET / HTTP/1.1\r\nA: b\0c\r\n\r\n"sv, 400, "control character in field 'A'"},
      {"GET / HTTP/1.1\r\nA: b\x1b\r\n\r\n"},
      {"GET / HTTP/1.1\r\nA: b\x7f\r\n\r\n"},
      {"GET / HTTP/1.1\r\nA : b\r\n\r\n", 400, "bad header name"},
      {"GET / HTTP/1.1\r\nA\t: b\r\n\r\n"},
      {"GET / HTTP/1.1\r\n: b\r\n\r\n"},
      {"GET / HTTP/1.1\r\nA\r\n\r\n", 400, "header line 1 is without ':'"},
      {"GET / HTTP/1.1\r\nA: b\r\nCookie secret\r\n\r\n", 400, "header line 2 is without ':'"},
      {"GET / HTTP/1.1\r\nA b: c\r\n\r\n"},
      {"GET / HTTP/1.1\r\nA(b): c\r\n\r\n"},
      {"GET / HTTP/1.1\r\n\xc3\xa4: c\r\n\r\n"},
      {"GET / HTTP/1.1\r\n A: b\r\n\r\n", 400, "folded"},
      {"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", 400, "folded"},
      {"GET / HTTP/1.1\r\nA: b\r\n\tc: d\r\n\r\n", 400, "folded"},
      {"GET / HTTP/1.1\r\n\r\r\n\r\n"},
      {"\r\nGET / HTTP/1.1\r\n\r\n", 400, "empty line"},
      {"GET /\xc3\xa4 HTTP/1.1\r\n\r\n", 400, "percent-encoded"},
      {"GET /?\xff HTTP/1.1\r\n\r\n", 400, "percent-encoded"},
      {"GET /a\\b HTTP/1.1\r\n\r\n", 400, "percent-encoded"},
      {"GET http://a\\@b/ HTTP/1.1\r\n\r\n", 400, "percent-encoded"},
      {"CONNECT \xff:443 HTTP/1.1\r\n\r\n", 400, "percent-encoded"},
  };
  for (const Row& row : rows) check_bad(Role::request, row.text, row.status, row.why);
}

TEST_CASE("good response heads") {
  struct Row {
    std::string_view text, head;
  };
  const Row rows[] = {
      {"HTTP/1.1 200 OK\r\n\r\n", "|||||200|OK|11|\n"},
      {"HTTP/1.1 200 \r\n\r\n", "|||||200||11|\n"},
      {"HTTP/1.1 200\r\n\r\n", "|||||200||11|\n"},
      {"HTTP/1.0 404 Not Found, \xe4\r\nA: b\r\n\r\n", "|||||404|Not Found, \xe4|10|\nA: b\n"},
      {"HTTP/1.1 100 Continue\r\n\r\n", "|||||100|Continue|11|\n"},
      {"HTTP/1.1 999 x  y \r\n\r\n", "|||||999|x  y |11|\n"},
  };
  for (const Row& row : rows) check_good(Role::response, row.text, std::string(row.head));
}

TEST_CASE("bad response heads") {
  for (const std::string_view text :
       {"HTTP/1.1\r\n\r\n"sv, "HTTP/1.1 \r\n\r\n"sv, "HTTP/1.1 20\r\n\r\n"sv, "HTTP/1.1 2000 OK\r\n\r\n"sv,
        "HTTP/1.1 2x0 OK\r\n\r\n"sv, "HTTP/1.1  200 OK\r\n\r\n"sv, "HTTP/1.1 099 OK\r\n\r\n"sv, "HTTP/1.1 200 a\0b\r\n\r\n"sv,
        "HTTP/1.1 200 a\rb\r\n\r\n"sv, "\r\nHTTP/1.1 200 OK\r\n\r\n"sv, "ICY 200 OK\r\n\r\n"sv, "HTTP/1.1 200 OK\n\n"sv,
        "HTTP/1.1 +20 OK\r\n\r\n"sv, "HTTP/1.1 200 OK\r\nA : b\r\n\r\n"sv, "HTTP/1.1 200 OK\r\n A: b\r\n\r\n"sv,
        "<html>\r\n\r\n"sv})
    check_bad(Role::response, text);
  check_bad(Role::response, "HTTP/2.0 200 OK\r\n\r\n", 505);
}

TEST_CASE("a head that is not complete wants more") {
  for (const std::string_view text :
       {"", "\r", "GET", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nA: b\r\n", "GET / HTTP/1.1\r\nA: b\r\n\r"}) {
    CAPTURE(text);
    CHECK(parsed(Role::request, text) == "more");
    CHECK(parsed_slowly(Role::request, text) == "more");
  }
}

TEST_CASE("a parser is used again after reset") {
  HeadParser parser(Role::request, kUsualLimits);
  http::Head head;
  const std::string_view two = "GET /1 HTTP/1.1\r\nA: b\r\n\r\nGET /2 HTTP/1.0\r\n\r\n";
  REQUIRE(*parser.parse(two.substr(0, 20), head) == 0);
  const std::size_t first = *parser.parse(two, head);
  CHECK(head.path == "/1");
  parser.reset();
  CHECK(*parser.parse(two.substr(first), head) == two.size() - first);
  CHECK(head.path == "/2");
  CHECK(head.fields.empty());
}

TEST_CASE("limits name what is too large") {
  Limits limits;
  limits.start_line = 40, limits.head = 60, limits.fields = 3;
  struct Row {
    std::string text;
    std::string_view outcome;
  };
  const std::string start = "GET / HTTP/1.1\r\n";
  const Row rows[] = {
      {"GET /" + std::string(24, 'x') + " HTTP/1.1\r\n\r\n", "42 "},  // 40 bytes and the empty line
      {"GET /" + std::string(25, 'x') + " HTTP/1.1\r\n\r\n", "error 414: the request target is longer than 40 bytes"},
      {"GET /" + std::string(100, 'x'), "error 414: "},
      // RFC 9112 section 3: a method longer than any that is known.
      {std::string(41, 'A'), "error 501: the method is longer than 40 bytes"},
      {std::string(41, 'A') + " / HTTP/1.1\r\n\r\n", "error 501: the method is longer than 40 bytes"},
      {start + "A: 1\r\nB: 2\r\nC: 3\r\n\r\n", "36 "},
      {start + "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n", "error 431: the header is over 60 bytes or 3 lines"},
      {start + "Cookie: " + std::string(48, 'x') + "\r\n\r\n", "76 "},  // 60 bytes with the empty line
      {start + "Cookie: " + std::string(49, 'x') + "\r\n\r\n", "error 431: "},
      {start + "A: 1\r\nCookie: " + std::string(80, 'x') + "\r\n\r\n",
       "error 431: the header is over 60 bytes or 3 lines, at field 'Cookie'"},
      {start + "A: 1\r\nCookie: " + std::string(80, 'x'), "error 431: the header is over 60 bytes or 3 lines, at field 'Cookie'"},
      {start + std::string(100, 'x'), "error 431: the header is over 60 bytes or 3 lines, at field ?"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const std::string whole = parsed(Role::request, row.text, limits);
    CHECK(whole.starts_with(row.outcome));
    for (std::size_t at = 0; at <= row.text.size(); ++at)
      CHECK(parsed_split(Role::request, row.text, at, limits).substr(0, 9) == whole.substr(0, 9));
    CHECK(parsed_slowly(Role::request, row.text, limits).substr(0, 9) == whole.substr(0, 9));
  }
  CHECK(parsed(Role::response, "HTTP/1.1 200 " + std::string(40, 'x'), limits).find("the status line is longer") !=
        std::string::npos);
}

TEST_CASE("the name of a field over the count is told", "") {
  Limits limits;
  limits.fields = 1;
  const std::string text = "GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\n\r\n";
  CHECK(parsed(Role::request, text, limits).find("at field 'B'") != std::string::npos);
}

TEST_CASE("messages quote little, and nothing that acts on a terminal") {
  const std::string long_line = parsed(Role::request, "GET / HTTP/1.1\r\n" + std::string(200, 'x') + "\r\n\r\n");
  CHECK(long_line.size() < 120);
  CHECK(parsed(Role::request, "GET / HTTP/1.1\r\n\x1b[0m\r\n\r\n").find('\x1b') == std::string::npos);
  // Nor what is no UTF-8, which a JSON document could not hold, or a control character in it.
  CHECK(parsed(Role::response, "HTP\xff\xc2\x9b 200 OK\r\n\r\n").find("'HTP" + std::string(3, '?')) != std::string::npos);
}

TEST_CASE("tokens and field values") {
  CHECK(is_token("abc-1"));
  for (const std::string_view text : {"", "a b", "a:", "a\t", "(a)", "\xff", "a,b", "a/b", "\"a\""}) CHECK_FALSE(is_token(text));
  CHECK(is_field_value(""));
  CHECK(is_field_value("a \t\xff"));
  for (const std::string_view text : {"\r"sv, "\n"sv, "\0"sv, "\x7f"sv, "\x1f"sv}) CHECK_FALSE(is_field_value(text));
}
