// What a connection begins with: what the HTTP/1 parser would serve is never a raw tunnel on a forwarded port, and the pieces in
// which bytes come change nothing.
#include "../fuzz.hpp"
#include "http1/parser.hpp"
#include "proxy/first_line.hpp"

namespace {

using namespace cmux;

void run(std::string_view bytes) {
  static const http::Limits limits;
  proxy::FirstLine whole(limits.start_line), slow(limits.start_line);
  const proxy::Protocol at_once = whole.look(bytes);
  proxy::Protocol by_byte = proxy::Protocol::unknown;
  for (std::size_t end = 1; end <= bytes.size() && by_byte == proxy::Protocol::unknown; ++end)
    by_byte = slow.look(bytes.substr(0, end));
  fuzz::check(at_once == by_byte, "a first line means the same in pieces", bytes);

  http1::HeadParser parser(http1::Role::request, limits);
  http::Head head;
  const auto parsed = parser.parse(bytes, head);
  if (parsed && *parsed > 0) fuzz::check(at_once != proxy::Protocol::raw, "a request that would be served is not raw", bytes);

  const proxy::Protocol sniffed = proxy::sniff(bytes);
  // A CONNECT within a tunnel is for what is at its end: a name and a port are no request's target there.
  if (parsed && *parsed > 0 && !head.is_connect() && bytes.find(' ') < 100)
    fuzz::check(sniffed == proxy::Protocol::http1 || sniffed == proxy::Protocol::http2, "a request is sniffed as one", bytes);
}
CMUX_FUZZ_TARGET("first_bytes", run);

}  // namespace
