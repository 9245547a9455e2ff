// SOCKS5's messages, whole and in pieces, and a whole connection.
#include "../script.hpp"
#include "socks/server.hpp"

namespace {

using namespace cmux;

template <class Message>
void in_pieces(Result<std::size_t> (*parse)(std::string_view, Message&), std::string_view bytes) {
  Message whole, part;
  const auto size = parse(bytes, whole);
  for (std::size_t end = 0; end < bytes.size(); ++end) {
    const auto early = parse(bytes.substr(0, end), part = Message());
    if (!early) return fuzz::check(!size, "what is wrong early stays wrong", bytes);
    if (*early > 0) return fuzz::check(size && *size == *early, "more bytes do not make a message longer", bytes);
  }
  fuzz::check(!size || *size <= socks::kLongest, "no message is longer than the longest", bytes);
}

Task<void> serve(socks::ServerStream& stream) {
  co_await stream.negotiate();
  fuzz::Echo echo;
  co_await echo.serve(stream);
  co_await stream.finish();
}

void run(std::string_view bytes) {
  in_pieces<socks::Greeting>(socks::parse_greeting, bytes);
  in_pieces<socks::Login>(socks::parse_login, bytes);
  in_pieces<socks::Request>(socks::parse_request, bytes);

  fuzz::Source source(bytes);
  const std::size_t piece = source.below(32) + 1;
  std::string output;
  Loop& loop = fuzz::loop();
  socks::ServerStream stream(std::make_unique<fuzz::Script>(std::string(source.rest()), piece, output), milliseconds(1000),
                             [](const socks::Login& login) { return login.username == "u" && login.password == "p"; });
  loop.run(serve(stream));
}
CMUX_FUZZ_TARGET("socks", run);

}  // namespace
