// A client's HTTP/2 connection.
#include "../frames.hpp"
#include "../script.hpp"
#include "http2/server.hpp"

namespace {

using namespace cmux;

void run(std::string_view bytes) {
  fuzz::Source source(bytes);
  const std::size_t piece = source.below(255) + 1;
  static const http2::Options options;
  std::string output;
  fuzz::Echo echo;
  std::set<http::Drainable*> open;
  Loop& loop = fuzz::loop();
  std::string input = fuzz::frames(source, fuzz::Peer::client);
  loop.run(http2::serve(std::make_unique<fuzz::Script>(std::move(input), piece, output), echo, options, open));
  fuzz::check(open.empty(), "what has ended is not open");
  fuzz::check_frames(output, false);
}
CMUX_FUZZ_TARGET("http2_server", run);

}  // namespace
