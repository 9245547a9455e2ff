// A client's HTTP/1 connection from its first byte to its last.
#include "../script.hpp"
#include "http1/server.hpp"

namespace {

using namespace cmux;

void run(std::string_view bytes) {
  fuzz::Source source(bytes);
  const std::size_t piece = source.below(255) + 1;
  static const http1::ServerOptions options;
  std::string output;
  fuzz::Echo echo;
  std::set<http::Drainable*> open;
  Loop& loop = fuzz::loop();
  loop.run(http1::serve(std::make_unique<fuzz::Script>(std::string(source.rest()), piece, output), echo, "http", options, open));
  fuzz::check(open.empty(), "what has ended is not open");
  fuzz::check(output.empty() || output.starts_with("HTTP/1.1 ") || output.starts_with("HTTP/1.0 "),
              "an answer begins with a status line", output);
}
CMUX_FUZZ_TARGET("http1_server", run);

}  // namespace
