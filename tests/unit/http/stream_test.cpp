#include "http/stream.hpp"

#include <catch2/catch.hpp>

#include "base/run.hpp"
#include "http/fake_stream.hpp"
#include "http/raw_stream.hpp"
#include "http/traffic.hpp"
#include "net/pair.hpp"

using namespace cmux;
using namespace cmux::http;

namespace {

Task<void> relay_up(Stream& from, Stream& to, Result<void>& out) {
  out = co_await relay_body(from, Side::downstream, to, Side::upstream);
}

Task<void> tunnel(Stream& downstream, Stream& upstream, Result<void>& out) {
  Traffic traffic;
  out = co_await relay_tunnel(downstream, upstream, traffic);
}

Result<void> relayed(FakeStream& from, FakeStream& to) {
  Loop loop;
  Result<void> out = make_error(Errc::system);
  run(loop, relay_up(from, to, out));
  return out;
}

Result<void> tunnelled(Stream& downstream, Stream& upstream) {
  Loop loop;
  Result<void> out = make_error(Errc::system);
  run(loop, tunnel(downstream, upstream, out));
  return out;
}

}  // namespace

TEST_CASE("meters count what the other side has taken, and add it to their sum") {
  std::uint64_t sum = 10;
  Meter first(sum), second(sum);
  first.add("12345");
  second.add("67");
  CHECK(first.bytes() == 5);
  CHECK(second.bytes() == 2);
  CHECK(sum == 17);
}

TEST_CASE("relay_body moves pieces with what follows them") {
  FakeStream from, to;
  from.pieces = {{"a"}, {"b"}, {"c", false, true}, {"d", true, true}};
  CHECK(relayed(from, to).has_value());
  CHECK(to.written == "a+b|c|d.");
}

TEST_CASE("relay_body takes trailers along, and an empty last piece") {
  FakeStream from, to;
  from.pieces = {{"a"}, {"", true}};
  from.trailers.add("X-Sum", "1");
  CHECK(relayed(from, to).has_value());
  CHECK(to.written == "a+.");
  CHECK(to.written_trailers.get("x-sum") == "1");
}

TEST_CASE("errors of relay_body say whose they are") {
  FakeStream from, to;
  from.pieces = {{"a"}, {"", false, true, true}};
  auto outcome = relayed(from, to);
  REQUIRE(outcome.has_error());
  CHECK(outcome.error().side == Side::downstream);
  CHECK(outcome.error().detail == "read failed");
  CHECK(to.written == "a|");

  FakeStream again, full;
  again.pieces = {{"a"}, {"b"}, {"c", true}};
  full.fail_write_after = 1;
  outcome = relayed(again, full);
  REQUIRE(outcome.has_error());
  CHECK(outcome.error().side == Side::upstream);
  CHECK(outcome.error().detail == "write failed");
  CHECK(again.pieces.size() == 1);  // reads no further
}

TEST_CASE("a tunnel's halves end each for itself") {
  FakeStream client, server;
  client.pieces = {{"up", true}};
  server.pieces = {{"down", false, true}, {"more", false, true}, {"", true, true}};
  CHECK(tunnelled(client, server).has_value());
  CHECK(server.written == "up.");
  CHECK(client.written == "down|more|.");
  CHECK(client.resets + server.resets == 0);
}

TEST_CASE("an error of either side resets both, and the first one is told") {
  for (const bool client_fails : {true, false}) {
    CAPTURE(client_fails);
    FakeStream client, server;
    FakeStream& failing = client_fails ? client : server;
    FakeStream& other = client_fails ? server : client;
    failing.pieces = {{"x", false, true}, {"", false, true, true}};
    other.silent = true;
    const auto outcome = tunnelled(client, server);
    REQUIRE(outcome.has_error());
    CHECK(outcome.error().side == (client_fails ? Side::downstream : Side::upstream));
    CHECK(outcome.error().detail == "read failed");
    CHECK(client.resets > 0);
    CHECK(server.resets > 0);
    CHECK(other.written == "x|");
  }
}

TEST_CASE("a side that takes no more ends the tunnel") {
  FakeStream client, server;
  client.pieces = {{"x"}, {"y"}};
  server.fail_write_after = 1;
  server.silent = true;
  const auto outcome = tunnelled(client, server);
  REQUIRE(outcome.has_error());
  CHECK(outcome.error().side == Side::upstream);
  CHECK(client.resets > 0);
}

TEST_CASE("raw streams carry a tunnel with half-closes") {
  Loop loop;
  net::Pair left, right;
  RawStream downstream(std::move(left.far), milliseconds(0)), upstream(std::move(right.far), milliseconds(0));
  struct Peers {
    static Task<void> client(net::Transport& transport, std::string& got) {
      co_await net::send(transport, "question");
      transport.shutdown_write();
      co_await net::read_to_end(transport, got);
    }
    static Task<void> server(net::Transport& transport, std::string& got) {
      co_await net::read_to_end(transport, got);
      co_await net::send(transport, "answer");
      transport.shutdown_write();
    }
    static Task<void> all(net::Transport& a, net::Transport& b, Stream& c, Stream& d, std::string& asked, std::string& told,
                          Result<void>& out) {
      Scope scope;
      scope.spawn(client(a, told));
      scope.spawn(server(b, asked));
      co_await tunnel(c, d, out);
      co_await scope.join();
    }
  };
  std::string asked, told;
  Result<void> out = make_error(Errc::system);
  run(loop, Peers::all(*left.near, *right.near, downstream, upstream, asked, told, out));
  CHECK(out.has_value());
  CHECK(asked == "question");
  CHECK(told == "answer");
}

TEST_CASE("a head that is cleared is a new one") {
  Head head;
  head.method = "GET", head.scheme = "http", head.authority = "a", head.path = "/", head.protocol = "websocket",
  head.reason = "OK";
  head.status = 200, head.content_length = 5, head.end = head.tunnel = head.trailers_accepted = head.origin_form = true,
  head.version = 10;
  head.fields.add("a", "b");
  head.clear();
  CHECK((head.method + head.scheme + head.authority + head.path + head.protocol + head.reason).empty());
  CHECK(head.status == 0);
  CHECK_FALSE(head.content_length.has_value());
  CHECK_FALSE((head.end || head.tunnel || head.trailers_accepted || head.origin_form));
  CHECK(head.version == 11);
  CHECK(head.fields.empty());
}

TEST_CASE("reads grow with what was moved, within bounds") {
  CHECK(tunnel_room(0) <= 16 * 1024);
  CHECK(tunnel_room(1'000'000) == 128 * 1024);
  CHECK(tunnel_room(~0ull) == 128 * 1024);
}

TEST_CASE("targets hold visible ASCII, and what browsers send") {
  for (const char* const text : {"/", "*", "http://a:1/b?c", "/%c3%a4", "/^`{|}[]\"<>'", "/?\\", "/a?b\\c?\\"}) {
    CAPTURE(text);
    CHECK(is_target(text));
  }
  for (const char* const text :
       {"", "/ ", "/\t", "/#a", "/\x7f", "/\x80", "/\xc3\xa4", "/?\xff", "/\\", "http://a\\b/", "/a\\?b"}) {
    CAPTURE(text);
    CHECK_FALSE(is_target(text));
  }
}
