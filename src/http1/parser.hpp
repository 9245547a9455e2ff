// HTTP/1 syntax (RFC 9112), strictly: bytes in, a head out, no I/O. What another parser could read differently is refused: bare
// CR or LF, folded lines, spaces around a name, control characters. Framing and connection fields are semantics.hpp's part, and
// the empty lines that may stand in front of a request the connection's.
//
// Why not Boost.Beast's parser, which tests and tools use: it cannot be made this strict, nor this liberal where RFC 9112 says
// so. It takes folded lines, '#', `\` and bytes above ASCII in a target, LF and other control characters in a chunk's extension,
// and once a head comes in pieces it waits behind a bare LF for an empty line. It refuses HTTP/1.2 (section 2.3), and a 204 for
// bad framing fields, which mean nothing there (section 6.3). And it decides about framing itself: "gzip" and "chunked" twice are
// no body, HTTP/1.0 may have chunks, Content-Length may be a list. Into the same fields it is no faster (325 against 284 ns for a
// head of 300 bytes). tests/unit/http1/differential_test.cpp compares the two and knows all differences.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/error.hpp"
#include "http/stream.hpp"

namespace cmux::http1 {

using http::Limits;

enum class Role : std::uint8_t { request, response };

class HeadParser {
 public:
  HeadParser(Role role, const Limits& limits) : role_(role), limits_(limits) {}

  // `data` starts at the message and grows from call to call. Returns the head's size with all lines in `head` (Host and
  // connection fields still among the fields, the request target split), or 0 when more is needed.
  Result<std::size_t> parse(std::string_view data, http::Head& head);
  // For the next message.
  void reset() { scanned_ = lines_ = first_line_ = 0; }

 private:
  Result<std::size_t> scan(std::string_view data);
  Error too_large(std::string_view data, std::size_t line) const;

  Role role_;
  const Limits& limits_;
  std::size_t scanned_ = 0;     // complete lines up to here
  std::size_t lines_ = 0;       // complete lines so far
  std::size_t first_line_ = 0;  // its size with CRLF
};

// Field lines, each with its CRLF, into `fields`: for heads and trailers. `at` is where `block` starts in the fields' text.
Result<void> parse_field_lines(std::string_view block, std::size_t at, http::Fields& fields);

bool is_token(std::string_view text);        // RFC 9110 section 5.6.2
bool is_field_value(std::string_view text);  // no control characters but tab

Error malformed(std::string detail, std::uint16_t status = 400);

}  // namespace cmux::http1
