// A workspace's HTTP/1 connection: three requests, and answers of all kinds.
#include "../script.hpp"
#include "http1/client.hpp"

namespace {

using namespace cmux;

Task<void> ask_thrice(http1::ClientConnection& connection, fuzz::Source& source) {
  for (int i = 0; i < 3; ++i) {
    http::Head head;
    head.method = source.below(3) == 2 ? "HEAD" : "GET", head.scheme = "http", head.authority = "a.test", head.path = "/";
    if (source.below(4) == 3) head.method = "CONNECT", head.protocol = "websocket";
    co_await fuzz::ask(connection, head, head.method == "GET" && source.below(2) == 1);
    if (!connection.reusable()) co_return;
  }
}

void run(std::string_view bytes) {
  fuzz::Source source(bytes);
  const std::size_t piece = source.below(255) + 1;
  fuzz::Source decisions(source.take(9));
  static const http1::ClientOptions options;
  std::string output;
  Loop& loop = fuzz::loop();
  http1::ClientConnection connection(std::make_unique<fuzz::Script>(std::string(source.rest()), piece, output), options);
  loop.run(ask_thrice(connection, decisions));
}
CMUX_FUZZ_TARGET("http1_client", run);

}  // namespace
