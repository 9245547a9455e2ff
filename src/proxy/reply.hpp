// The proxy's own answers: text, problem+json for who asks for JSON (RFC 9457), or the page that waits for who would show one;
// always with Proxy-Status (RFC 9209).
#pragma once

#include "http/stream.hpp"

namespace cmux::proxy {

struct Refusal {
  std::uint16_t status;
  std::string_view error;  // RFC 9209 section 2.3
  std::string detail;
  std::string target = {};           // host and port that the client asked for; empty where that is not known
  std::string_view scheme = "http";  // ... and how
};

// What the client is told of an error.
Refusal refusal_of(const Error& error);

struct OwnAnswer {
  http::Head head;
  std::string body;
};
// `request` may be null where the request could not be read.
OwnAnswer answer_to(const http::Head* request, const Refusal& refusal);
// Writes the whole of it, which outlives that.
Task<Result<void>> send(http::Stream& stream, const http::Head* request, const OwnAnswer& own);

}  // namespace cmux::proxy
