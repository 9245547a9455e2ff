// The HTTP/1 parser on one message: Boost.Beast's reads it alike (or it is known why not), and so does this one whatever the
// pieces.
#include "../fuzz.hpp"
#include "http1/differences.hpp"

namespace {

using namespace cmux;

void run(std::string_view bytes) {
  fuzz::Source source(bytes);
  const auto role = source.below(2) == 0 ? http1::Role::request : http1::Role::response;
  const std::size_t step = source.below(32) + 1;
  const std::string_view text = source.rest();
  if (text.empty()) return;
  const http1::Comparison whole = http1::compared(role, text, text.size()), pieces = http1::compared(role, text, step);
  fuzz::check(whole.disagreement.empty(), whole.disagreement);
  fuzz::check(pieces.disagreement.empty(), pieces.disagreement);
  fuzz::check(whole.outcome == pieces.outcome, "the pieces in which a message comes change nothing", text);
}
CMUX_FUZZ_TARGET("http1_message", run);

}  // namespace
