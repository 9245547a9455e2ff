// Rows about where a message ends (RFC 9112 sections 6 and 7), and the known ways to make two readers disagree about it.
#include <fmt/format.h>

#include "h1_table.hpp"

namespace e2e::h1 {
namespace {

using namespace std::string_literals;

std::string by_length(std::string_view length, std::string_view body) {
  return request(kPost, fmt::format("Content-Length: {}\r\n", length), body);
}
std::string in_chunks(std::string_view body) { return request(kPost, "Transfer-Encoding: chunked\r\n", body); }
std::string arrived_chunked(std::string_view body) { return arrived("POST /t HTTP/1.1", "Transfer-Encoding: chunked\r\n", body); }
const std::string kHello = arrived("POST /t HTTP/1.1", "Content-Length: 5\r\n", "hello"),
                  kChunkedHello = arrived_chunked("5\r\nhello\r\n0\r\n\r\n");
const std::string kNext = "GET $T/smuggled HTTP/1.1\r\nHost: $H\r\n$A\r\n";

}  // namespace

void add_framing(Requests& rows) {
  good(rows, "CL", by_length("5", "hello"), kHello);
  good(rows, "CL in blanks", by_length("\t 5 \t", "hello"), kHello);
  good(rows, "CL 0", by_length("0", ""), arrived("POST /t HTTP/1.1", "Content-Length: 0\r\n"));
  good(rows, "CL 0 of GET", request(kGet, "Content-Length: 0\r\n"), arrived("GET /t HTTP/1.1", "Content-Length: 0\r\n"));
  good(rows, "CL of GET", request(kGet, "Content-Length: 5\r\n", "hello"),
       arrived("GET /t HTTP/1.1", "Content-Length: 5\r\n", "hello"));
  good(rows, "the same CL twice", request(kPost, "Content-Length: 5\r\nX: y\r\ncontent-length: 5\r\n", "hello"),
       arrived("POST /t HTTP/1.1", "X: y\r\nContent-Length: 5\r\n", "hello"));
  for (const std::string& length : Strings{"",
                                           " ",
                                           "00",
                                           "05",
                                           "0005",
                                           "+5",
                                           "-5",
                                           "-0",
                                           "+0",
                                           "0x5",
                                           "5h",
                                           "h5",
                                           "5 5",
                                           "5\t5",
                                           "5,5",
                                           "5, 5",
                                           "5,",
                                           ",5",
                                           "5;",
                                           "5.0",
                                           "5e0",
                                           "\"5\"",
                                           "'5'",
                                           "5\x0b",
                                           "\x0c"
                                           "5",
                                           "5\0"s,
                                           "\xc2\xb2",
                                           "\xef\xbc\x95",
                                           "5_0",
                                           "1 000",
                                           "5=5",
                                           "(5)",
                                           "5-",
                                           "five",
                                           "NaN",
                                           "Infinity",
                                           "18446744073709551616",
                                           "18446744073709551621",
                                           "9223372036854775808",
                                           "99999999999999999999999999999999"})
    bad(rows, "CL '" + length + "'", by_length(length, "hello") + kNext);
  for (const char* const fields :
       {"Content-Length: 5\r\nContent-Length: 6\r\n", "Content-Length: 6\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 05\r\n", "Content-Length: 5\r\nContent-Length:\r\n",
        "Content-Length: 0\r\nContent-Length: 5\r\n", "Content-Length: 5\r\nContent-Length: 5x\r\n",
        "Content-Length: 5\r\nX: y\r\nCONTENT-LENGTH: 4\r\n", "Content-Length: 5\r\nContent-Length: 5\r\nContent-Length: 4\r\n"})
    bad(rows, "CLs: "s + fields, request(kPost, fields, "hello") + kNext);
  for (const char* const fields :
       {"Transfer-Encoding: chunked\r\n", "transfer-encoding:CHUNKED\r\n", "Transfer-Encoding: \t chunked \t\r\n",
        "Transfer-Encoding: ,chunked,\r\n", "Transfer-Encoding: , ,\tChunked\r\n"})
    good(rows, "TE: "s + fields, request(kPost, fields, "5\r\nhello\r\n0\r\n\r\n"), kChunkedHello);
  for (const std::string& coding : Strings{"",
                                           " ",
                                           ",",
                                           "identity",
                                           "gzip",
                                           "xchunked",
                                           "chunkedx",
                                           "x-chunked",
                                           "chunked;",
                                           "chunked;q=1",
                                           "chunked,gzip",
                                           "chunked, identity",
                                           "chunked chunked",
                                           "chunked, chunked",
                                           "chunked,,chunked",
                                           "chunked\x0b",
                                           "\x0b"
                                           "chunked",
                                           "chun\0ked"s,
                                           "chunked\0"s,
                                           "\"chunked\"",
                                           "'chunked'",
                                           "chunked\x7f",
                                           "\xef\xbb\xbf"
                                           "chunked",
                                           "chunked\xa0",
                                           "chu\xc5\x8bked",
                                           "chunked=1",
                                           "(a)chunked",
                                           "chunked (a)",
                                           "c hunked",
                                           "cHuNkEd\\",
                                           "trailers",
                                           "0",
                                           "chunked; a=\"b\"",
                                           "false",
                                           "null"})
    bad(rows, "TE '" + coding + "'", request(kPost, "Transfer-Encoding: " + coding + "\r\n", "5\r\nhello\r\n0\r\n\r\n") + kNext);
  for (const char* const coding : {"gzip, chunked", "identity, chunked", "x, chunked", "deflate , chunked"})
    bad(rows, "TE '"s + coding + "'", request(kPost, "Transfer-Encoding: "s + coding + "\r\n", "0\r\n\r\n") + kNext, 501);
  for (const char* const fields :
       {"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\ntransfer-encoding:\r\n",
        "Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n"})
    bad(rows, "TEs: "s + fields, request(kPost, fields, "0\r\n\r\n") + kNext);
  bad(rows, "TEs: gzip in one line, chunked in another",
      request(kPost, "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n") + kNext, 501);
  bad(rows, "TE in HTTP/1.0", request("POST $T/t HTTP/1.0", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"));
  bad(rows, "TE in HTTP/1.0 kept alive",
      request("POST $T/t HTTP/1.0", "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n") + kNext);
  for (const char* const fields :
       {"Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"})
    bad(rows, "CONNECT with "s + fields, "CONNECT $H HTTP/1.1\r\nHost: $H\r\n$A"s + fields + "\r\nhello" + kNext, 400, false);
  rows.push_back({"CONNECT with a length of 0 is none of that",
                  "CONNECT localhost HTTP/1.1\r\nHost: localhost\r\n$AContent-Length: 0\r\n\r\n",
                  400,
                  {},
                  true,
                  false,
                  RequestRow::Where::proxy});
}

void add_smuggling(Requests& rows) {
  const std::string body = "0\r\n\r\n" + kNext;
  for (const char* const length : {"0", "5", "6", "100", "x", ""})
    for (const char* const coding :
         {"chunked", "Chunked", "identity", "gzip", "xchunked", "chunked, identity", "\tchunked", "chunked;a"}) {
      const std::string cl = fmt::format("Content-Length: {}\r\n", length), te = fmt::format("Transfer-Encoding: {}\r\n", coding);
      bad(rows, fmt::format("CL {} with TE {}", length, coding), request(kPost, cl + te, body));
      bad(rows, fmt::format("TE {} with CL {}", coding, length), request(kPost, te + "X: y\r\n" + cl, body));
    }
  // A name or a line that one reader takes for Transfer-Encoding and another does not, with a length that the second goes by.
  for (const std::string& line : Strings{"Transfer-Encoding : chunked\r\n",
                                         "Transfer-Encoding\t: chunked\r\n",
                                         " Transfer-Encoding: chunked\r\n",
                                         "\tTransfer-Encoding: chunked\r\n",
                                         "X: y\rTransfer-Encoding: chunked\r\n",
                                         "X: y\nTransfer-Encoding: chunked\r\n",
                                         "X: y\n\rTransfer-Encoding: chunked\r\n",
                                         "Transfer-Encoding:\n chunked\r\n",
                                         "Transfer-Encoding\r\n: chunked\r\n",
                                         "Transfer-Encoding:\r\n chunked\r\n",
                                         "Transfer-Encoding: chunked\r\r\n",
                                         "Transfer-Encoding: chunked\n",
                                         "Transfer-Encoding\0: chunked\r\n"s,
                                         "Transfer\0-Encoding: chunked\r\n"s,
                                         "\0Transfer-Encoding: chunked\r\n"s,
                                         "Transfer-Encoding\x0b: chunked\r\n",
                                         "Transfer-Encoding\x0c: chunked\r\n",
                                         "Transfer-Encoding\x80: chunked\r\n",
                                         "\xff"
                                         "Transfer-Encoding: chunked\r\n",
                                         "Transfer-Encoding= chunked\r\n",
                                         "Transfer-Encoding chunked\r\n",
                                         "Transfer-Encoding: chunked\r\n : x\r\n",
                                         "X:\r\n\0Transfer-Encoding: chunked\r\n"s,
                                         "Transfer-Encoding;: chunked\r\n",
                                         "(Transfer-Encoding): chunked\r\n",
                                         "Transfer-Encoding:: chunked\r\n",
                                         "Transfer-Encoding: :chunked\r\n",
                                         "Content-Length : 100\r\n",
                                         "Content-Length\0: 100\r\n"s,
                                         "Content-Length: 5\r\n Content-Length: 100\r\n",
                                         "X: \rContent-Length: 100\r\n"})
    bad(rows, "smuggled by " + line, request(kPost, "Content-Length: 5\r\n" + line, "0\r\n\r\n" + kNext));
  // Names that are other names here are other names for whoever is next.
  for (const char* const name : {"Transfer_Encoding", "TransferEncoding", "X-Transfer-Encoding", "Transfer-Encodings",
                                 "Content_Length", "Content-Lengt", "Content-Length2"})
    good(rows, "not the field: "s + name, request(kPost, "Content-Length: 5\r\n"s + name + ": chunked\r\n", "hello"),
         arrived("POST /t HTTP/1.1", name + ": chunked\r\nContent-Length: 5\r\n"s, "hello"));
  good(rows, "a request in a body is a body", by_length("31", "GET /x HTTP/1.1\r\nHost: evil\r\n\r\n"),
       arrived("POST /t HTTP/1.1", "Content-Length: 31\r\n", "GET /x HTTP/1.1\r\nHost: evil\r\n\r\n"));
  good(rows, "the end of chunks in a body is a body", by_length("10", "0\r\n\r\n0\r\n\r\n"),
       arrived("POST /t HTTP/1.1", "Content-Length: 10\r\n", "0\r\n\r\n0\r\n\r\n"));
  good(rows, "a chunk that looks like the last one", in_chunks("5\r\n0\r\n\r\n\r\n0\r\n\r\n"),
       arrived_chunked("5\r\n0\r\n\r\n\r\n0\r\n\r\n"));
}

void add_chunks(Requests& rows) {
  for (const std::string& size : Strings{"5", "05", "005", std::string(33, '0') + "5", std::string(900, '0') + "5"})
    good(rows, fmt::format("size of {} digits", size.size()), in_chunks(size + "\r\nhello\r\n0\r\n\r\n"), kChunkedHello);
  for (const std::string& zeros : Strings{"0", "00", std::string(33, '0')})
    good(rows, fmt::format("last chunk of {} zeros", zeros.size()), in_chunks("5\r\nhello\r\n" + zeros + "\r\n\r\n"),
         kChunkedHello);
  good(rows, "digits in both cases", in_chunks("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"),
       arrived_chunked("14\r\n01234567890123456789\r\n0\r\n\r\n"));
  good(rows, "no chunks", in_chunks("0\r\n\r\n"), arrived_chunked("0\r\n\r\n"));
  good(rows, "a chunk of line ends", in_chunks("4\r\n\r\n\r\n\r\n0\r\n\r\n"), arrived_chunked("4\r\n\r\n\r\n\r\n0\r\n\r\n"));
  good(rows, "a byte a chunk", in_chunks("1\r\nh\r\n1\r\ne\r\n1\r\nl\r\n1\r\nl\r\n1\r\no\r\n0\r\n\r\n"), kChunkedHello);
  for (const std::string& size : Strings{"",
                                         " ",
                                         " 5",
                                         "\t5",
                                         "5 ",
                                         "5\t",
                                         "+5",
                                         "-5",
                                         "-0",
                                         "0x5",
                                         "x5",
                                         "5x",
                                         "g",
                                         "5g",
                                         "5h",
                                         "5.0",
                                         "5,5",
                                         "5 5",
                                         "5_",
                                         "_5",
                                         "#5",
                                         "5#",
                                         "\"5\"",
                                         "\xef\xbc\x95",
                                         "5\0"s,
                                         "\0"
                                         "5"s,
                                         "5\x0b",
                                         "\x0c"
                                         "5",
                                         "1000000000000005",
                                         "10000000000000005",
                                         "ffffffffffffffff",
                                         "fffffffffffffffff",
                                         std::string(2'000, '0') + "5"})
    bad(rows, "size '" + size.substr(0, 20) + "'", in_chunks(size + "\r\nhello\r\n0\r\n\r\n") + kNext);
  for (const char* const line : {"5\n", "5\r", "\n5\r\n", "\r\n5\r\n", "5\n\r", "5\r\r\n", "5\n\n", "5;\n", "5;a\n", "5;a\rb\r\n",
                                 "5;a\nb\r\n", "5\r\n\r\n"})
    bad(rows, "size line "s + line, in_chunks(line + "hello\r\n0\r\n\r\n"s) + kNext);
  for (const char* const data :
       {"hello", "hello\n", "hello\r", "hello!\r\n", "hell\r\n", "hello\r\r\n", "hello\n\r", "hello \r\n", "hello\r\n\r\n"})
    bad(rows, "data "s + data, in_chunks("5\r\n"s + data + "0\r\n\r\n") + kNext);

  // Extensions (section 7.1.1): dropped, but they must be some.
  for (const std::string& extension :
       Strings{";a", ";a=b", ";a;b;c", ";a=b;c=d", ";a=\"b\"", ";a=\"\"", ";a=\"b c;d\"", R"(;a="\"")", R"(;a="\\")", " ;a",
               "\t;\ta", "; a = b", " ; a\t=\t\"b\" ; c", ";a=\"\t\x80\xff\"", ";" + std::string(900, 'a')}) {
    good(rows, "extension " + extension.substr(0, 30), in_chunks("5" + extension + "\r\nhello\r\n0\r\n\r\n"), kChunkedHello);
    good(rows, "extension of the last chunk " + extension.substr(0, 30), in_chunks("5\r\nhello\r\n0" + extension + "\r\n\r\n"),
         kChunkedHello);
  }
  for (const std::string& extension : Strings{";",          "; ",
                                              ";;",         ";;a",
                                              ";a;",        ";a; ",
                                              ";=",         ";=b",
                                              ";a=",        ";a= ",
                                              ";a==b",      ";a=b=c",
                                              ";a b",       ";a=b c",
                                              ";a ",        ";a=b ",
                                              ";a=\"b",     ";a=\"b\"c",
                                              ";a=b\"c\"",  ";a=\"",
                                              R"(;a="b\")", R"(;a="b\)",
                                              ";\"a\"",     ";\"a\"=b",
                                              ";bad[=x",    ";a,b",
                                              " a",         "a;",
                                              ",a",         "=a",
                                              ";a=\"\0\""s, ";a=\"\x7f\"",
                                              ";a='b c'",   ";" + std::string(2'000, 'a')})
    bad(rows, "extension " + extension.substr(0, 30), in_chunks("5" + extension + "\r\nhello\r\n0\r\n\r\n") + kNext);
  for (const unsigned char c : telling_bytes()) {
    const std::string text = "a"s + static_cast<char>(c) + "b";
    const auto row = [&](const std::string& name, const std::string& extension, bool allowed) {
      const std::string bytes = in_chunks("5" + extension + "\r\nhello\r\n0\r\n\r\n");
      if (allowed) good(rows, name + shown(c), bytes, kChunkedHello);
      else bad(rows, name + shown(c), bytes + kNext);
    };
    row("in an extension's name: ", ";" + text, is_tchar(c) || c == ';' || c == '=');
    row("in an extension's value: ", ";x=" + text, is_tchar(c) || c == ';');
    row("in an extension's quoted value: ", ";x=\"" + text + "\"", c == '\t' || (c >= 0x20 && c != 0x7f && c != '"'));
    if (std::isxdigit(c) == 0) row("behind a size: ", std::string(1, static_cast<char>(c)), false);
  }

  good(rows, "trailers", in_chunks("5\r\nhello\r\n0\r\nX-Sum: 1\r\nY:\t2 \r\n\r\n"),
       arrived_chunked("5\r\nhello\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\n"));
  for (const char* const field : {"Content-Length: 5", "Transfer-Encoding: chunked", "Host: evil", "Connection: close",
                                  "Trailer: x", "TE: x", "Upgrade: x", "Cookie: a", "Set-Cookie: a", "Authorization: x",
                                  "Proxy-Authorization: x", "X-Cmux-Port-Internal: 1", "Keep-Alive: 5", "Expect: 100-continue"})
    good(rows, "trailer goes no further: "s + field, in_chunks("5\r\nhello\r\n0\r\n"s + field + "\r\n\r\n"), kChunkedHello);
  for (const std::string& trailer :
       Strings{"X", "X : a", ": a", " X: a", "\tX: a", "X: a\r\n b", "X: a\nY: b", "X: a\n", "X: a\rY: b", "X: a\0"s, "X\0: a"s,
               "X: \x7f", "X Y: a", "X(: a", "\xff: a", "X: a\r"})
    bad(rows, "trailer " + trailer, in_chunks("5\r\nhello\r\n0\r\n" + trailer + "\r\n\r\n") + kNext);
  bad(rows, "LF ends the trailers", in_chunks("5\r\nhello\r\n0\r\nX: a\r\n\n") + kNext);
  bad(rows, "LF behind the last chunk", in_chunks("5\r\nhello\r\n0\r\n\n") + kNext);
  bad(rows, "trailers over the limit", in_chunks("0\r\nX: " + std::string(20'000, 'a') + "\r\n\r\n") + kNext, 431);
  rows.back().reaches = true;  // they were not all there when the head was
}

}  // namespace e2e::h1
