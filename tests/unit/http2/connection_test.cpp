// A client's and a server's connection, each the other's peer.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "http2/client.hpp"
#include "http2/server.hpp"
#include "net/pair.hpp"

using namespace cmux;
using namespace cmux::http2;
using http::Head;
using http::Next;

namespace {

Head request_head(std::string method, std::string path, bool end) {
  Head head;
  head.method = std::move(method), head.scheme = "http", head.authority = "a.test", head.path = std::move(path), head.end = end;
  return head;
}

// Answers by path; without a path of its own meaning, with the body that came.
class Site final : public http::Handler {
 public:
  Event hanging;
  std::string errors;
  unsigned served = 0;
  bool said_interim = false;  // all of them

  // Until the client gives up.
  struct Leaver final : http::Abortable {
    void reset(Errc) noexcept override { left.set(); }
    Event left;
  };
  static Task<void> hear(http::Stream& stream) {
    Leaver leaver;
    stream.cancel_on_abort(&leaver);
    co_await leaver.left;
  }

  Task<void> serve(http::Stream& stream) override {
    ++served;
    auto head = co_await stream.read_head();
    if (!head) {
      errors += std::to_string(head.error().status) + " ";
      co_return;
    }
    const Head& request = **head;
    Head answer;
    answer.status = 200;
    if (request.is_connect()) {
      answer.tunnel = true;
      co_await stream.write_head(answer, Next::later);
      if (request.authority == "deaf.test:1") co_return co_await hear(stream);
      co_await http::relay_body(stream, Side::downstream, stream, Side::downstream);
      co_return;
    }
    if (request.path == "/hang") {
      hanging.set();
      auto body = co_await stream.read_body();
      if (!body) errors += std::string(name_of(body.error().code)) + " ";
      co_return;
    }
    if (request.path == "/half") {
      co_await stream.write_head(answer, Next::later);
      co_await stream.write_body("half", Next::later);
      stream.reset(Errc::closed);
      co_return;
    }
    if (request.path == "/stall") {
      answer.content_length = 100;
      co_await stream.write_head(answer, Next::later);
      co_await stream.write_body("half", Next::later);
      co_return co_await hear(stream);
    }
    if (request.path == "/early") {
      answer.content_length = 0, answer.end = true;
      co_await stream.write_head(answer, Next::end);
      co_return;
    }
    if (request.path.starts_with("/interim")) {
      Head interim;
      interim.status = 103;
      for (unsigned long left = std::stoul(request.path.substr(8)); left > 0; --left)
        co_await stream.write_head(interim, Next::later);
      said_interim = true;
    }
    if (request.path == "/drop") {
      for (bool more = true; more;) {
        auto body = co_await stream.read_body();
        more = body && !body->end;
      }
      co_return;
    }
    co_await stream.write_head(answer, Next::soon);
    if (request.end) {
      http::Fields trailers;
      trailers.add("x-end", "yes");
      co_await stream.write_body("hello", Next::end, &trailers);
      co_return;
    }
    auto moved = co_await http::relay_body(stream, Side::downstream, stream, Side::downstream);
    if (!moved) errors += std::string(name_of(moved.error().code)) + " ";
  }
};

struct World {
  explicit World(Options server = {}, Options client = {}) : server_options(server), client_options(client) {
    connection = std::make_unique<ClientConnection>(
        std::move(pair.near), client_options, [](void*) {}, nullptr);
    scope.spawn(http2::serve(std::move(pair.far), site, server_options, open));
    scope.spawn(connection->run());
  }
  ~World() {
    connection->close(make_error(Errc::cancelled));
    run(loop, scope.join());
  }

  Loop loop;
  net::Pair pair;
  Site site;
  Options server_options, client_options;
  std::set<http::Drainable*> open;
  Scope scope;
  std::unique_ptr<ClientConnection> connection;
};

Task<void> ask(World& world, Head head, std::string body, std::string& log) {
  auto stream = world.connection->open();
  auto sent = co_await stream->write_head(head, head.end ? Next::end : Next::soon);
  if (!head.end) co_await stream->write_body(body, Next::end, nullptr);
  while (true) {
    auto answer = co_await stream->read_head();
    if (!answer) {
      log += "error " + answer.error().detail + (answer.error().retryable ? " retryable" : "") + "; ";
      co_return;
    }
    log += std::to_string((*answer)->status) + " ";
    if ((*answer)->is_interim()) continue;
    if ((*answer)->end) break;
    while (true) {
      auto piece = co_await stream->read_body();
      if (!piece) {
        log += "cut; ";
        co_return;
      }
      log += piece->bytes.size() < 100 ? std::string(piece->bytes) : std::to_string(piece->bytes.size()) + " ";
      if (piece->trailers)
        for (const auto field : *piece->trailers) log += "+" + std::string(field.name);
      if (piece->end) break;
    }
    break;
  }
  log += "; ";
}

std::string asked(World& world, Head head, std::string body = {}) {
  std::string log;
  run(world.loop, ask(world, std::move(head), std::move(body), log));
  return log;
}

Task<void> fill_tunnel(World& world, Result<void>& outcome) {
  Head head = request_head("CONNECT", "", true);
  head.authority = "deaf.test:1";
  auto stream = world.connection->open();
  co_await stream->write_head(head, Next::end);
  auto answer = co_await stream->read_head();
  REQUIRE(answer.has_value());
  const std::string large(1'000'000, 'x');
  outcome = co_await stream->write_body(large, Next::later, nullptr);
}

}  // namespace

TEST_CASE("http2 connection: requests, interim responses, bodies, trailers") {
  World world;
  CHECK(asked(world, request_head("GET", "/", true)) == "200 hello+x-end; ");
  CHECK(asked(world, request_head("GET", "/interim2", true)) == "103 103 200 hello+x-end; ");
  CHECK(asked(world, request_head("POST", "/", false), "a body") == "200 a body; ");
  CHECK(world.connection->settled());
  CHECK(world.connection->extended_connect());
  CHECK(world.connection->room() == 1000);
}

TEST_CASE("http2 connection: one stream, until the peer has said how many") {
  World world;
  CHECK(world.connection->room() == 1);
  auto stream = world.connection->open();
  CHECK(world.connection->room() == 0);
}

TEST_CASE("http2 connection: what was begun and not completed is reset, behind its head") {
  World world;
  CHECK(asked(world, request_head("GET", "/half", true)) == "200 cut; ");
  CHECK(asked(world, request_head("GET", "/", true)) == "200 hello+x-end; ");
}

TEST_CASE("http2 connection: an early answer ends the request") {
  World world;
  CHECK(asked(world, request_head("POST", "/early", false), std::string(1'000'000, 'x')) == "200 ; ");
  CHECK(asked(world, request_head("GET", "/", true)) == "200 hello+x-end; ");
}

namespace {

Task<void> leave(World& world) {
  {
    auto stream = world.connection->open();
    Head head = request_head("POST", "/hang", false);
    auto sent = co_await stream->write_head(head, Next::later);
    co_await world.site.hanging;
  }
  while (world.site.errors.empty()) co_await Yield{};
}

Task<void> drain_under_way(World& world, std::string& log) {
  auto stream = world.connection->open();
  Head head = request_head("POST", "/", false);
  auto sent = co_await stream->write_head(head, Next::later);
  while (world.site.served == 0) co_await Yield{};
  (*world.open.begin())->drain();
  while (!world.connection->spent()) co_await Yield{};
  co_await stream->write_body("goes on", Next::end, nullptr);
  auto answer = co_await stream->read_head();
  auto body = co_await stream->read_body();
  if (answer && body) log += body->bytes;
  stream.reset();
  while (!world.open.empty()) co_await Yield{};
}

Task<void> fill(World& world, std::uint64_t& taken) {
  auto stream = world.connection->open();
  Head head = request_head("POST", "/", false);
  auto sent = co_await stream->write_head(head, Next::later);
  // Nobody reads the echo: both windows fill up, and then nothing more is taken.
  auto transport = stream->into_transport();
  const std::string block(16 * 1024, 'x');
  const std::string_view piece = block;
  for (int quiet = 0; quiet < 200;) {
    const net::Io io = transport->write({&piece, 1});
    if (io.state == net::Io::State::moved) taken += io.count, quiet = 0;
    else ++quiet;
    co_await Yield{};
  }
}

}  // namespace

TEST_CASE("http2 connection: a stream that is dropped is reset, and the server's handler hears of it") {
  World world;
  run(world.loop, leave(world));
  CHECK(world.site.errors == "reset ");
}

TEST_CASE("http2 connection: a drained server lets open streams end, and takes no more") {
  World world;
  std::string log;
  run(world.loop, drain_under_way(world, log));
  CHECK(log == "goes on");
  CHECK(world.connection->room() == 0);
}

TEST_CASE("http2 connection: what nobody reads is bounded") {
  Options options;
  options.stream_window = options.most_window = 32 * 1024;
  World world(options, options);
  std::uint64_t taken = 0;
  run(world.loop, fill(world, taken));
  // Two windows, and what each of four streams' ends holds on the way.
  CHECK(taken >= 64 * 1024);
  CHECK(taken <= 256 * 1024);
}

TEST_CASE("http2 connection: a request that is too large is refused by its handler, and the connection goes on") {
  Options options;
  options.limits.head = 1024;
  World world(options, {});
  Head large = request_head("GET", "/", true);
  large.fields.add("x", std::string(10'000, 'x'));
  asked(world, large);
  CHECK(world.site.errors == "431 ");
  CHECK(asked(world, request_head("GET", "/", true)) == "200 hello+x-end; ");
}

TEST_CASE("http2 connection: a silent peer is found out") {
  Options client;
  client.ping_interval = milliseconds(20), client.ping_timeout = milliseconds(20);
  Loop loop;
  net::Pair pair;
  ClientConnection connection(
      std::move(pair.near), client, [](void*) {}, nullptr);
  run(loop, connection.run());  // the peer never says a word
  CHECK(connection.failure().detail.find("SETTINGS") != std::string::npos);
}

TEST_CASE("http2 connection: a tunnel whose far end does not read is reset in time") {
  Options client;
  client.send_timeout = milliseconds(40);
  World world({}, client);
  Result<void> outcome;
  run(world.loop, fill_tunnel(world, outcome));
  REQUIRE(outcome.has_error());
  CHECK(outcome.error().code == Errc::timeout);
  CHECK(asked(world, request_head("GET", "/", true)) == "200 hello+x-end; ");
}

TEST_CASE("http2 connection: a body of known length that stops is ended") {
  Options client;
  client.body_timeout = milliseconds(20);
  World world({}, client);
  CHECK(asked(world, request_head("GET", "/stall", true)) == "200 halfcut; ");
  CHECK(asked(world, request_head("GET", "/", true)) == "200 hello+x-end; ");
}

namespace {

// Reads the response only when everything that it begins with has arrived: behind it comes another's.
Task<void> read_late(World& world, std::string path, std::string& log) {
  auto stream = world.connection->open();
  Head head = request_head("GET", std::move(path), true), other = request_head("GET", "/", true);
  co_await stream->write_head(head, Next::end);
  while (!world.site.said_interim) co_await Yield{};
  std::string ignored;
  co_await ask(world, std::move(other), {}, ignored);
  unsigned interim = 0;
  while (true) {
    auto answer = co_await stream->read_head();
    log = answer ? fmt::format("{} and {}", interim, (*answer)->status) : answer.error().detail;
    if (!answer || !(*answer)->is_interim()) co_return;
    ++interim;
  }
}

// How much more than at first each stream's peer may send, once all of them have read as fast as they were sent to.
Task<void> widen(World& world, std::size_t streams, std::int64_t& sum, std::int64_t& most) {
  std::vector<std::unique_ptr<Stream>> open;
  const std::string piece(64 * 1024, 'x');
  for (std::size_t i = 0; i < streams; ++i) {
    open.push_back(world.connection->open());
    Head head = request_head("POST", "/drop", false);
    co_await open.back()->write_head(head, Next::later);
    for (int pieces = 0; pieces < 48; ++pieces) co_await open.back()->write_body(piece, Next::later, nullptr);
  }
  sum = most = 0;
  for (std::size_t i = 0; i < streams; ++i) {
    const std::int64_t grown =
        nghttp2_session_get_stream_remote_window_size(world.connection->session().get(), static_cast<std::int32_t>(2 * i + 1)) -
        world.server_options.stream_window;
    sum += grown, most = std::max(most, grown);
  }
}

}  // namespace

TEST_CASE("http2 connection: interim responses that nobody has read are kept up to their bound") {
  std::string log;
  {
    World world;
    run(world.loop, read_late(world, "/interim64", log));
    CHECK(log == "64 and 200");
  }
  World world;
  run(world.loop, read_late(world, "/interim65", log));
  CHECK(log == "too many interim responses at once");
}

TEST_CASE("http2 connection: windows grow for readers that keep up, all together up to a bound") {
  std::int64_t sum = 0, most = 0;
  World world;
  run(world.loop, widen(world, 40, sum, most));
  CAPTURE(sum, most);
  CHECK(most > world.server_options.most_window / 2);
  CHECK(sum <= 32 * 1024 * 1024);
  CHECK(sum > 24 * 1024 * 1024);
}
