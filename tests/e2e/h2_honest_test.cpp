// Peers that say much, and mean well: what limits floods must leave them alone.
#include <thread>

#include "frames.hpp"
#include "rows.hpp"
#include "tls_client.hpp"

using namespace e2e;
using namespace e2e::h2;

namespace {

const Lines kOk{{":status", "200"}};

// Gives the windows back in pieces of 4 KB, on the stream and on the connection, as Go does.
std::string updates(std::uint32_t stream, std::size_t bytes) {
  std::string out;
  for (std::size_t given = 0; given < bytes; given += 4'096) out += window(0, 4'096) + window(stream, 4'096);
  return out;
}

}  // namespace

TEST_CASE("h2 honest: a client gives windows back in many small pieces, long after it was sent what they are for") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = context_to(proxy, "h2c", workspace.http_port());
  const std::uint32_t ahead = 8 << 20;
  ClientSide client(proxy.port(), settings({{kInitialWindow, ahead}}) + window(0, ahead));
  client.gives_windows = false;
  const std::size_t size = 64 << 20;
  client.send(headers(1, request(context, fmt::format("/bytes/{}", size))));
  Message& message = client.streams[1];
  // Every window's worth is answered at once.
  for (std::size_t given = 0; given < size; given += ahead / 2) {
    const std::size_t half = std::min<std::size_t>(size - given, ahead / 2);
    if (!client.until([&] { return message.body.size() >= given + half; }))
      FAIL("ended after " << message.body.size() << " bytes");
    client.send(updates(1, half));
  }
  CHECK(client.message(1).ended);
  CHECK(message.body.size() == size);
  CHECK_FALSE(client.code);
}

TEST_CASE("h2 honest: an upstream gives windows back in many small pieces") {
  Proxy proxy({"--upstream-h2c", "127.0.0.1", "--threads", "1"});
  const Context context = proxy.context();
  Upstream upstream;
  Client client = proxy.connect();
  const std::size_t size = 64 << 20, piece = 1 << 20;
  client.send(request_text("POST", upstream.url(), context, fmt::format("Content-Length: {}\r\n", size)));
  const std::uint32_t ahead = 4 << 20;
  ServerSide server(upstream, settings({{kInitialWindow, ahead}}) + window(0, ahead));
  server.gives_windows = false;
  REQUIRE(server.request() == 1);
  Message& message = server.streams[1];
  std::thread sender([&] {
    const std::string bytes(piece, 'x');
    for (std::size_t sent = 0; sent < size && client.send(bytes); sent += piece) {}
  });
  std::size_t given = 0;
  while (given < size && server.until([&] { return message.body.size() >= given + ahead / 2; })) {
    if (!server.send(updates(1, ahead / 2))) break;
    given += ahead / 2;
  }
  server.until([&] { return message.ended; });
  CHECK(message.body.size() == size);
  CHECK_FALSE(server.code);
  server.send(headers(1, kOk));
  sender.join();
  CHECK(client.read_response().status == 200);
}

TEST_CASE("h2 honest: a page that is left and left again cancels all that it has asked for") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = context_to(proxy, "h2c", workspace.http_port());
  ClientSide client(proxy.port());
  std::uint32_t id = 1;
  for (int page = 0; page < 2; ++page) {
    const std::uint32_t first = id;
    std::string asked, cancelled;
    for (; id < first + 2 * 900; id += 2) {
      asked += headers(id, request(context, "/hang"));
      cancelled += reset(id);
    }
    client.send(asked);
    client.exchange_pings();
    client.send(cancelled);
    client.send(headers(id, request(context, "/")));
    CHECK(client.message(id).status() == 200);
    id += 2;
  }
  CHECK_FALSE(client.code);
}

TEST_CASE("h2 honest: an upstream's answers to requests that were cancelled meanwhile are nobody's fault") {
  Proxy proxy({"--upstream-h2c", "127.0.0.1", "--threads", "1"});
  const Context context = proxy.context();
  Upstream upstream;
  ClientSide client(proxy.port());
  const Lines get = request(context, "/", "GET", fmt::format("127.0.0.1:{}", upstream.port()));
  client.send(headers(1, get));
  ServerSide server(upstream, settings({{kMaxStreams, 1'000}}));
  REQUIRE(server.request() == 1);
  server.exchange_pings();
  std::string asked, cancelled, answers;
  for (std::uint32_t id = 3; id < 3 + 2 * 900; id += 2) {
    asked += headers(id, get);
    cancelled += reset(id);
    answers += headers(id, kOk, kEndHeaders) + data(id, "some", kNone) + data(id, "more");
  }
  client.send(asked);
  for (int i = 0; i < 900; ++i) REQUIRE(server.request() != 0);
  client.send(cancelled);
  REQUIRE(server.until([&] {
    return std::count_if(server.streams.begin(), server.streams.end(),
                         [](const auto& one) { return one.second.reset.has_value(); }) == 900;
  }));
  server.send(answers);
  server.exchange_pings();
  server.send(headers(1, kOk));
  CHECK(client.message(1).status() == 200);
  CHECK_FALSE(server.code);
}

TEST_CASE("h2 honest: a client that agrees on h2 and then speaks HTTP/1 is served") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = context_to(proxy, "http", workspace.http_port());
  Secured secured = secure(proxy.connect(), {text_in(proxy.ready, "caFile"), "127.0.0.1", {"h2", "http/1.1"}});
  REQUIRE(secured.alpn == "h2");
  CHECK(secured.client.ask(request_text("GET", "http://localhost:3000/", context)).status == 200);
}
