// The table of HTTP/1: raw bytes, the verdict on them, and what they become on the other side. The rows are made from the classes
// in which parsers are known to differ (RFC 9112's grammar, production by production, and the ways to smuggle requests).
#pragma once

#include "harness.hpp"

namespace e2e::h1 {

// A client's bytes. In them stand $T for what goes in front of a path ("http://localhost:3000", or nothing where the client
// speaks to the server itself), $H for the authority, $A for the line with the credentials, or nothing.
struct RequestRow {
  std::string name, bytes;
  int status = 400;      // 200: the origin answers
  std::string arrives;   // 200: its bytes at the origin, with "origin" for its Host and without the route's own fields
  bool open = false;     // a refusal after which the connection goes on
  bool unheard = false;  // first bytes that no HTTP client can send: a forwarded port is right to carry them raw
  enum class Where { anywhere, proxy, server } where = Where::anywhere;  // spoken to a proxy (absolute form), to a server
  bool reaches = false;  // a refusal: its head may have gone to the origin before it was seen that it is none
};

// An origin's bytes in answer to GET, or to `method`.
struct ResponseRow {
  std::string name, bytes;
  std::string arrives;  // all that the client gets; empty: the proxy's own 502
  bool cut = false;     // ... and then the connection's end: the message is not whole
  bool close = false;   // the origin closes behind its answer
  std::string method = "GET", version = "HTTP/1.1";
};

using Requests = std::vector<RequestRow>;
using Responses = std::vector<ResponseRow>;

void add_request_lines(Requests& rows);
void add_hosts(Requests& rows);
void add_fields(Requests& rows);
void add_framing(Requests& rows);
void add_chunks(Requests& rows);
void add_smuggling(Requests& rows);
void add_responses(Responses& rows);

// --- for the makers of rows ---

inline std::string request(std::string_view line, std::string_view fields = {}, std::string_view body = {}) {
  return std::string(line) + "\r\nHost: $H\r\n$A" + std::string(fields) + "\r\n" + std::string(body);
}
inline std::string arrived(std::string_view line, std::string_view fields = {}, std::string_view body = {}) {
  return std::string(line) + "\r\nHost: origin\r\n" + std::string(fields) + "\r\n" + std::string(body);
}
inline const std::string kGet = "GET $T/t HTTP/1.1", kPost = "POST $T/t HTTP/1.1";

inline void good(Requests& rows, std::string name, std::string bytes, std::string arrives,
                 RequestRow::Where where = RequestRow::Where::anywhere) {
  rows.push_back({std::move(name), std::move(bytes), 200, std::move(arrives), true, false, where});
}
inline void bad(Requests& rows, std::string name, std::string bytes, int status = 400, bool unheard = false,
                RequestRow::Where where = RequestRow::Where::anywhere) {
  rows.push_back({std::move(name), std::move(bytes), status, {}, false, unheard, where});
}

// RFC 9110 section 5.6.2, by itself.
inline bool is_tchar(unsigned char c) {
  return std::isalnum(c) != 0
             ? c < 0x80
             : c != 0 && std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
}
// One byte of each kind, and each of those that a grammar names. CR and LF, which end lines, have rows of their own.
inline std::string telling_bytes() {
  std::string out("\0\x01\x07\x08\t\x0b\x0c\x0e\x1b\x1f", 10);
  out += " !\"#$%&'()*+,-./0:;<=>?@A[\\]^_`a{|}~\x7f\x80\x85\xa0\xad\xc3\xff";
  return out;
}
std::string shown(unsigned char c);

}  // namespace e2e::h1
