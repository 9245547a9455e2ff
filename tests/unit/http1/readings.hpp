// A message as one parser has read it, in a form in which two parsers can be compared: this project's and Boost.Beast's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "http/fields.hpp"
#include "http1/parser.hpp"

namespace cmux::http1 {

struct Reading {
  bool head = false;      // the head is there and was accepted
  bool complete = false;  // so is the body
  std::string refused;    // why the parser gave up; empty while it waits for more

  std::string method, target, reason;  // an absolute target: "scheme://authority path"
  unsigned version = 0, status = 0;
  http::Fields fields;
  std::string framing;  // "none", "length N", "chunked", "until close"
  bool keep_alive = false;
  std::string body;
  http::Fields trailers;
  std::size_t size = 0;  // of the whole message, where it is complete
};

// Reads what may be one message, or the start of one, or of several: in pieces of `step` bytes, and then the connection ends.
Reading read_ours(Role role, std::string_view text, std::size_t step);
Reading read_beast(Role role, std::string_view text, std::size_t step);

}  // namespace cmux::http1
