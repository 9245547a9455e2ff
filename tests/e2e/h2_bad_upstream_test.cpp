// Upstreams that break HTTP/2: the request that it concerns gets an answer that says so, or an abort once its head is out, the
// others go on where the connection can, and what the upstream has surely not acted on is asked once more.
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

  std::string get(const Upstream& upstream) const { return request_text("GET", upstream.url(), context); }
  std::string post(const Upstream& upstream) const { return request_text("POST", upstream.url(), context, {}, "hello"); }
  Client ask(const std::string& text) const {
    Client client = proxy.connect();
    client.send(text);
    return client;
  }
  Client ask(const Upstream& upstream) const { return ask(get(upstream)); }
  // A new request on the connection that the proxy has kept.
  void check_served(const Upstream& upstream, ServerSide& server) const {
    Client client = ask(upstream);
    const std::uint32_t id = server.request();
    REQUIRE(id != 0);
    server.send(headers(id, kOk));
    CHECK(client.read_response().status == 200);
  }
  std::int64_t retried() const {
    const std::string text = proxy.api("GET", "/metrics").body;
    return std::atoll(text.c_str() + text.find("\ncmuxproxy_requests_retried_total ") + 34);
  }
};

void check_error(const Response& response, int status, std::string_view error, std::string_view said = {}) {
  INFO(response.head << response.body);
  CHECK(response.status == status);
  CHECK(response.header("Proxy-Status").starts_with(fmt::format("cmuxproxy; error={}", error)));
  CHECK(response.body.find(said) != std::string::npos);
}

std::string many(std::string_view frame, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += frame;
  return out;
}

// What an HTTP/1 client sees of a response that was cut off.
void check_cut(Client& client) {
  const std::string start = client.read_until("\r\n\r\n");
  CHECK(start.starts_with("HTTP/1.1 200"));
  const std::string rest = client.read_all_until_close();
  CHECK(rest.find("\r\n0\r\n\r\n") == std::string::npos);
}

}  // namespace

TEST_CASE("h2 upstream: a malformed answer is a 502, and the connection goes on") {
  Setup setup;
  const auto ok = [](const Lines& more) { return headers(1, kOk + more, kEndHeaders); };
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"no :status", headers(1, {{"x-a", "1"}})},
      {"nothing", headers(1, {})},
      {":status 20", headers(1, {{":status", "20"}})},
      {":status 2000", headers(1, {{":status", "2000"}})},
      {":status abc", headers(1, {{":status", "abc"}})},
      {":status 101", headers(1, {{":status", "101"}})},
      {"an interim answer alone", headers(1, {{":status", "103"}})},
      {"two :status", headers(1, kOk + kOk)},
      {":status behind a field", headers(1, Lines{{"x-a", "1"}} + kOk)},
      {"a request's pseudo-field", headers(1, kOk + Lines{{":path", "/"}})},
      {"an unknown pseudo-field", headers(1, kOk + Lines{{":extra", "1"}})},
      {"a name in capitals", ok({{"X-A", "1"}})},
      {"an empty name", ok({{"", "1"}})},
      {"a name with a space", ok({{"x a", "1"}})},
      {"CR LF in a value", ok({{"x-a", "one\r\nX-Evil: 1"}})},
      {"NUL in a value", ok({{"x-a", "o\0ne"s}})},
      {"connection", ok({{"connection", "close"}})},
      {"transfer-encoding", ok({{"transfer-encoding", "chunked"}})},
      {"two lengths", ok({{"content-length", "5"}, {"content-length", "5"}})},
      {"a length that is none", ok({{"content-length", "five"}})},
      {"a length, and no body", headers(1, kOk + Lines{{"content-length", "5"}})},
      {"DATA behind an interim head", headers(1, {{":status", "103"}}, kEndHeaders) + data(1, "hello")},
  };
  for (const auto& [name, bytes] : rows)
    each(name, [&, &bytes = bytes] {
      Upstream upstream;
      Client client = setup.ask(upstream);
      ServerSide server(upstream);
      REQUIRE(server.request() == 1);
      server.send(bytes);
      Response response = client.read_response();
      if (response.status == 103) response = client.read_response();
      check_error(response, 502, "http_protocol_error", "127.0.0.1");
      server.until([&] { return server.streams[1].reset.has_value(); });
      CHECK(server.streams[1].reset.value_or(99) == kProtocolError);
      setup.check_served(upstream, server);
      CHECK(server.streams[1].resets == 1);
    });
}

TEST_CASE("h2 upstream: what is malformed behind the head cuts the response off, and the connection goes on") {
  Setup setup;
  const std::string head = headers(1, kOk, kEndHeaders), five = headers(1, kOk + Lines{{"content-length", "5"}}, kEndHeaders);
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"longer than its length", data(1, "hello!")},
      {"shorter than its length", data(1, "hell")},
      {"trailers with a pseudo-field", data(1, "hello", kNone) + headers(1, kOk)},
      {"trailers with capitals", data(1, "hello", kNone) + headers(1, {{"X-Sum", "1"}})},
      {"a second head", data(1, "hello", kNone) + headers(1, kOk, kEndHeaders)},
      {"a window over 2^31", window(1, 0x7fffffff)},
      {"RST_STREAM", data(1, "hel", kNone) + reset(1, kInternalError)},
      {"RST_STREAM that says NO_ERROR", data(1, "hel", kNone) + reset(1, kNoError)},
  };
  for (const auto& [name, bytes] : rows)
    for (const std::string& start : {head, five}) {
      if (start == head && (name.starts_with("longer") || name.starts_with("shorter"))) continue;
      each(name, [&, &bytes = bytes] {
        Upstream upstream;
        Client client = setup.ask(upstream);
        ServerSide server(upstream);
        REQUIRE(server.request() == 1);
        server.send(start);
        server.exchange_pings();
        server.send(bytes);
        check_cut(client);
        setup.check_served(upstream, server);
      });
    }
}

TEST_CASE("h2 upstream: what breaks the connection ends it with the code, and the request with a 502") {
  Setup setup;
  const std::string large(16'385, 'x');
  const std::vector<std::tuple<std::string, std::string, std::uint32_t>> rows = {
      {"an answer on an idle stream", headers(3, kOk), kProtocolError},
      {"an answer on the server's own stream", headers(2, kOk), kProtocolError},
      {"DATA in front of the head", data(1, "hello"), kProtocolError},
      {"DATA on an idle stream", data(3, "x"), kProtocolError},
      {"PUSH_PROMISE", frame(kPushPromise, kEndHeaders, 1, u32(2) + block(kOk)), kProtocolError},
      {"CONTINUATION alone", frame(kContinuation, kEndHeaders, 1, block(kOk)), kProtocolError},
      {"PING within a block", frame(kHeaders, 0, 1, block(kOk)) + ping(), kProtocolError},
      {"a frame too large", data(1, large), kFrameSizeError},
      {"padding past the end", frame(kData, kPadded, 1, "\x06hello"), kProtocolError},
      {"ENABLE_PUSH 1", settings({{kEnablePush, 1}}), kProtocolError},
      {"MAX_FRAME_SIZE 1", settings({{kMaxFrame, 1}}), kProtocolError},
      {"SETTINGS of 5 bytes", frame(kSettings, 0, 0, "12345"), kFrameSizeError},
      {"window by 0", window(0, 0), kProtocolError},
      {"window over 2^31", window(0, 0x7fffffff), kFlowControlError},
      {"HPACK: an index of nothing", frame(kHeaders, kWhole, 1, "\xff\x80\x01"), kCompressionError},
      {"PING flood", many(ping(), 3'000), kEnhanceYourCalm},
      {"SETTINGS flood", many(settings(), 3'000), kEnhanceYourCalm},
      {"WINDOW_UPDATE flood", many(window(1, 1), 3'000), kEnhanceYourCalm},
      {"CONTINUATION flood", frame(kHeaders, 0, 1, block(kOk)) + many(frame(kContinuation, 0, 1, ""), 3'000), kEnhanceYourCalm},
  };
  for (const auto& [name, bytes, code] : rows)
    each(name, [&, &bytes = bytes, &code = code] {
      Upstream upstream;
      Client client = setup.ask(upstream);
      ServerSide server(upstream);
      REQUIRE(server.request() == 1);
      server.send(bytes);
      CHECK(server.end().value_or(99) == code);
      check_error(client.read_response(), 502, "http_protocol_error", "127.0.0.1");
      CHECK_FALSE(upstream.is_asked(0ms));  // it may have acted on the request
    });
}

TEST_CASE("h2 upstream: who does not speak HTTP/2, or not at all, is a 502 that says so") {
  Setup setup;
  const std::vector<std::tuple<std::string, std::string, std::string, std::string>> rows = {
      {"HTTP/1", "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "http_protocol_error", "HTTP/2"},
      {"garbage", std::string(64, 'x'), "http_protocol_error", "HTTP/2"},
      {"no SETTINGS first", ping(), "http_protocol_error", "SETTINGS"},
      {"the end at once", "", "connection_terminated", "closed"},
      {"the end within SETTINGS", settings().substr(0, 5), "connection_terminated", "closed"},
      {"the end behind SETTINGS", settings(), "connection_terminated", "closed"},
  };
  for (const auto& [name, bytes, error, said] : rows)
    for (const bool post : {false, true})
      each(name, [&, &bytes = bytes, &error = error, &said = said] {
        Upstream upstream;
        Client client = setup.ask(post ? setup.post(upstream) : setup.get(upstream));
        {
          ServerSide server(upstream, "");
          server.answers = false;
          REQUIRE(server.request() == 1);
          server.send(bytes);
          if (error == "connection_terminated") server.peer.half_close();
          server.end();
        }
        check_error(client.read_response(), 502, error, said);
        CHECK_FALSE(upstream.is_asked(0ms));
      });
}

TEST_CASE("h2 upstream: what it has surely not acted on is asked once more on a new connection") {
  Setup setup;
  struct Refusal {
    std::string name, bytes;
    int status;
  };
  const std::vector<Refusal> rows = {
      {"REFUSED_STREAM", reset(1, kRefusedStream), 502},
      {"GOAWAY below it", goaway(0), 502},
      {"GOAWAY below it, with an error", goaway(0, kInternalError), 502},
  };
  for (const auto& [name, bytes, status] : rows)
    for (const bool post : {false, true})
      for (const bool twice : {false, true})
        each(fmt::format("{}{}{}", name, post ? ", with a body" : "", twice ? ", twice" : ""), [&, &bytes = bytes] {
          const auto retried = setup.retried();
          Upstream upstream;
          Client client = setup.ask(post ? setup.post(upstream) : setup.get(upstream));
          ServerSide first(upstream);
          REQUIRE(first.request() == 1);
          if (post) CHECK(first.until([&] { return first.streams[1].body == "hello"; }));
          first.send(bytes);
          ServerSide second(upstream);
          REQUIRE(second.request() == 1);
          if (post) CHECK(second.until([&] { return second.streams[1].body == "hello"; }));
          if (!twice) {
            second.send(headers(1, kOk));
            CHECK(client.read_response().status == 200);
          } else {
            second.send(bytes);
            const Response response = client.read_response();
            CHECK((response.status == 502 || response.status == 503));
            CHECK(response.header("Proxy-Status").starts_with("cmuxproxy; error="));
          }
          CHECK_FALSE(upstream.is_asked(0ms));  // no third time
          CHECK(setup.retried() == retried + 1);
        });
}

TEST_CASE("h2 upstream: other codes and ends are a 502, asked once") {
  Setup setup;
  for (std::uint32_t code = kNoError; code <= kInadequateSecurity; ++code) {
    if (code == kRefusedStream || code == kEnhanceYourCalm) continue;
    INFO("code " << code);
    Upstream upstream;
    Client client = setup.ask(upstream);
    ServerSide server(upstream);
    REQUIRE(server.request() == 1);
    server.send(reset(1, code));
    check_error(client.read_response(), 502, "connection_terminated", "127.0.0.1");
    setup.check_served(upstream, server);
    CHECK_FALSE(upstream.is_asked(0ms));
  }
  for (const std::string& end : {goaway(1, kNoError), goaway(1, kInternalError), goaway(0x7fffffff, kEnhanceYourCalm), ""s}) {
    Upstream upstream;
    Client client = setup.ask(upstream);
    {
      ServerSide server(upstream);
      REQUIRE(server.request() == 1);
      server.send(end);
      if (end.empty()) server.peer.abort();
    }
    check_error(client.read_response(), 502, "connection_terminated", "127.0.0.1");
    CHECK_FALSE(upstream.is_asked(0ms));
  }
}

TEST_CASE("h2 upstream: a limit of its own is met by asking once more where that does no harm, and else told") {
  Setup setup;
  const bool post = GENERATE(false, true);
  CAPTURE(post);
  Upstream upstream;
  Client client = setup.ask(post ? setup.post(upstream) : setup.get(upstream));
  ServerSide first(upstream);
  REQUIRE(first.request() == 1);
  if (post) CHECK(first.until([&] { return first.streams[1].ended; }));
  first.send(reset(1, kEnhanceYourCalm));  // which does not say that the request was not acted on
  if (!post) {
    ServerSide second(upstream);
    REQUIRE(second.request() == 1);
    second.send(reset(1, kEnhanceYourCalm));
    const Response response = client.read_response();
    check_error(response, 503, "destination_unavailable", "ENHANCE_YOUR_CALM");
    CHECK(response.header("Retry-After") == "1");
  } else {
    check_error(client.read_response(), 503, "destination_unavailable", "ENHANCE_YOUR_CALM");
  }
  CHECK_FALSE(upstream.is_asked(0ms));
}

TEST_CASE("h2 upstream: a client that can ask again is told that nobody has acted on its request") {
  Setup setup;
  Upstream upstream;
  ClientSide client(setup.proxy.port());
  client.send(headers(1, request(setup.context, "/", "GET", fmt::format("127.0.0.1:{}", upstream.port()))));
  ServerSide first(upstream);
  REQUIRE(first.request() == 1);
  first.send(reset(1, kRefusedStream));
  ServerSide second(upstream);
  REQUIRE(second.request() == 1);
  const bool acted = GENERATE(false, true);
  CAPTURE(acted);
  second.send(reset(1, acted ? kEnhanceYourCalm : kRefusedStream));
  const Message& message = client.message(1);
  CHECK(message.reset.value_or(99) == (acted ? 99u : std::uint32_t{kRefusedStream}));
  CHECK(message.status() == (acted ? 503 : 0));
  CHECK_FALSE(client.code);
}

TEST_CASE("h2 upstream: what it was seen to refuse is learned, and more connections carry the rest") {
  Setup setup;
  Upstream upstream;
  const std::string authority = fmt::format("127.0.0.1:{}", upstream.port());
  ClientSide client(setup.proxy.port());
  client.send(headers(1, request(setup.context, "/", "GET", authority)));
  ServerSide first(upstream, settings({{kMaxStreams, 100}}));
  REQUIRE(first.request() == 1);
  first.exchange_pings();
  for (std::uint32_t id = 3; id <= 7; id += 2) client.send(headers(id, request(setup.context, "/", "GET", authority)));
  for (std::uint32_t id = 3; id <= 7; id += 2) REQUIRE(first.request() == id);
  first.send(reset(5, kEnhanceYourCalm) + reset(7, kEnhanceYourCalm));  // two at once are what it takes
  ServerSide second(upstream, settings({{kMaxStreams, 100}}));
  REQUIRE(second.request() == 1);
  second.exchange_pings();
  REQUIRE(second.request() == 3);
  client.send(headers(9, request(setup.context, "/", "GET", authority)));
  ServerSide third(upstream, settings({{kMaxStreams, 100}}));
  REQUIRE(third.request() == 1);
  for (ServerSide* server : {&first, &second})
    for (std::uint32_t id = 1; id <= 3; id += 2) server->send(headers(id, kOk));
  third.send(headers(1, kOk));
  for (std::uint32_t id = 1; id <= 9; id += 2) CHECK(client.message(id).status() == 200);
}

TEST_CASE("h2 upstream: GOAWAY lets what it took end, and the next request goes elsewhere") {
  Setup setup;
  Upstream upstream;
  Client client = setup.ask(upstream);
  ServerSide server(upstream);
  REQUIRE(server.request() == 1);
  server.send(goaway(0x7fffffff) + goaway(1));
  server.exchange_pings();
  Client next = setup.ask(upstream);
  ServerSide second(upstream);
  REQUIRE(second.request() == 1);
  server.send(headers(1, kOk, kEndHeaders) + data(1, "late"));
  CHECK(client.read_response().body == "late");
  CHECK(server.end().value_or(kNoError) == kNoError);
  second.send(headers(1, kOk));
  CHECK(next.read_response().status == 200);
}

TEST_CASE("h2 upstream: a connection that dies takes with it what its peer may have acted on") {
  Setup setup;
  Upstream upstream;
  Client first = setup.ask(upstream);
  auto server = std::make_unique<ServerSide>(upstream);
  REQUIRE(server->request() == 1);
  server->send(headers(1, kOk, kEndHeaders) + data(1, "begun", kNone));
  first.read_until("begun");
  Client get = setup.ask(upstream);
  REQUIRE(server->request() == 3);
  Client post = setup.ask(setup.post(upstream));
  REQUIRE(server->request() == 5);
  CHECK(server->until([&] { return server->streams[5].ended; }));
  server->exchange_pings();
  server->peer.abort();
  check_error(get.read_response(), 502, "connection_terminated");
  check_error(post.read_response(), 502, "connection_terminated");
  CHECK_FALSE(upstream.is_asked(milliseconds(0)));
  CHECK(first.read_all_until_close().find("\r\n0\r\n") == std::string::npos);
}
