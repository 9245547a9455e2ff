// Rows about heads: request lines, Host, field lines (RFC 9112 sections 2, 3 and 5).
#include <fmt/format.h>

#include "h1_table.hpp"

namespace e2e::h1 {
namespace {

using namespace std::string_literals;
using Where = RequestRow::Where;

std::string times(std::size_t count, char c) { return std::string(count, c); }

// What the exchange with nothing about it looks like on the far side.
const std::string kPlain = arrived("GET /t HTTP/1.1");

bool is_control(unsigned char c) { return c < 0x20 || c == 0x7f; }

}  // namespace

std::string shown(unsigned char c) {
  return c > 0x20 && c < 0x7f ? std::string(1, static_cast<char>(c)) : fmt::format("0x{:02x}", c);
}

void add_request_lines(Requests& rows) {
  for (const std::string& method :
       Strings{"GET", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get", "M-SEARCH", "A", "PRI", times(5'000, 'A')})
    good(rows, "method " + method.substr(0, 20), request(method + " $T/t HTTP/1.1"), arrived(method + " /t HTTP/1.1"));
  for (const char* const method : {"POST", "PUT", "PATCH"})
    good(rows, "method "s + method, request(method + " $T/t HTTP/1.1"s),
         arrived(method + " /t HTTP/1.1"s, "Content-Length: 0\r\n"));
  for (const unsigned char c : telling_bytes()) {
    const std::string name = "in a method: " + shown(c), method = "X"s + static_cast<char>(c) + "Y";
    if (is_tchar(c)) good(rows, name, request(method + " $T/t HTTP/1.1"), arrived(method + " /t HTTP/1.1"));
    else bad(rows, name, request(method + " $T/t HTTP/1.1"), 400, c != ' ' && c != '\t');
  }
  for (const unsigned char c : telling_bytes()) {
    const std::string text = "/a"s + static_cast<char>(c) + "b";
    const bool visible = c > 0x20 && c < 0x7f && c != '#';
    // What is no character of a line is none for a parser of another protocol either.
    const auto row = [&](const std::string& place, const std::string& target, bool allowed) {
      const std::string name = "in a " + place + ": " + shown(c);
      if (allowed) good(rows, name, request("GET $T" + target + " HTTP/1.1"), arrived("GET " + target + " HTTP/1.1"));
      else bad(rows, name, request("GET $T" + target + " HTTP/1.1"), 400, is_control(c) && c != '\t');
    };
    row("path", text, visible && c != '\\');
    row("query", "/q?" + text, visible);
  }
  good(rows, "percent-encoding stays", request("GET $T/%C3%a4%2f%00?%0d%0A HTTP/1.1"),
       arrived("GET /%C3%a4%2f%00?%0d%0A HTTP/1.1"));
  good(rows, "dots stay", request("GET $T/a/../b/./c//d HTTP/1.1"), arrived("GET /a/../b/./c//d HTTP/1.1"));
  good(rows, "an empty query", request("GET $T/? HTTP/1.1"), arrived("GET /? HTTP/1.1"));
  good(rows, "a URL in the query", request("GET $T/?u=http://a/b HTTP/1.1"), arrived("GET /?u=http://a/b HTTP/1.1"));
  good(rows, "two slashes in front", request("GET $T//a HTTP/1.1"), arrived("GET //a HTTP/1.1"));
  good(rows, "no path", request("GET $T HTTP/1.1"), arrived("GET / HTTP/1.1"), Where::proxy);
  good(rows, "no path but a query", request("GET $T?q HTTP/1.1"), arrived("GET /?q HTTP/1.1"), Where::proxy);
  good(rows, "OPTIONS without a path", request("OPTIONS $T HTTP/1.1"), arrived("OPTIONS * HTTP/1.1"), Where::proxy);
  good(rows, "OPTIONS *", request("OPTIONS * HTTP/1.1"), arrived("OPTIONS * HTTP/1.1"), Where::server);
  good(rows, "absolute form", request("GET http://$H/t HTTP/1.1"), kPlain, Where::proxy);
  good(rows, "a scheme in capitals", request("GET HTTP://$H/t HTTP/1.1"), kPlain, Where::proxy);
  good(rows, "ws:", request("GET ws://$H/t HTTP/1.1"), kPlain, Where::proxy);
  bad(rows, "GET *", request("GET * HTTP/1.1"));
  bad(rows, "OPTIONS *a", request("OPTIONS *a HTTP/1.1"));
  for (const char* const target : {"t", "$H", "http:", "http:/", "http://", "http:///t", "http://?t", "ftp://$H/t", "://a",
                                   "javascript:alert(1)", "file:///etc/passwd", "?q", "%2f"})
    bad(rows, "target "s + target, request("GET "s + target + " HTTP/1.1"));
  for (const char* const target : {"http://u@$H/t", "http://u:p@$H/t", "http://$H:1/t", "http://local host/t", "http://[::1/t",
                                   "http://$H%00/t", "http://:80/t"})
    rows.push_back({"authority "s + target,
                    request("GET "s + target + " HTTP/1.1"),
                    400,
                    {},
                    target != "http://local host/t"s,
                    false,
                    Where::proxy});
  bad(rows, "\\ in an authority", request("GET http://$H\\@b/t HTTP/1.1"));
  bad(rows, "# in an authority", request("GET http://$H#@b/t HTTP/1.1"));

  for (const char* const version : {"HTTP/1.1", "HTTP/1.2", "HTTP/1.9"})
    good(rows, "version "s + version, request("GET $T/t "s + version), kPlain);
  rows.push_back({"version HTTP/1.0", request("GET $T/t HTTP/1.0"), 200, kPlain, false});
  for (const char* const version : {"HTTP/2.0", "HTTP/3.0", "HTTP/0.9", "HTTP/9.9"})
    bad(rows, "version "s + version, request("GET $T/t "s + version), 505);
  for (const std::string& version :
       Strings{"HTTP/1",    "HTTP/1.",      "HTTP/.1",         "HTTP/1.11", "HTTP/11.1", "HTTP/1.1.", "HTTP/1,1",
               "HTTP/ 1.1", "HTTP /1.1",    "http/1.1",        "Http/1.1",  "HTTP/x.1",  "HTTP/1.x",  "HTTP\\1.1",
               "HTTP/1.1x", "HTTP/1.1 x",   "HTTP/+1.1",       "HTTP/1.-1", "HTTP/01.1", "xHTTP/1.1", "HTTPS/1.1",
               "ICY/1.1",   "HTTP/1.1\x0b", "HTTP/\xc2\xb9.1", "HTTP/1.1;a"})
    bad(rows, "version " + version, request("GET $T/t " + version), 400, version.ends_with('\x0b'));
  bad(rows, "no version", request("GET $T/t"));
  bad(rows, "no version, and a space", request("GET $T/t "));
  bad(rows, "HTTP/0.9", "GET $T/t\r\n\r\n");
  bad(rows, "no target", request("GET HTTP/1.1"));
  bad(rows, "no target, two spaces", request("GET  HTTP/1.1"));
  bad(rows, "no method", request(" $T/t HTTP/1.1"), 400, true);

  for (const auto& [name, blank] : std::vector<std::pair<std::string, std::string>>{{"two spaces", "  "},
                                                                                    {"a tab", "\t"},
                                                                                    {"space and tab", " \t"},
                                                                                    {"tab and space", "\t "},
                                                                                    {"VT", "\x0b"},
                                                                                    {"FF", "\x0c"},
                                                                                    {"CR", "\r"}}) {
    bad(rows, name + " behind the method", request("GET" + blank + "$T/t HTTP/1.1"), 400, blank == "\x0b" || blank == "\x0c");
    // A VT or FF in front of the version leaves two words, and the line without one.
    bad(rows, name + " in front of the version", request("GET $T/t" + blank + "HTTP/1.1"), 400,
        blank == "\x0b" || blank == "\x0c");
    bad(rows, name + " behind the version", request("GET $T/t HTTP/1.1" + blank), 400, blank == "\x0b" || blank == "\x0c");
  }
  bad(rows, "a space in front of the line", request(" GET $T/t HTTP/1.1"));
  bad(rows, "a tab in front of the line", request("\tGET $T/t HTTP/1.1"));
  for (const int lines : {1, 2, 3, 4}) {
    std::string text;
    for (int i = 0; i < lines; ++i) text += "\r\n";
    good(rows, fmt::format("{} empty lines in front", lines), text + request(kGet), kPlain);
  }
  bad(rows, "five empty lines in front", "\r\n\r\n\r\n\r\n\r\n" + request(kGet));
  bad(rows, "an empty line ended by LF in front", "\n" + request(kGet));
  bad(rows, "a bare CR in front", "\r" + request(kGet));
  bad(rows, "a blank line in front", " \r\n" + request(kGet));
  bad(rows, "CR CR LF ends the line", "GET $T/t HTTP/1.1\r\r\nHost: $H\r\n$A\r\n");
  bad(rows, "LF ends the line", "GET $T/t HTTP/1.1\nHost: $H\r\n$A\r\n");
  bad(rows, "CR ends the line", "GET $T/t HTTP/1.1\rHost: $H\r\n$A\r\n");
  bad(rows, "LF CR ends the line", "GET $T/t HTTP/1.1\n\rHost: $H\r\n$A\r\n");
  bad(rows, "LF everywhere", "GET $T/t HTTP/1.1\nHost: $H\n\n");

  bad(rows, "a method over the limit", times(40'000, 'A'), 501);
  bad(rows, "a target over the limit", request("GET $T/" + times(40'000, 'a') + " HTTP/1.1"), 414);
  bad(rows, "a target over the limit, without end", "GET $T/" + times(40'000, 'a'), 414);
  good(rows, "a target within the limit", request("GET $T/" + times(30'000, 'a') + " HTTP/1.1"),
       arrived("GET /" + times(30'000, 'a') + " HTTP/1.1"));
}

void add_hosts(Requests& rows) {
  bad(rows, "no Host", "GET $T/t HTTP/1.1\r\n$A\r\n");
  rows.push_back({"no Host in HTTP/1.0", "GET $T/t HTTP/1.0\r\n$A\r\n", 200, kPlain, false, false, Where::proxy});
  bad(rows, "no Host in HTTP/1.0 to a server", "GET $T/t HTTP/1.0\r\n$A\r\n", 400, false, Where::server);
  bad(rows, "two Hosts", "GET $T/t HTTP/1.1\r\nHost: $H\r\nHost: $H\r\n$A\r\n");
  bad(rows, "two Hosts, one empty", "GET $T/t HTTP/1.1\r\nHost: $H\r\nHost:\r\n$A\r\n");
  bad(rows, "two Hosts, apart and in other case", "GET $T/t HTTP/1.1\r\nhost: $H\r\nX-A: b\r\n$AHOST: evil\r\n\r\n");
  bad(rows, "an empty Host", "GET $T/t HTTP/1.1\r\nHost:\r\n$A\r\n");
  bad(rows, "a blank Host", "GET $T/t HTTP/1.1\r\nHost: \t \r\n$A\r\n");
  bad(rows, "an empty Host in HTTP/1.0", "GET $T/t HTTP/1.0\r\nHost:\r\n$A\r\n");
  for (const std::string& host : Strings{":80",
                                         "u@localhost",
                                         "u:p@localhost",
                                         "localhost/x",
                                         "localhost:x",
                                         "localhost:",
                                         "localhost:0",
                                         "localhost:65536",
                                         "localhost:-1",
                                         "localhost:80:80",
                                         "local host",
                                         "local\thost",
                                         "localhost, evil",
                                         "localhost;a",
                                         "localhost?a",
                                         "localhost#a",
                                         "local\\host",
                                         "[::1",
                                         "::1]",
                                         "[::1]x",
                                         "[::1]:x",
                                         "[g::]",
                                         "localhost%00",
                                         "%6cocalhost",
                                         "l\xc3\xb6",
                                         "http://localhost",
                                         "\"localhost\"",
                                         "<localhost>",
                                         "local_host\x01",
                                         "*",
                                         "a..b"})
    bad(rows, "Host " + host, "GET $T/t HTTP/1.1\r\nHost: " + host + "\r\n$A\r\n");
  good(rows, "spaces around Host", "GET $T/t HTTP/1.1\r\nHost: \t $H \t\r\n$A\r\n", kPlain);
  good(rows, "no space behind Host:", "GET $T/t HTTP/1.1\r\nhOST:$H\r\n$A\r\n", kPlain);
  good(rows, "Host is not the first field", "GET $T/t HTTP/1.1\r\nX-A: b\r\n$AHost: $H\r\n\r\n",
       arrived("GET /t HTTP/1.1", "X-A: b\r\n"));
  // RFC 9112 section 3.2.2: what the absolute form says counts.
  for (const char* const host : {"evil.example", "l", "127.0.0.1:9", "[::1]:9"})
    good(rows, "another Host beside an absolute target: "s + host, "GET $T/t HTTP/1.1\r\nHost: "s + host + "\r\n$A\r\n", kPlain,
         Where::proxy);
  rows.push_back(
      {"another Host to a server", "GET $T/t HTTP/1.1\r\nHost: evil.example\r\n$A\r\n", 421, {}, true, false, Where::server});
  bad(rows, "CONNECT without Host", "CONNECT localhost:3000 HTTP/1.1\r\n$A\r\n", 400, false, Where::proxy);
  bad(rows, "CONNECT with an empty Host", "CONNECT localhost:3000 HTTP/1.1\r\nHost:\r\n$A\r\n", 400, false, Where::proxy);
  bad(rows, "CONNECT with another Host", "CONNECT localhost:3000 HTTP/1.1\r\nHost: evil.example:3000\r\n$A\r\n", 400, false,
      Where::proxy);
  bad(rows, "CONNECT with another port in Host", "CONNECT localhost:3000 HTTP/1.1\r\nHost: localhost:3001\r\n$A\r\n", 400, false,
      Where::proxy);
  for (const char* const target : {"localhost", "localhost:", "localhost:0", "localhost:99999", ":3000", "http://localhost:3000",
                                   "/", "*", "u@localhost:3000", "[::1]"})
    rows.push_back({"CONNECT "s + target,
                    "CONNECT "s + target + " HTTP/1.1\r\nHost: localhost\r\n$A\r\n",
                    400,
                    {},
                    true,
                    false,
                    Where::proxy});
  rows.back().bytes = "CONNECT [::1] HTTP/1.1\r\nHost: [::1]\r\n$A\r\n";
  rows.push_back({"CONNECT inside of a tunnel", "CONNECT $H HTTP/1.1\r\nHost: $H\r\n\r\n", 400, {}, true, false, Where::server});
}

void add_fields(Requests& rows) {
  for (const unsigned char c : telling_bytes()) {
    const std::string name = "X"s + static_cast<char>(c) + "Y";
    if (is_tchar(c))
      good(rows, "in a field's name: " + shown(c), request(kGet, name + ": v\r\n"), arrived("GET /t HTTP/1.1", name + ": v\r\n"));
    else if (c != ':') bad(rows, "in a field's name: " + shown(c), request(kGet, name + ": v\r\n"));
    bad(rows, "in front of a field's name: " + shown(c),
        request(kGet, std::string(1, static_cast<char>(c)) + (is_tchar(c) ? " X: v\r\n" : "X: v\r\n")));
    if (!is_tchar(c) && c != ':')
      bad(rows, "behind a field's name: " + shown(c), request(kGet, "X"s + static_cast<char>(c) + ": v\r\n"));
    const std::string value = "a"s + static_cast<char>(c) + "b";
    if (!is_control(c) || c == '\t')
      good(rows, "in a value: " + shown(c), request(kGet, "X: " + value + "\r\n"),
           arrived("GET /t HTTP/1.1", "X: " + value + "\r\n"));
    else bad(rows, "in a value: " + shown(c), request(kGet, "X: " + value + "\r\n"));
    if (is_control(c) && c != '\t') {
      bad(rows, "in front of a value: " + shown(c), request(kGet, "X: "s + static_cast<char>(c) + "b\r\n"));
      bad(rows, "behind a value: " + shown(c), request(kGet, "X: b"s + static_cast<char>(c) + "\r\n"));
    }
  }
  bad(rows, "no name", request(kGet, ": v\r\n"));
  bad(rows, "no colon", request(kGet, "X\r\n"));
  bad(rows, "no colon in the last field", "GET $T/t HTTP/1.1\r\nHost: $H\r\n$AX\r\n\r\n");
  bad(rows, "a blank line", request(kGet, " \r\n"));
  for (const auto& [name, fold] :
       std::vector<std::pair<std::string, std::string>>{{"space", "X: a\r\n b\r\n"},
                                                        {"tab", "X: a\r\n\tb\r\n"},
                                                        {"spaces", "X: a\r\n    b\r\n"},
                                                        {"of nothing", "X: a\r\n \r\n"},
                                                        {"of an empty value", "X:\r\n a\r\n"},
                                                        {"twice", "X: a\r\n b\r\n c\r\n"},
                                                        {"looks like a field", "X: a\r\n Content-Length: 5\r\n"},
                                                        {"of Content-Length", "Content-Length:\r\n 5\r\n"},
                                                        {"of Transfer-Encoding", "Transfer-Encoding:\r\n chunked\r\n"},
                                                        {"of a coding", "Transfer-Encoding: chun\r\n ked\r\n"}})
    bad(rows, "obs-fold: " + name, request(kPost, fold));
  bad(rows, "obs-fold of Host", "GET $T/t HTTP/1.1\r\nHost:\r\n $H\r\n$A\r\n");
  bad(rows, "the first field is folded", "GET $T/t HTTP/1.1\r\n X: a\r\nHost: $H\r\n$A\r\n");
  for (const auto& [name, text] : std::vector<std::pair<std::string, std::string>>{{"LF", "X: a\n"},
                                                                                   {"CR", "X: a\r"},
                                                                                   {"LF CR", "X: a\n\r"},
                                                                                   {"CR CR LF", "X: a\r\r\n"},
                                                                                   {"LF LF", "X: a\n\n"},
                                                                                   {"NUL CR LF", "X: a\0\r\n"s}}) {
    if (name != "CR") bad(rows, name + " ends a field", request(kGet, text));
    bad(rows, name + " ends a field before another", request(kGet, text + "Y: b\r\n"));
  }
  bad(rows, "LF ends the head", "GET $T/t HTTP/1.1\r\nHost: $H\r\n$A\n");
  bad(rows, "CR CR LF ends the head", "GET $T/t HTTP/1.1\r\nHost: $H\r\n$A\r\r\n\r\n");
  good(rows, "empty value", request(kGet, "X:\r\nY: \t\r\n"), arrived("GET /t HTTP/1.1", "X: \r\nY: \r\n"));
  good(rows, "blanks around a value", request(kGet, "X: \t a \t b \t\r\n"), arrived("GET /t HTTP/1.1", "X: a \t b\r\n"));
  good(rows, "repeated fields stay apart, in order", request(kGet, "X: 1\r\nY: 2\r\nx: 3\r\n"),
       arrived("GET /t HTTP/1.1", "X: 1\r\nY: 2\r\nx: 3\r\n"));
  good(rows, "colons in a value", request(kGet, "X: :a: b:\r\n"), arrived("GET /t HTTP/1.1", "X: :a: b:\r\n"));
  good(rows, "a value within the limit", request(kGet, "X: " + times(60'000, 'a') + "\r\n"),
       arrived("GET /t HTTP/1.1", "X: " + times(60'000, 'a') + "\r\n"));
  bad(rows, "a value over the limit", request(kGet, "X: " + times(70'000, 'a') + "\r\n"), 431);
  bad(rows, "a name over the limit", request(kGet, times(70'000, 'a') + ": x\r\n"), 431);
  std::string many;
  for (int i = 0; i < 600; ++i) many += fmt::format("X-{}: v\r\n", i);
  bad(rows, "fields over the limit", request(kGet, many), 431);

  // Connection, and what it names (RFC 9110 section 7.6.1).
  for (const char* const field :
       {"Connection: keep-alive", "Proxy-Connection: keep-alive", "Keep-Alive: timeout=5", "TE: gzip", "Upgrade: h2c",
        "HTTP2-Settings: AAMAAABkAAQAAP__", "Connection: X\r\nX: 1", "Connection: x , y\r\nX: 1\r\nY: 2\r\nx: 3",
        "Connection:\r\nConnection: ,,X,,\r\nX: 1", "Upgrade: websocket",
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x"})
    good(rows, "goes no further: "s + field, request(kGet, field + "\r\n"s), kPlain);
  good(rows, "TE: trailers goes on", request(kGet, "Connection: TE\r\nTE: trailers, gzip\r\n"),
       arrived("GET /t HTTP/1.1", "Connection: TE\r\nTE: trailers\r\n"));
  rows.push_back({"Connection: close", request(kGet, "Connection: close\r\n"), 200, kPlain, false});
  rows.push_back({"Connection: a, CLOSE", request(kGet, "Connection: a, CLOSE\r\n"), 200, kPlain, false});
  good(rows, "Connection: Host does not take it away", request(kGet, "Connection: Host\r\n"), kPlain);
  good(rows, "Connection: Content-Length does not take it away",
       request(kPost, "Connection: Content-Length\r\nContent-Length: 2\r\n", "ab"),
       arrived("POST /t HTTP/1.1", "Content-Length: 2\r\n", "ab"));
  good(rows, "Connection: Transfer-Encoding does not take it away",
       request(kPost, "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\n\r\n"),
       arrived("POST /t HTTP/1.1", "Transfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\n\r\n"));
}

}  // namespace e2e::h1
