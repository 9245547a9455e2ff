// The bounds of the admin API and of those who ask it, from both sides.
#include <catch2/catch.hpp>
#include <deque>

#include "admin/client.hpp"
#include "admin/events.hpp"
#include "admin/http_socket.hpp"
#include "admin/reply.hpp"
#include "api_fixture.hpp"
#include "http/fake_stream.hpp"
#include "net/pair.hpp"

using namespace cmux;
using namespace cmux::admin;

namespace {

// Something that answers every request with these bytes; where they are no whole head, it waits for its client to go.
struct Answering {
  explicit Answering(std::string bytes) : answer(std::move(bytes)) {
    listener = *net::Listener::bind(*net::Endpoint::from_ip("127.0.0.1", 0));
    scope.spawn(accept(*this));
  }
  ~Answering() {
    listener->close();
    loop.run(scope.join());
  }
  static Task<void> accept(Answering& self) {
    std::function<void(net::Socket)> take = [&self](net::Socket socket) { self.scope.spawn(say(self, std::move(socket))); };
    co_await self.listener->run(std::move(take));
  }
  static Task<void> say(Answering& self, net::Socket socket) {
    net::SocketTransport transport(std::move(socket));
    std::string request;
    co_await net::read_until(transport, "\r\n\r\n", request);
    auto written = co_await net::write_all(transport, self.answer);
    if (written && self.answer.find("\r\n\r\n") == std::string::npos) co_await net::read_to_end(transport, request);
  }
  static Task<void> ask(const Client& client, Result<Answer>& out) { out = co_await client.ask("GET", "/v1/status"); }
  Result<Answer> asked(milliseconds timeout = Client::kTimeout, std::size_t most_body = Client::kMostBody) {
    const Client client({"test", 1, "127.0.0.1:1", "http://" + listener->endpoint().text(), std::string(kToken)}, timeout,
                        most_body);
    Result<Answer> out = make_error(Errc::system);
    run(loop, ask(client, out));
    return out;
  }

  Loop loop;
  std::string answer;
  std::unique_ptr<net::Listener> listener;
  Scope scope;
};

// A response whose header has that many bytes, in lines of that many at the most.
std::string answer_of(std::size_t header_bytes, const std::string& body = "{}", std::size_t line = 16'384) {
  std::string head =
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  while (head.size() + 2 < header_bytes) {
    const std::size_t left = header_bytes - head.size() - 2, size = left < line + 16 ? left : line;
    head += "X-Long: " + std::string(size - 10, 'x') + "\r\n";
  }
  return head + "\r\n" + body;
}

Task<void> listen(ApiFixture& api, const InstanceRecord& instance, std::string& log) {
  std::deque<EventStream> streams;
  for (std::size_t i = 0; i < EventHub::kMostSubscribers; ++i) {
    auto opened = co_await streams.emplace_back(instance).open("/v1/events");
    log += opened ? "" : "refused too early ";
  }
  EventStream late(instance);
  auto opened = co_await late.open("/v1/events");
  log += opened ? "taken " : opened.error().detail + " ";
  streams.pop_back();
  while (!opened) {  // the place is free once the server has seen that the listener is gone
    EventStream again(instance);
    opened = co_await again.open("/v1/events");
  }
  log += "taken";
  api.api->close_events();
}

Task<void> subscribe(EventHub& hub, http::FakeStream& stream, milliseconds ping) {
  EventSubscription subscription(hub, {}, stream, ping);
  Scope scope;
  scope.spawn(subscription.run());
  while (stream.written.find(": ping\n\n") == std::string::npos && ping < EventSubscription::kPing) co_await Yield{};
  const EventRecord record{"request", "ctx-0-0", "{}"};
  hub.publish(record);
  while (stream.written.find("data: {}") == std::string::npos) co_await Yield{};
  hub.close();
  co_await scope.join();
}

}  // namespace

TEST_CASE("admin: a text of the client's is told up to its bound, and then cut between characters") {
  CHECK(quoted(std::string(60, 'a')) == "'" + std::string(60, 'a') + "'");
  CHECK(quoted(std::string(61, 'a')) == "'" + std::string(60, 'a') + "…'");
  CHECK(quoted(std::string(59, 'a') + "ä") == "'" + std::string(59, 'a') + "…'");
}

TEST_CASE("admin: 32 may listen to events, and the next when one has left") {
  ApiFixture fixture;
  const InstanceRecord record{"test", 1, "127.0.0.1:1", "http://" + fixture.host, std::string(kToken)};
  std::string log;
  run(fixture.loop, listen(fixture, record, log));
  CHECK(log == "the instance answered GET /v1/events with 503 taken");
}

TEST_CASE("admin: who hears of no event for a while gets a comment, who does gets none") {
  Loop loop;
  EventHub hub([](bool) {});
  http::FakeStream quiet, busy;
  run(loop, subscribe(hub, quiet, milliseconds(1)));
  CHECK(quiet.written.find(": ping\n\n") != std::string::npos);
  run(loop, subscribe(hub, busy, EventSubscription::kPing));
  CHECK(busy.written.find(": ping") == std::string::npos);
}

TEST_CASE("admin: an answer's header is read up to its bound") {
  using Response = HttpResponse<HttpSocket>;
  CHECK(Answering(answer_of(Response::kMostHeader)).asked().has_value());
  CHECK(Answering(answer_of(Response::kMostField + 200, "{}", Response::kMostField)).asked().has_value());
  for (const std::string& answer :
       {answer_of(Response::kMostHeader + 100), answer_of(Response::kMostField + 1'000, "{}", 70'000)}) {
    const auto refused = Answering(answer).asked();
    REQUIRE(refused.has_error());
    CHECK(refused.error().code != Errc::timeout);
  }
}

TEST_CASE("admin: an answer's body is read up to its bound") {
  const std::string body = "\"" + std::string(998, 'x') + "\"";
  const auto whole = Answering(answer_of(0, body)).asked(Client::kTimeout, 1'000);
  REQUIRE(whole.has_value());
  CHECK(whole->body.as_string().size() == 998);
  const auto refused = Answering(answer_of(0, body)).asked(Client::kTimeout, 999);
  REQUIRE(refused.has_error());
  CHECK(refused.error().code == Errc::too_large);
}

TEST_CASE("admin: a call ends in time, answered or not") {
  CHECK(Answering(answer_of(0)).asked().has_value());
  const auto late = Answering("HTTP/1.1 200 OK\r\n").asked(milliseconds(50));
  REQUIRE(late.has_error());
  CHECK(late.error().code == Errc::timeout);
}
