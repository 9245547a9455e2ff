// The machine falls silent: its packets do not arrive any more, and nobody is told. Everything that waits for it must end all the
// same. What HTTP/2 carries is ended by its PINGs; what HTTP/1 and tunnels carry by the system, which asks silent peers by TCP
// keep-alive and gives up those that acknowledge nothing (TCP_USER_TIMEOUT). Every other limit that could end them is off here.
//
// The system's times are a minute, which is spent asleep. So this runs in a ctest of its own, once, and not under the sanitizers.
#include "namespaces.hpp"
#include "websocket.hpp"

namespace e2e {
namespace {

constexpr milliseconds kLimit = 5min;  // for all of it: a minute is what it takes

// Something that is under way, as its client sees it.
struct Waiting {
  enum class Ends { closed, answered };
  std::string what;
  Client client;
  Ends ends = Ends::closed;
};

struct Setup {
  Machine machine;
  Process workspace_process, raw_process;
  std::int64_t http = number_in(machine.start(workspace_process, "fake-workspace", {"--http", "0"}), "http");
  std::int64_t raw = number_in(machine.start(raw_process, "raw-server"), "port");
  Proxy proxy{{"--idle-timeout", "0", "--response-timeout", "0", "--body-timeout", "0", "--send-timeout", "0",
               "--upstream-keep-alive", "10m", "--upstream-keep-alive-plain", "10m", "--connect-timeout", "1s", "--ping-interval",
               "1s", "--log-level", "debug"}};
  Context h1 = context("http"), h2 = context("h2c"), direct = proxy.context();

  Context context(std::string_view scheme) const {
    return proxy.context(
        {"--cmux-proxy-origin", fmt::format("{}://{}:{}", scheme, Machine::kAddress, http), "--morph-id", "abc"});
  }
  boost::json::object count(const char* of) const { return proxy.api("GET", "/v1/status").json().at(of).as_object(); }

  Client asked(std::string_view method, std::string_view path, const Context& context, std::string_view fields = {}) const {
    Client client = proxy.connect();
    client.send(request_text(method, fmt::format("http://localhost:3000{}", path), context, fields));
    return client;
  }

  Waiting websocket(const Context& context) const {
    Client client = asked("GET", "/ws", context,
                          "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
    REQUIRE(client.read_response().status == 101);
    client.send(frame(1, "hello"));
    REQUIRE(client.read_exactly(7) == plain_frame(1, "hello"));
    return {"a WebSocket", std::move(client)};
  }
  Waiting routed_tunnel(const Context& context) const {
    Client client = tunnel(proxy, context, "localhost:5432");
    client.send(std::string(8, '\1'));
    REQUIRE(client.read_exactly(8) == std::string(8, '\1'));
    return {"a raw tunnel", std::move(client)};
  }
  Waiting direct_tunnel(std::string what) const {
    Client client = tunnel(proxy, direct, fmt::format("{}:{}", Machine::kAddress, raw));
    client.read_some();  // the server speaks first
    client.send("ping");
    client.read_until("ping");
    return {std::move(what), std::move(client)};
  }
  Waiting events(const Context& context) const {
    Client client = asked("GET", "/sse?count=0&gap=100", context);
    client.read_until("event 1");
    return {"a response's body", std::move(client)};
  }
  Waiting upload(const Context& context) const {
    Client client = asked("POST", "/mirror", context, "Transfer-Encoding: chunked\r\n");
    client.send("5\r\nhello\r\n");
    client.read_until("hello");
    return {"a request's body", std::move(client)};
  }
  Waiting answer(const Context& context) const {
    Client client = asked("GET", "/hang", context);
    return {"a response", std::move(client), Waiting::Ends::answered};
  }
};

}  // namespace

TEST_CASE("partition: what waits for a machine that has fallen silent ends and new requests do not hang", "[.partition]") {
  if (!in_namespace()) return;
  Setup setup;
  std::vector<Waiting> waiting;
  const auto add = [&](Waiting one, const char* over) {
    one.what += over;
    waiting.push_back(std::move(one));
  };
  for (const auto& [context, over] : {std::pair{&setup.h2, " over HTTP/2"}, {&setup.h1, " over HTTP/1"}}) {
    add(setup.answer(*context), over);
    add(setup.events(*context), over);
    add(setup.websocket(*context), over);
    add(setup.routed_tunnel(*context), over);
    add(setup.upload(*context), over);
  }
  waiting.push_back(setup.direct_tunnel("a silent tunnel to an address"));
  waiting.push_back(setup.direct_tunnel("a tunnel to an address whose client speaks"));
  for (const Context* const context : {&setup.h1, &setup.h2})  // one that is kept, for the request after
    REQUIRE(setup.proxy.get(*context, "http://localhost:3000/").status == 200);
  REQUIRE(eventually([&] { return number_in(setup.count("requests"), "open") == static_cast<std::int64_t>(waiting.size()); }));

  setup.machine.drop_replies();
  const auto deadline = std::chrono::steady_clock::now() + kLimit;
  const auto left = [&] {
    return std::max(1ms, std::chrono::duration_cast<milliseconds>(deadline - std::chrono::steady_clock::now()));
  };
  // What is sent now reaches the machine; that it does, nobody learns.
  waiting.back().client.send("are you there?");
  for (Waiting& one : waiting)
    if (one.what.starts_with("a request's body")) one.client.send("5\r\nthere\r\n");
  Client late_h2 = setup.asked("GET", "/", setup.h2), late_h1 = setup.asked("GET", "/", setup.h1);

  CHECK(late_h2.read_response("GET", left()).status == 504);
  CHECK(setup.proxy.get(setup.h2, "http://localhost:3000/").status == 504);
  CHECK(setup.proxy.get(setup.h1, "http://localhost:3000/new").status == 504);
  for (Waiting& one : waiting) {
    INFO(one.what);
    if (one.ends == Waiting::Ends::answered) CHECK(one.client.read_response("GET", left()).status == 504);
    else CHECK(one.client.closed_by_peer(left()));
  }
  CHECK(late_h1.read_response("GET", left()).status == 504);
  CHECK(eventually([&] { return number_in(setup.count("requests"), "open") == 0; }));
  // It was the PING that ended those: the system's minute was not over.
  INFO(setup.proxy.process().stderr_text());
  CHECK(setup.proxy.process().stderr_text().find("has not answered a PING") != std::string::npos);

  setup.machine.heal();
  for (const Context* const context : {&setup.h1, &setup.h2})
    CHECK(setup.proxy.get(*context, "http://localhost:3000/").status == 200);
}

}  // namespace e2e
