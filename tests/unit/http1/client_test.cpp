#include "http1/client.hpp"

#include <catch2/catch.hpp>

#include "http1/heads.hpp"
#include "net/pair.hpp"

using namespace cmux;
using namespace cmux::http1;
using net::Pair;

namespace {

http::Head request(std::string_view method = "GET", std::string_view protocol = "") {
  http::Head head;
  head.method = method, head.scheme = "http", head.authority = "a", head.path = "/", head.protocol = protocol;
  head.end = true;
  return head;
}

// One at a time: sockets belong to the loop that is current when they are made.
struct World {
  Loop loop;
  Pair pair;
  ClientOptions options;
  ClientConnection client{std::move(pair.near), options};
  std::string sent;  // by the client
  std::vector<std::string> outcomes;
};

std::string described(const Error& error) {
  return std::string(name_of(error.code)) + (error.retryable ? " retryable" : "") +
         (error.status ? " " + std::to_string(error.status) : "");
}

// One exchange: the peer answers with `response` when it has the request; with `fin`, it ends the connection then.
Task<void> exchange(World& world, const http::Head& head, std::string response, bool fin = false) {
  std::string outcome;
  auto written = co_await world.client.write_head(head, http::Next::end);
  if (!written) {
    world.outcomes.push_back("write: " + described(written.error()));
    co_return;
  }
  co_await net::read_until(*world.pair.far, "\r\n\r\n", world.sent);
  if (const std::size_t at = response.find("ACCEPT"); at != std::string::npos) {
    const std::size_t key = world.sent.find("Sec-WebSocket-Key: ") + 19;
    response.replace(at, 6, websocket_accept(world.sent.substr(key, world.sent.find("\r\n", key) - key)));
  }
  co_await net::send(*world.pair.far, response);
  if (fin) world.pair.far->shutdown_write();
  while (true) {
    auto answer = co_await world.client.read_head();
    if (!answer) {
      world.outcomes.push_back(outcome + described(answer.error()));
      co_return;
    }
    outcome += std::to_string((*answer)->status) + " ";
    if ((*answer)->is_interim()) continue;
    if ((*answer)->tunnel) outcome += "tunnel ";
    for (bool more = !(*answer)->end && !(*answer)->tunnel; more;) {
      auto body = co_await world.client.read_body();
      if (!body) {
        outcome += described(body.error());
        break;
      }
      outcome += body->bytes;
      more = !body->end;
      if (body->trailers) outcome += "[" + lines(*body->trailers) + "]";
    }
    break;
  }
  world.outcomes.push_back(outcome);
}

std::string outcome(World& world, std::string response, bool fin = false, const http::Head& head = request()) {
  run(world.loop, exchange(world, head, std::move(response), fin));
  return world.outcomes.back();
}

Task<void> silence(World& world, Result<http::Head*>& out) {
  const http::Head head = request();
  co_await world.client.write_head(head, http::Next::end);
  out = co_await world.client.read_head();
}

Task<void> upload(World& world, Result<void>& last) {
  http::Head head = request("POST");
  head.end = false;
  co_await world.client.write_head(head, http::Next::soon);
  co_await world.client.write_body("abc", http::Next::soon, nullptr);
  last = co_await world.client.write_body("de", http::Next::end, nullptr);
  co_await net::read_until(*world.pair.far, "0\r\n\r\n", world.sent);
}

// A request that is never read, while its response is waited for.
Task<void> upload_unread(ClientConnection& client, Result<void>& sent, Result<http::Head*>& answer) {
  http::Head head = request("POST");
  head.end = false;
  co_await client.write_head(head, http::Next::soon);
  struct Sending {
    static Task<void> run(ClientConnection& connection, Result<void>& out) {
      const std::string large(8'000'000, 'x');
      out = co_await connection.write_body(large, http::Next::end, nullptr);
    }
  };
  Scope sending;
  sending.spawn(Sending::run(client, sent));
  answer = co_await client.read_head();
  co_await sending.join();
}

}  // namespace

TEST_CASE("a connection is used again after a complete exchange") {
  World world;
  CHECK_FALSE(world.client.reusable());
  CHECK(outcome(world, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello") == "200 hello");
  CHECK(world.sent == "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(world.client.reusable());
  CHECK_FALSE(world.client.reused());
  CHECK(outcome(world, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nA: b\r\n\r\n") == "200 hi[A: b\n]");
  CHECK(world.client.reused());
  CHECK(world.client.reusable());
  CHECK(outcome(world, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n") ==
        "103 100 204 ");
  CHECK(world.client.reusable());
  CHECK_FALSE(world.client.has_ended(true));
}

TEST_CASE("what ends or spoils a connection") {
  struct Row {
    std::string_view response, outcome;
    bool fin;
  };
  const Row rows[] = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx", "200 x", false},
      {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", "200 x", false},
      {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n", "200 x", false},  // nobody asked
      {"HTTP/1.1 200 OK\r\n\r\nall", "200 all", true},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", "200 heclosed", true},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "200 helloclosed", true},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "malformed 400", false},
      {"HTTP/1.1 200", "closed", true},
      {"", "closed", true},
      {"nonsense\r\n\r\n", "malformed 400", false},
      {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "malformed 400", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.response);
    World world;
    CHECK(outcome(world, std::string(row.response), row.fin) == row.outcome);
    CHECK_FALSE(world.client.reusable());
  }
}

TEST_CASE("a kept connection that is gone before it said a byte may be retried, any other may not") {
  {
    World world;
    CHECK(outcome(world, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx") == "200 x");
    CHECK(outcome(world, "", true) == "closed retryable");
  }
  {
    World spoke;
    CHECK(outcome(spoke, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx") == "200 x");
    CHECK(outcome(spoke, "HTTP/1.1 2", true) == "closed");
  }
  {
    World gone;
    CHECK(outcome(gone, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx") == "200 x");
    gone.pair.far.reset();
    CHECK(gone.client.has_ended(true));
    CHECK(outcome(gone, "") == "write: reset retryable");
  }
}

TEST_CASE("an idle connection tells of its peer's end") {
  World world;
  CHECK(outcome(world, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx") == "200 x");
  unsigned calls = 0;
  world.client.watch_idle([](void* n) { ++*static_cast<unsigned*>(n), Loop::current().stop(); }, &calls, milliseconds(30'000));
  world.pair.far->shutdown_write();
  world.loop.run();
  CHECK(calls == 1);
  CHECK_FALSE(world.client.reusable());
}

TEST_CASE("an idle connection's time ends") {
  World world;
  CHECK(outcome(world, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx") == "200 x");
  unsigned calls = 0;
  world.client.watch_idle([](void* n) { ++*static_cast<unsigned*>(n), Loop::current().stop(); }, &calls, milliseconds(10));
  world.loop.run();
  CHECK(calls == 1);
}

TEST_CASE("a response that does not come in time is an error") {
  World world;
  world.options.response_timeout = milliseconds(20);
  Result<http::Head*> out = nullptr;
  run(world.loop, silence(world, out));
  REQUIRE(out.has_error());
  CHECK(described(out.error()) == "timeout 504");
  CHECK(out.error().side == Side::upstream);
  CHECK_FALSE(world.client.reusable());
}

TEST_CASE("how long a connection is kept is its peer's to say") {
  struct Row {
    std::string_view field;
    int kept;
  };
  for (const Row& row : {Row{"", 7'000}, Row{"Keep-Alive: timeout=5\r\n", 4'000}, Row{"keep-alive: max=10, Timeout=3\r\n", 2'000},
                         Row{"Keep-Alive: timeout=1\r\n", 0}, Row{"Keep-Alive: timeout=4000\r\n", 9'000},
                         Row{"Keep-Alive: timeout=x\r\n", 7'000}, Row{"Keep-Alive: timeout\r\n", 7'000}}) {
    CAPTURE(row.field);
    World world;
    const std::string response = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n" + std::string(row.field) + "\r\nx";
    CHECK(outcome(world, response) == "200 x");
    CHECK(world.client.kept_for(milliseconds(7'000), milliseconds(9'000)).count() == row.kept);
  }
}

TEST_CASE("a body of known length that stops is ended, one of unknown length is waited for") {
  struct Row {
    std::string_view response, outcome;
  };
  for (const Row& row : {Row{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", "200 hetimeout 504"},
                         Row{"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nhe", "200 he"},
                         Row{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n", "200 heclosed"}}) {
    CAPTURE(row.response);
    World world;
    world.options.body_timeout = milliseconds(20);
    // The peer's end comes when the limit has long passed.
    Deadline late([](void* far) { static_cast<net::Transport*>(far)->shutdown_write(); }, world.pair.far.get());
    late.after(milliseconds(200));
    CHECK(outcome(world, std::string(row.response)) == row.outcome);
  }
}

TEST_CASE("a client that stalls in its request is to blame for it, a workspace that does not say 100 for itself") {
  for (const bool expects : {false, true}) {
    CAPTURE(expects);
    World world;
    world.options.response_timeout = milliseconds(20);
    struct Stalled {
      static Task<void> ask(World& stalled, http::Head head, Result<http::Head*>& out) {
        co_await stalled.client.write_head(head, http::Next::later);
        out = co_await stalled.client.read_head();
      }
    };
    http::Head head = request("POST");
    head.end = false;
    if (expects) head.fields.add("Expect", "100-continue");
    Result<http::Head*> out = nullptr;
    run(world.loop, Stalled::ask(world, head, out));
    REQUIRE(out.has_error());
    CHECK(described(out.error()) == (expects ? "timeout 504" : "timeout 408"));
    CHECK(out.error().side == (expects ? Side::upstream : Side::downstream));
  }
}

TEST_CASE("a request that is not read ends in time, but for one that is being answered") {
  for (const bool answered : {false, true}) {
    CAPTURE(answered);
    Loop loop;
    Pair pair;
    ClientOptions options;
    options.response_timeout = milliseconds(0);
    options.send_timeout = milliseconds(40);
    ClientConnection client(std::move(pair.near), options);
    if (answered) run(loop, net::send(*pair.far, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    Result<void> sent;
    Result<http::Head*> answer = nullptr;
    run(loop, upload_unread(client, sent, answer));
    REQUIRE(sent.has_error());
    CHECK(described(sent.error()) == "timeout");
    CHECK(answer.has_value() == answered);
    if (!answered) CHECK(described(answer.error()) == "timeout 504");
    CHECK_FALSE(client.reusable());
  }
}

TEST_CASE("WebSocket answers are checked") {
  http::Head head = request("CONNECT", "websocket");
  head.fields.add("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
  const std::string start = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
  {
    World good;
    CHECK(outcome(good, start + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", false, head) == "101 tunnel ");
    CHECK_FALSE(good.client.reusable());
  }
  for (const std::string_view accept :
       {"", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOO=\r\n", "Sec-WebSocket-Accept: \r\n"}) {
    World bad;
    CHECK(outcome(bad, start + std::string(accept) + "\r\n", false, head) == "malformed 400");
    CHECK_FALSE(bad.client.reusable());
  }
  {
    World refused;
    CHECK(outcome(refused, "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno", false, head) == "403 no");
    CHECK(refused.client.reusable());
  }
}

TEST_CASE("an upgrade that came over HTTP/2 without a key gets one, no other does") {
  const std::string start = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
  http::Head head = request("CONNECT", "websocket");
  {
    World keyless;
    CHECK(outcome(keyless, "HTTP/1.1 400 No key\r\nContent-Length: 2\r\n\r\nno", false, head) == "400 no");
    CHECK(keyless.sent.find("Sec-WebSocket-Key") == std::string::npos);
    CHECK(keyless.sent.find("\r\nUpgrade: websocket\r\n") != std::string::npos);
  }
  World world;
  head.version = 20;
  CHECK(outcome(world, start + "Sec-WebSocket-Accept: ACCEPT\r\n\r\n", false, head) == "101 tunnel ");
  CHECK(world.sent.find("\r\nSec-WebSocket-Key: ") != std::string::npos);
  CHECK(world.sent.find("\r\nUpgrade: websocket\r\n") != std::string::npos);
}

TEST_CASE("request bodies are framed, small pieces leave together") {
  World world;
  Result<void> last = make_error(Errc::system);
  run(world.loop, upload(world, last));
  CHECK(last.has_value());
  CHECK(world.sent == "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
}

TEST_CASE("a tunnel's bytes that came with the head stay with its transport") {
  World world;
  CHECK(outcome(world, "HTTP/1.1 200 OK\r\n\r\nfirst words", false, request("CONNECT")) == "200 tunnel ");
  auto transport = world.client.into_transport();
  std::string got;
  run(world.loop, net::read_count(*transport, 11, got));
  CHECK(got == "first words");
}

TEST_CASE("a reset ends what waits") {
  struct Steps {
    static Task<void> late(ClientConnection& client) {
      co_await Yield{};
      client.reset(Errc::cancelled);
    }
    static Task<void> both(World& world, Result<http::Head*>& out) {
      Scope scope;
      scope.spawn(silence(world, out));
      co_await late(world.client);
      co_await scope.join();
    }
  };
  World world;
  Result<http::Head*> out = nullptr;
  run(world.loop, Steps::both(world, out));
  REQUIRE(out.has_error());
  CHECK(out.error().code == Errc::cancelled);
  CHECK_FALSE(world.client.reusable());
}
