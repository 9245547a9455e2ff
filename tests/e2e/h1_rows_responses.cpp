// Rows about responses: what an origin says, and what the client gets of it.
#include <fmt/format.h>

#include "h1_table.hpp"

namespace e2e::h1 {
namespace {

using namespace std::string_literals;

std::string ok(std::string_view fields = {}, std::string_view body = "hello") {
  return fmt::format("HTTP/1.1 200 OK\r\n{}Content-Length: {}\r\n\r\n{}", fields, body.size(), body);
}
std::string with(std::string_view fields, std::string_view body = {}) {
  return fmt::format("HTTP/1.1 200 OK\r\n{}\r\n{}", fields, body);
}
std::string in_chunks(std::string_view body) { return with("Transfer-Encoding: chunked\r\n", body); }

void same(Responses& rows, std::string name, const std::string& bytes) { rows.push_back({std::move(name), bytes, bytes}); }
void becomes(Responses& rows, std::string name, std::string bytes, std::string arrives, bool close = false) {
  rows.push_back({std::move(name), std::move(bytes), std::move(arrives), false, close});
}
void bad(Responses& rows, std::string name, std::string bytes, bool close = false) {
  rows.push_back({std::move(name), std::move(bytes), {}, false, close});
}

void add_heads(Responses& rows) {
  same(rows, "plain", ok());
  same(rows, "nothing in it", ok("", ""));
  for (const int status : {200, 201, 226, 299, 301, 400, 404, 407, 418, 429, 500, 503, 599, 600, 999})
    same(rows, fmt::format("status {}", status), fmt::format("HTTP/1.1 {} Words\r\nContent-Length: 2\r\n\r\nok", status));
  for (const auto& [line, becomes_line] :
       std::vector<std::pair<std::string, std::string>>{{"HTTP/1.1 200", "HTTP/1.1 200 OK"},
                                                        {"HTTP/1.1 200 ", "HTTP/1.1 200 OK"},
                                                        {"HTTP/1.1 200 a  b ", "HTTP/1.1 200 a  b "},
                                                        {"HTTP/1.1 200 \tZo\xc3\xab", "HTTP/1.1 200 \tZo\xc3\xab"},
                                                        {"HTTP/1.9 200 OK", "HTTP/1.1 200 OK"},
                                                        {"HTTP/1.0 200 OK", "HTTP/1.1 200 OK"},
                                                        {"HTTP/1.1 299", "HTTP/1.1 299 "}})
    becomes(rows, "line " + line, line + "\r\nContent-Length: 2\r\n\r\nok", becomes_line + "\r\nContent-Length: 2\r\n\r\nok");
  for (const std::string& line : Strings{"",
                                         " ",
                                         "HTTP/1.1",
                                         "HTTP/1.1 ",
                                         "HTTP/1.1 20",
                                         "HTTP/1.1 2",
                                         "HTTP/1.1 2000 OK",
                                         "HTTP/1.1 0200 OK",
                                         "HTTP/1.1 2x0 OK",
                                         "HTTP/1.1 x00 OK",
                                         "HTTP/1.1 -20 OK",
                                         "HTTP/1.1 +20 OK",
                                         "HTTP/1.1 099 OK",
                                         "HTTP/1.1 000 OK",
                                         "HTTP/1.1  200 OK",
                                         "HTTP/1.1\t200 OK",
                                         "HTTP/1.1 200\tOK",
                                         "HTTP/1.1 200OK",
                                         " HTTP/1.1 200 OK",
                                         "HTTP/1.1 2 0 OK",
                                         "http/1.1 200 OK",
                                         "HTTP/2.0 200 OK",
                                         "HTTP/0.9 200 OK",
                                         "HTTP/1 200 OK",
                                         "HTTP/1.1.1 200 OK",
                                         "HTTP/11.1 200 OK",
                                         "HTTP/x.1 200 OK",
                                         "HTTPS/1.1 200 OK",
                                         "ICY 200 OK",
                                         "200 OK",
                                         "<html>",
                                         "SSH-2.0-x",
                                         "GET / HTTP/1.1",
                                         "HTTP/1.1 200 a\rb",
                                         "HTTP/1.1 200 a\0b"s,
                                         "HTTP/1.1 200 a\x7f",
                                         "HTTP/1.1 200 a\x1b[0m",
                                         "\x16\x03\x01"})
    bad(rows, "line " + line, line + "\r\nContent-Length: 2\r\n\r\nok", true);
  bad(rows, "nothing", "\r\n\r\n", true);
  bad(rows, "an empty line in front", "\r\n" + ok(), true);
  bad(rows, "a body alone (HTTP/0.9)", "hello", true);
  bad(rows, "a head that breaks off", "HTTP/1.1 200 OK\r\nContent-Le", true);
  bad(rows, "a status line over the limit", "HTTP/1.1 200 " + std::string(40'000, 'a') + "\r\n\r\n", true);
  bad(rows, "a field over the limit", with("X: " + std::string(70'000, 'a') + "\r\n"), true);
  std::string many;
  for (int i = 0; i < 600; ++i) many += fmt::format("X-{}: v\r\n", i);
  bad(rows, "fields over the limit", with(many), true);
  for (const unsigned char c : telling_bytes()) {
    const bool control = c < 0x20 || c == 0x7f;
    const std::string name = "X"s + static_cast<char>(c) + "Y: v\r\n", value = "X: a"s + static_cast<char>(c) + "b\r\n",
                      reason = "HTTP/1.1 200 a"s + static_cast<char>(c) + "b\r\nContent-Length: 2\r\n\r\nok";
    if (is_tchar(c)) same(rows, "in a field's name: " + shown(c), ok(name));
    else if (c != ':') bad(rows, "in a field's name: " + shown(c), ok(name), true);
    if (!is_tchar(c) && c != ':')
      bad(rows, "behind a field's name: " + shown(c), ok("X"s + static_cast<char>(c) + ": v\r\n"), true);
    if (!control || c == '\t') {
      same(rows, "in a value: " + shown(c), ok(value));
      same(rows, "in a reason: " + shown(c), reason);
    } else {
      bad(rows, "in a value: " + shown(c), ok(value), true);
      bad(rows, "in a reason: " + shown(c), reason, true);
    }
  }
  for (const std::string& fields : Strings{": v\r\n", "X\r\n", "X: a\r\n b\r\n", "X: a\r\n\tb\r\n", "X:\r\n a\r\n", " X: a\r\n",
                                           "X: a\n", "X: a\r", "X: a\nY: b\r\n", "X: a\r\r\n", "X: a\n\r",
                                           "Set-Cookie: a\r\n =b\r\n", "X: a\rSet-Cookie: b\r\n", "X: a\0\r\n"s, " \r\n"})
    bad(rows, "fields " + fields, ok(fields), true);
  bad(rows, "LF everywhere", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", true);
  bad(rows, "LF ends the head", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\nok", true);
  becomes(rows, "blanks around a value", ok("X: \t a \t\r\nY:\r\nZ:b\r\n"), ok("X: a\r\nY: \r\nZ: b\r\n"));
  same(rows, "repeated fields stay apart, in order", ok("Set-Cookie: a\r\nX: 1\r\nset-cookie: b\r\nX: 2\r\n"));
  for (const char* const field :
       {"Connection: close", "Connection: keep-alive", "Keep-Alive: timeout=5", "Proxy-Connection: close",
        "Connection: X\r\nX: 1", "connection: y ,x\r\nX: 1\r\nY: 2\r\nx: 3", "Upgrade: h2c",
        "Connection: Upgrade\r\nUpgrade: websocket", "Proxy-Authenticate: Basic realm=x", "TE: trailers"})
    becomes(rows, "goes no further: "s + field, ok(field + "\r\n"s), ok());
}

void add_framing(Responses& rows) {
  for (const std::string& length :
       Strings{"", " ", "00", "05", "+5", "-5", "0x5", "5 5", "5,5", "5, 6", "5;", "5.0", "\"5\"", "5\x0b", "5\0"s, "\xc2\xb2",
               "five", "18446744073709551621", "99999999999999999999999999999999"})
    bad(rows, "CL '" + length + "'", with("Content-Length: " + length + "\r\n", "hello"), true);
  bad(rows, "two CLs that differ", with("Content-Length: 5\r\nContent-Length: 6\r\n", "hello!"), true);
  bad(rows, "two CLs that differ by a zero", with("Content-Length: 5\r\nContent-Length: 05\r\n", "hello"), true);
  becomes(rows, "the same CL twice", with("Content-Length: 5\r\ncontent-length: 5\r\n", "hello"), ok());
  for (const std::string& coding :
       Strings{"", ",", "identity", "gzip", "xchunked", "chunked;a", "chunked, gzip", "gzip, chunked", "chunked, chunked",
               "chunked\x0b", "\"chunked\"", "chunked\0"s, "chun ked", "chunked (a)"})
    bad(rows, "TE '" + coding + "'", with("Transfer-Encoding: " + coding + "\r\n", "5\r\nhello\r\n0\r\n\r\n"), true);
  for (const char* const length : {"0", "5", "100", "x"})
    for (const char* const coding : {"chunked", "Chunked", "identity", "gzip", "xchunked"}) {
      bad(rows, fmt::format("CL {} with TE {}", length, coding),
          with(fmt::format("Content-Length: {}\r\nTransfer-Encoding: {}\r\n", length, coding), "5\r\nhello\r\n0\r\n\r\n"), true);
      bad(rows, fmt::format("TE {} with CL {}", coding, length),
          with(fmt::format("Transfer-Encoding: {}\r\nContent-Length: {}\r\n", coding, length), "5\r\nhello\r\n0\r\n\r\n"), true);
    }
  bad(rows, "TE in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", true);
  for (const std::string& line :
       Strings{"Transfer-Encoding : chunked\r\n", " Transfer-Encoding: chunked\r\n", "X: y\rTransfer-Encoding: chunked\r\n",
               "X: y\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding:\r\n chunked\r\n", "Transfer-Encoding\0: chunked\r\n"s,
               "Transfer-Encoding\x0b: chunked\r\n", "Content-Length : 0\r\n"})
    bad(rows, "smuggled by " + line, with("Content-Length: 5\r\n" + line, "hello"), true);
  becomes(rows, "until the end", with("X: y\r\n", "hello"),
          with("X: y\r\nTransfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"), true);
  becomes(rows, "until the end, in HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nhello", in_chunks("5\r\nhello\r\n0\r\n\r\n"), true);
  becomes(rows, "until the end, and empty", with(""), in_chunks("0\r\n\r\n"), true);
  becomes(rows, "what follows is no response", ok() + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", ok());
  becomes(rows, "what follows the chunks is no response", in_chunks("5\r\nhello\r\n0\r\n\r\n") + ok("", "evil"),
          in_chunks("5\r\nhello\r\n0\r\n\r\n"));
  rows.push_back(
      {"a body that breaks off", with("Content-Length: 10\r\n", "hello"), with("Content-Length: 10\r\n", "hello"), true, true});
  rows.push_back({"chunks that break off", in_chunks("5\r\nhel"), in_chunks("3\r\nhel\r\n"), true, true});
  rows.push_back({"no last chunk", in_chunks("5\r\nhello\r\n"), in_chunks("5\r\nhello\r\n"), true, true});
  rows.push_back({"trailers that break off", in_chunks("5\r\nhello\r\n0\r\nX: y\r\n"), in_chunks("5\r\nhello\r\n"), true, true});

  for (const char* const status : {"204 No Content", "304 Not Modified"}) {
    const std::string line = "HTTP/1.1 "s + status + "\r\n";
    const bool keeps = status[0] == '3';
    same(rows, "no body: "s + status, line + "\r\n");
    becomes(rows, "no body, with CL: "s + status, line + "Content-Length: 5\r\n\r\n",
            line + (keeps ? "Content-Length: 5\r\n\r\n" : "\r\n"));
    becomes(rows, "no body, with TE: "s + status, line + "Transfer-Encoding: chunked\r\n\r\n", line + "\r\n");
    becomes(rows, "a body all the same: "s + status, line + "\r\nhello", line + "\r\n");
  }
  for (const char* const fields : {"Content-Length: 5\r\n", "", "Content-Length: 0\r\n"})
    rows.push_back({"HEAD: "s + fields, with(fields), with(fields), false, false, "HEAD"});
  rows.push_back({"HEAD: chunked", with("Transfer-Encoding: chunked\r\n"), with(""), false, false, "HEAD"});
  rows.push_back({"HEAD with a body all the same", ok(), with("Content-Length: 5\r\n"), false, false, "HEAD"});
  rows.push_back({"HEAD: CL that is none", with("Content-Length: x\r\n"), {}, false, true, "HEAD"});
  const std::string hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", go_on = "HTTP/1.1 100 Continue\r\n\r\n";
  same(rows, "103 in front", hints + ok());
  same(rows, "100 in front", go_on + ok());
  same(rows, "several in front", hints + go_on + hints + ok());
  becomes(rows, "an interim one has no body", "HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n" + ok(),
          "HTTP/1.1 103 Early Hints\r\n\r\n" + ok());
  bad(rows, "101 that nobody asked for", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
      true);
  rows.push_back({"HTTP/1.0 gets no interim ones", hints + ok(),
                  "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", false, false, "GET", "HTTP/1.0"});
  rows.push_back({"HTTP/1.0 gets no chunks", in_chunks("5\r\nhello\r\n0\r\n\r\n"),
                  "HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nhello", false, false, "GET", "HTTP/1.0"});
}

void add_chunks(Responses& rows) {
  const std::string hello = in_chunks("5\r\nhello\r\n0\r\n\r\n");
  for (const std::string& size : Strings{"5", "0005", std::string(33, '0') + "5", "5;a", "5;a=b", "5 ; a = \"b\\\"\"", "5;a;b"})
    becomes(rows, "size " + size, in_chunks(size + "\r\nhello\r\n0\r\n\r\n"), hello);
  for (const std::string& size : Strings{"",
                                         " 5",
                                         "5 ",
                                         "+5",
                                         "-5",
                                         "0x5",
                                         "g",
                                         "5,5",
                                         "5 5",
                                         "5\0"s,
                                         "5\x0b",
                                         "1000000000000005",
                                         "fffffffffffffffff",
                                         "5;",
                                         "5;;a",
                                         "5;a=",
                                         "5;a=\"b",
                                         "5;bad[=x",
                                         "5;a b",
                                         "5;\xc3\xa4",
                                         "5;a\x01",
                                         "5\r",
                                         "5;" + std::string(2'000, 'a'),
                                         std::string(2'000, '0') + "5"})
    bad(rows, "size " + size.substr(0, 20), in_chunks(size + "\r\nhello\r\n0\r\n\r\n"), true);
  for (const char* const data : {"hello", "hello\n", "hello\r", "hello!\r\n", "hell\r\n", "hello\r\r\n", "hello\r\n\r\n"})
    bad(rows, "data "s + data, in_chunks("5\r\n"s + data + "0\r\n\r\n"), true);
  bad(rows, "LF behind a size", in_chunks("5\nhello\r\n0\r\n\r\n"), true);
  same(rows, "trailers", in_chunks("5\r\nhello\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\n"));
  for (const char* const field :
       {"Content-Length: 5", "Transfer-Encoding: chunked", "Set-Cookie: a", "Connection: close", "Trailer: x"})
    becomes(rows, "trailer goes no further: "s + field, in_chunks("5\r\nhello\r\n0\r\n"s + field + "\r\n\r\n"), hello);
  for (const std::string& trailer :
       Strings{"X", "X : a", ": a", " X: a", "X: a\r\n b", "X: a\nY: b", "X: a\0"s, "X(: a", "\xff: a"})
    bad(rows, "trailer " + trailer, in_chunks("5\r\nhello\r\n0\r\n" + trailer + "\r\n\r\n"), true);
}

}  // namespace

void add_responses(Responses& rows) {
  add_heads(rows);
  add_framing(rows);
  add_chunks(rows);
}

}  // namespace e2e::h1
