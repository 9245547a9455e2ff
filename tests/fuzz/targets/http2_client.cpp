// A workspace's HTTP/2 connection: up to four requests at once.
#include "../frames.hpp"
#include "../script.hpp"
#include "http2/client.hpp"

namespace {

using namespace cmux;

Task<void> ask(http2::ClientConnection& connection, http::Head head, bool with_body) {
  const auto stream = connection.open();
  co_await fuzz::ask(*stream, std::move(head), with_body);
}

Task<void> ask_all(http2::ClientConnection& connection, fuzz::Source decisions) {
  Scope scope;
  scope.spawn(connection.run());
  for (unsigned count = 1 + decisions.below(4); count > 0; --count) {
    http::Head head;
    head.method = decisions.below(3) == 2 ? "HEAD" : "GET", head.scheme = "http", head.authority = "a.test", head.path = "/";
    if (decisions.below(4) == 3) head.method = "CONNECT", head.protocol = "websocket";
    const bool with_body = head.method == "GET" && decisions.below(2) == 1;
    if (connection.room() > 0) scope.spawn(ask(connection, std::move(head), with_body));
  }
  co_await scope.join();
}

void run(std::string_view bytes) {
  fuzz::Source source(bytes);
  const std::size_t piece = source.below(255) + 1;
  const fuzz::Source decisions(source.take(13));
  static const http2::Options options;
  std::string output;
  Loop& loop = fuzz::loop();
  std::string input = fuzz::frames(source, fuzz::Peer::server);
  http2::ClientConnection connection(
      std::make_unique<fuzz::Script>(std::move(input), piece, output), options, [](void*) {}, nullptr);
  loop.run(ask_all(connection, decisions));
  fuzz::check_frames(output, true);
}
CMUX_FUZZ_TARGET("http2_client", run);

}  // namespace
