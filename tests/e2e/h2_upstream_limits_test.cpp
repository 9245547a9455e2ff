// Upstreams over HTTP/2 that send too much, take too little, or fall silent: what they cost is bounded, and nobody waits for
// ever.
#include "frames.hpp"
#include "rows.hpp"

using namespace e2e;
using namespace e2e::h2;
using namespace std::string_literals;

namespace {

const Lines kOk{{":status", "200"}};

struct Setup {
  explicit Setup(Strings flags = {})
      : proxy((flags.insert(flags.end(), {"--upstream-h2c", "127.0.0.1", "--threads", "1"}), flags)), context(proxy.context()) {}
  Proxy proxy;
  Context context;
  Upstream upstream;

  Client ask(std::string_view path = "/") const {
    Client client = proxy.connect();
    client.send(request_text("GET", upstream.url(path), context));
    return client;
  }
};

void check_error(const Response& response, int status, std::string_view error) {
  INFO(response.head << response.body);
  CHECK(response.status == status);
  CHECK(response.header("Proxy-Status").starts_with(fmt::format("cmuxproxy; error={}", error)));
}

Lines large(std::size_t count, std::size_t size) {
  return kOk + Lines(count, std::pair<std::string, std::string>("x-large", std::string(size, 'x')));
}

// The proxy has looked at what this client sent.
void settle(const Setup& setup) { setup.proxy.api("GET", "/healthz"); }

}  // namespace

TEST_CASE("h2 upstream: a header that is too large is a 502 of that request alone") {
  Setup setup;
  const std::size_t before = setup.proxy.process().peak_kb();
  Client other = setup.ask();
  ServerSide server(setup.upstream);
  REQUIRE(server.request() == 1);
  for (const Lines& lines : {large(10, 10'000), large(600, 1), large(20, 60'000)}) {  // the last one is over 1 MB
    Client client = setup.ask();
    const std::uint32_t id = server.request();
    REQUIRE(id != 0);
    server.send(long_headers(id, lines));
    check_error(client.read_response(), 502, "http_response_header_section_size");
  }
  server.send(headers(1, kOk, kEndHeaders) + data(1, "hello", kNone));
  other.read_until("hello");
  server.send(headers(1, {}));
  other.read_until("\r\n0\r\n\r\n");
  Client last = setup.ask();
  const std::uint32_t id = server.request();
  REQUIRE(id != 0);
  server.send(headers(id, kOk));
  CHECK(last.read_response().status == 200);
  if (!slow()) CHECK(setup.proxy.process().peak_kb() < before + 8'000);
}

TEST_CASE("h2 upstream: interim answers without an end take no memory") {
  Setup setup;
  const std::string many = [] {
    std::string out;
    for (int i = 0; i < 1'000; ++i) out += headers(1, {{":status", "103"}, {"x-a", std::string(1'000, 'x')}}, kEndHeaders);
    return out;
  }();
  Client client = setup.ask();  // which does not read
  ServerSide server(setup.upstream);
  REQUIRE(server.request() == 1);
  const std::size_t before = setup.proxy.process().peak_kb();
  for (int i = 0; i < 20 && !server.streams[1].reset; ++i) {  // 20 MB
    server.send(many);
    server.exchange_pings();
  }
  CHECK(server.streams[1].reset.has_value());
  if (!slow()) CHECK(setup.proxy.process().peak_kb() < before + 8'000);
  client.read_until("HTTP/1.1 502 ", 2 * kPatience);
}

TEST_CASE("h2 upstream: a body over the window ends its stream, and the others go on") {
  Setup setup;
  Client client;
  client.receive_buffer(4'096);
  client.connect(setup.proxy.port());
  client.send(request_text("GET", setup.upstream.url(), setup.context));
  ServerSide server(setup.upstream);
  REQUIRE(server.request() == 1);
  const std::size_t before = setup.proxy.process().peak_kb();
  server.send(headers(1, kOk, kEndHeaders));
  const std::string piece = data(1, std::string(16'384, 'x'), kNone);
  for (int i = 0; i < 2'000 && !server.streams[1].reset; ++i) {  // 32 MB
    server.send(piece);
    if (i % 100 == 99) server.exchange_pings();
  }
  CHECK(server.streams[1].reset.value_or(99) == kFlowControlError);
  if (!slow()) CHECK(setup.proxy.process().peak_kb() < before + 16'000);
  Client next = setup.ask();
  REQUIRE(server.request() == 3);
  server.send(headers(3, kOk));
  CHECK(next.read_response().status == 200);
  CHECK(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 200"));
  CHECK_FALSE(client.read_all_until_close().ends_with("\r\n0\r\n\r\n"));
}

TEST_CASE("h2 upstream: with no stream allowed a request waits until there is one, or is given up") {
  SECTION("given up") {
    Setup setup({"--response-timeout", "500ms"});
    Client client = setup.ask();
    ServerSide server(setup.upstream, settings({{kMaxStreams, 0}}));
    check_error(client.read_response(), 504, "http_response_timeout");
  }
  SECTION("allowed later") {
    Setup setup;
    Client client = setup.ask();
    ServerSide server(setup.upstream, settings({{kMaxStreams, 0}}));
    server.exchange_pings();
    server.send(settings({{kMaxStreams, 10}}));
    REQUIRE(server.request() == 1);
    server.send(headers(1, kOk));
    CHECK(client.read_response().status == 200);
  }
}

TEST_CASE("h2 upstream: with one stream at a time the next request gets a connection of its own") {
  Setup setup;
  Client client = setup.ask();
  ServerSide server(setup.upstream, settings({{kMaxStreams, 1}}));
  REQUIRE(server.request() == 1);
  server.exchange_pings();
  Client next = setup.ask();
  ServerSide second(setup.upstream, settings({{kMaxStreams, 1}}));
  REQUIRE(second.request() == 1);
  second.send(headers(1, kOk));
  CHECK(next.read_response().status == 200);
  server.send(headers(1, kOk));
  CHECK(client.read_response().status == 200);
  Client last = setup.ask();  // both have room now
  CHECK_FALSE(setup.upstream.is_asked(0ms));
}

namespace {

std::int64_t opened(const Setup& setup) {
  const std::string text = setup.proxy.api("GET", "/metrics").body;
  const std::string_view name = "\ncmuxproxy_upstream_connections_total ";
  return std::atoll(text.c_str() + text.find(name) + name.size());
}

std::string many_requests(const Setup& setup, std::uint32_t from, int count) {
  std::string out;
  for (int i = 0; i < count; ++i, from += 2)
    out += headers(from, request(setup.context, "/", "GET", fmt::format("127.0.0.1:{}", setup.upstream.port())));
  return out;
}

}  // namespace

TEST_CASE("h2 upstream: who takes no stream at all is asked by one request, and its connection ends with that") {
  Setup setup;
  ClientSide client(setup.proxy.port());
  client.send(many_requests(setup, 1, 1));
  ServerSide server(setup.upstream, settings({{kMaxStreams, 0}}));
  server.exchange_pings();
  client.send(many_requests(setup, 3, 50));
  client.exchange_pings();
  CHECK(opened(setup) == 1);
  std::string cancelled;
  for (std::uint32_t id = 1; id <= 101; id += 2) cancelled += reset(id);
  client.send(cancelled);
  CHECK(server.end().value_or(kNoError) == kNoError);
  CHECK(opened(setup) == 1);
}

TEST_CASE("h2 upstream: who takes one stream at a time gets 64 connections at the most, and the other requests wait") {
  Setup setup;
  ClientSide client(setup.proxy.port());
  client.send(many_requests(setup, 1, 100));
  std::vector<std::unique_ptr<ServerSide>> servers;
  for (int i = 0; i < 64; ++i) {
    servers.push_back(std::make_unique<ServerSide>(setup.upstream, settings({{kMaxStreams, 1}})));
    REQUIRE(servers.back()->request() == 1);
    servers.back()->exchange_pings();
  }
  client.exchange_pings();
  CHECK(opened(setup) == 64);
  // Of those who wait, who leaves does not matter, and who stays is served in turn.
  std::string cancelled;
  for (std::uint32_t id = 131; id < 190; id += 2) cancelled += reset(id);
  client.send(cancelled);
  client.exchange_pings();
  for (std::size_t i = 0; i < 6; ++i) servers[i]->send(headers(1, kOk));
  for (std::size_t i = 0; i < 6; ++i) REQUIRE(servers[i]->request() == 3);
  for (std::size_t i = 0; i < 6; ++i) servers[i]->send(headers(3, kOk));
  for (std::size_t i = 6; i < 64; ++i) servers[i]->send(headers(1, kOk));
  CHECK(client.until([&] {
    return std::count_if(client.streams.begin(), client.streams.end(),
                         [](const auto& one) { return one.second.status() == 200; }) == 70;
  }));
  CHECK(opened(setup) == 64);
}

TEST_CASE("h2 upstream: requests wait for late SETTINGS, and share the connection then") {
  Setup setup;
  std::vector<Client> clients;
  for (int i = 0; i < 5; ++i) clients.push_back(setup.ask());
  ServerSide server(setup.upstream, "");
  server.answers = false;          // SETTINGS are to be the first thing it says
  REQUIRE(server.request() == 1);  // it may be sent before they come (RFC 9113 section 3.4)
  settle(setup);
  CHECK_FALSE(setup.upstream.is_asked(0ms));
  server.send(settings({{kMaxStreams, 100}}));
  server.send(headers(1, kOk));
  for (int i = 0; i < 4; ++i) {
    const std::uint32_t id = server.request();
    REQUIRE(id != 0);
    server.send(headers(id, kOk));
  }
  for (Client& client : clients) CHECK(client.read_response().status == 200);
  CHECK_FALSE(setup.upstream.is_asked(0ms));
}

TEST_CASE("h2 upstream: who falls silent is found out") {
  Setup setup({"--ping-interval", "200ms"});
  Upstream mute;
  Client client = setup.ask();
  ServerSide server(setup.upstream);
  REQUIRE(server.request() == 1);
  server.answers = false;
  Client other = setup.proxy.connect();
  other.send(request_text("GET", mute.url(), setup.context));
  Client waiting = setup.proxy.connect();
  ServerSide never(mute, "");  // takes the request, and says no SETTINGS
  never.answers = false;
  REQUIRE(never.request() == 1);
  waiting.send(request_text("GET", mute.url(), setup.context));
  // Both are given 10 seconds.
  check_error(client.read_response("GET", 2 * kPatience), 504, "http_response_timeout");
  check_error(other.read_response("GET", 2 * kPatience), 504, "http_response_timeout");
  check_error(waiting.read_response("GET", 2 * kPatience), 504, "http_response_timeout");
}
