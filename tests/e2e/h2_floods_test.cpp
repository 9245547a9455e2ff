// Clients that are within the letter of HTTP/2, or nearly, and cost more than they should: floods, bombs, dawdlers and hoarders.
// What they cost is bounded, they are told so, and others are served meanwhile.
#include "h2_floods.hpp"

using namespace e2e;
using namespace e2e::h2;
using namespace std::string_literals;
using Setup = FloodSetup;

TEST_CASE("h2: floods end their connection with ENHANCE_YOUR_CALM, and cost little") {
  Setup setup;
  const auto count = static_cast<std::size_t>(scaled(20'000));
  const std::string upload = headers(1, request(setup.context, "/upload", "POST"), kEndHeaders);
  const std::string hang = headers(1, setup.get("/hang")), whole = headers(1, setup.get("/"));
  const std::string half = frame(kHeaders, kEndStream, 1, block(setup.get("/")));
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"PING", many(ping(), count)},
      {"PING beside a stream", hang + many(ping(), count)},
      {"SETTINGS", many(settings(), count)},
      {"SETTINGS with changing windows", many(settings({{kInitialWindow, 1}}) + settings({{kInitialWindow, 100'000}}), count)},
      {"SETTINGS of many values", many(settings(std::vector<std::pair<std::uint16_t, std::uint32_t>>(2'000, {0x4242, 1})), 500)},
      {"PRIORITY", many(frame(kPriority, 0, 1, u32(0) + "x"), count)},
      {"empty DATA", upload + many(data(1, "", kNone), count)},
      {"DATA of padding alone", upload + many(frame(kData, kPadded, 1, "\x02\1\2"), count)},
      {"WINDOW_UPDATE", many(window(0, 1), count)},
      {"WINDOW_UPDATE of a stream", hang + many(window(1, 1), count)},
      {"RST_STREAM of one stream", hang + many(reset(1), count)},
      {"empty CONTINUATION", half + many(frame(kContinuation, 0, 1), count)},
      {"CONTINUATION", half + many(frame(kContinuation, 0, 1, block({{"x-a", std::string(1'000, 'x')}})), count / 10)},
      {"PING between bytes of a body", upload + many(ping() + many(data(1, "x", kNone), 4), count / 2)},
  };
  for (const auto& [name, bytes] : rows)
    each(name, [&, &name = name, &bytes = bytes] {
      const std::size_t grown = setup.growth([&] {
        ClientSide client(setup.proxy.port());
        client.answers = client.gives_windows = false;
        client.send(bytes);
        CHECK(code_at_end(client) == kEnhanceYourCalm);
      });
      CHECK(grown < 8'000);
      CHECK(setup.serves());
    });
  ClientSide unknown(setup.proxy.port());  // these are ignored, however many: that costs nothing
  unknown.send(many(frame(0x42, 0, 0), count) + whole);
  CHECK(unknown.message(1).status() == 200);
  unknown.client.close();
  CHECK(setup.is_quiet());
  CHECK(setup.workspace.malformed() == 0);
}

TEST_CASE("h2: streams that are opened only to end again are bounded, whoever ends them") {
  Setup setup;
  const Lines hang = setup.get("/hang"), post = request(setup.context, "/upload", "POST");
  const std::vector<std::pair<std::string, std::function<std::string(std::uint32_t)>>> rows = {
      // CVE-2023-44487
      {"reset at once", [&](std::uint32_t id) { return headers(id, hang) + reset(id); }},
      {"reset, no credentials", [&](std::uint32_t id) { return headers(id, without(hang, "proxy-authorization")) + reset(id); }},
      {"reset behind some body",
       [&](std::uint32_t id) { return headers(id, post, kEndHeaders) + many(data(id, "x", kNone), 4) + reset(id); }},
      // CVE-2025-8671: the server is made to reset them.
      {"window over 2^31", [&](std::uint32_t id) { return headers(id, hang) + window(id, 0x7fffffff); }},
      {"malformed head",
       [&](std::uint32_t id) {
         return headers(id, hang + Lines{{"X", "1"}});
       }},
      {"malformed trailers",
       [&](std::uint32_t id) {
         return headers(id, post, kEndHeaders) + headers(id, {{":path", "/"}});
       }},
      {"a body too long",
       [&](std::uint32_t id) {
         return headers(id, post + Lines{{"content-length", "1"}}, kEndHeaders) + data(id, "xy");
       }},
  };
  for (const auto& [name, bytes] : rows)
    each(name, [&, &bytes = bytes] {
      const auto seen = setup.workspace.requests();
      const std::size_t grown = setup.growth([&] {
        ClientSide client(setup.proxy.port());
        client.send(Setup::repeated(10'000, bytes));  // a page that is left may cancel hundreds
        CHECK(code_at_end(client) == kEnhanceYourCalm);
      });
      CHECK(grown < 16'000);
      CHECK(setup.workspace.requests() <= seen + 1'100);
      INFO(boost::json::serialize(setup.workspace.get("/connections")));
      CHECK(setup.workspace.malformed() == 0);
      CHECK(setup.serves());
    });
  CHECK(setup.is_quiet());
  CHECK(setup.workspace.malformed() == 0);
}

TEST_CASE("h2: what comes for streams that are closed, and headers that cost, are paid for") {
  Setup setup;
  const auto count = static_cast<std::size_t>(scaled(20'000));
  const Lines post = request(setup.context, "/upload", "POST");
  const std::string refused = headers(1, post + Lines{{"content-length", "1"}}, kEndHeaders) + data(1, "too long", kNone);
  const std::string entry = "\x40\x03x-a" + integer(4'000, 7, 0) + std::string(4'000, 'x');
  const std::string plain = block(setup.get("/"));
  const auto bomb = [&](std::size_t references) {
    return [&, references](std::uint32_t id) {
      std::string out = frame(kHeaders, kEndStream, id, plain + entry);
      for (std::size_t left = references; left > 0; left -= std::min<std::size_t>(left, 16'000))
        out += frame(kContinuation, left <= 16'000 ? kEndHeaders : kNone, id,
                     std::string(std::min<std::size_t>(left, 16'000), '\xbe'));
      return out;
    };
  };
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"empty DATA", many(data(1, "", kNone), count)},
      {"DATA of a byte", many(data(1, "x", kNone), count)},
      {"trailers", many(headers(1, {{"x-sum", "1"}}, kEndHeaders), count)},
      {"WINDOW_UPDATE", many(window(1, 1), count)},
      {"RST_STREAM", many(reset(1), count)},
      {"PING's answers to none", many(ping(kAck), count)},
      // 1.6 MB that are a byte a field, and few that are unpacked to just below what ends a block.
      {"large HPACK bombs", bomb(1'600'000)(3) + bomb(1'600'000)(5)},
      {"small HPACK bombs", Setup::repeated(100, [&](std::uint32_t id) { return bomb(200)(id + 2); })},
  };
  for (const auto& [name, bytes] : rows)
    each(name, [&, &bytes = bytes] {
      ClientSide client(setup.proxy.port());
      client.send(refused);
      REQUIRE(client.message(1).reset.value_or(99) == kProtocolError);
      client.send(bytes);
      CHECK(code_at_end(client) == kEnhanceYourCalm);
      CHECK(setup.serves());
    });
  CHECK(setup.workspace.malformed() == 0);
}

TEST_CASE("h2: a header that is too large is answered on its stream, and the connection goes on") {
  Setup setup;
  const Lines good = setup.get("/");
  const auto fields = [](std::size_t count, std::size_t size) {
    return Lines(count, std::pair<std::string, std::string>("x-large", std::string(size, 'x')));
  };
  const auto seen = setup.workspace.requests();
  ClientSide client(setup.proxy.port());
  std::uint32_t id = 1;
  const auto check = [&](const Lines& lines, int status, std::string_view named) {
    client.send(long_headers(id, lines));
    const Message& message = client.message(id);
    INFO(message.body);
    CHECK(message.status() == status);
    CHECK(message.body.find(named) != std::string::npos);
    client.send(headers(id + 2, good));
    CHECK(client.message(id + 2).status() == 200);
    id += 4;
  };
  check(good + fields(10, 10'000), 431, "'x-large'");
  check(good + fields(2, 50'000), 431, "'x-large'");
  check(good + fields(600, 1), 431, "500 lines");
  check(good + Lines{{"cookie", std::string(60'000, 'x')}, {"cookie", std::string(60'000, 'x')}}, 431, "'cookie'");
  check(with(good, ":path", "/" + std::string(40'000, 'x')), 414, "request target");
  CHECK(setup.workspace.requests() == seen + 5);
  // What no client sends is not answered, but its stream alone ends.
  client.send(long_headers(id, good + fields(25, 60'000)));
  CHECK(client.message(id).reset.value_or(99) == kInternalError);
  client.send(headers(id + 2, good));
  CHECK(client.message(id + 2).status() == 200);
  CHECK_FALSE(client.code);
  CHECK(setup.workspace.malformed() == 0);
}

TEST_CASE("h2: a name of 64 KB is not cut to one that counts") {
  Setup setup({"--max-header", "1m"});
  ClientSide client(setup.proxy.port());
  client.send(long_headers(1, setup.get("/") + Lines{{"x" + std::string(65'535, 'x'), "true"}}));
  CHECK(client.message(1).over());
  Client raw = setup.proxy.connect();  // HTTP/2's names end there, HTTP/1's do not
  const std::string name = "X-Cmux-Proxied" + std::string(65'536, 'x');
  const Response response = raw.ask(request_text("GET", "http://localhost:3000/", setup.context, name + ": true\r\n"));
  CHECK(response.status != 508);
  CHECK(setup.serves());
  CHECK(setup.workspace.malformed() == 0);
}

TEST_CASE("h2: a small block that unpacks to gigabytes ends its stream, and takes no memory") {
  Setup setup;
  // One entry of the table, then references to it, a byte each (RFC 7541 section 2.3.2).
  const std::string entry = "\x40\x03x-a" + integer(4'000, 7, 0) + std::string(4'000, 'x');
  const std::string start = frame(kHeaders, kEndStream, 1, block(setup.get("/")) + entry);
  const std::string references = frame(kContinuation, kNone, 1, std::string(16'000, '\xbe'));
  const std::size_t grown = setup.growth([&] {
    ClientSide client(setup.proxy.port());
    client.send(start + many(references, 60) + frame(kContinuation, kEndHeaders, 1, "\xbe"));
    CHECK(client.message(1).reset.value_or(99) == kInternalError);
    client.send(headers(3, setup.get("/")));
    CHECK(client.message(3).status() == 200);
  });
  CHECK(grown < 8'000);
}

TEST_CASE("h2: the 1001st stream is refused") {
  Setup setup;
  Upstream upstream;
  const Lines get = request(context_to(setup.proxy, "h2c", upstream.port()), "/");
  ClientSide client(setup.proxy.port());
  const bool told = GENERATE(false, true);  // a client that has not said so does not know of the limit yet
  CAPTURE(told);
  client.answers = told;
  client.send(headers(1, get));
  ServerSide server(upstream, settings({{kMaxStreams, 2'000}}));
  CHECK(server.request() == 1);
  client.exchange_pings();
  CHECK(client.peer_settings[kMaxStreams] == 1'000);
  client.send(Setup::repeated(1'001, [&](std::uint32_t id) { return headers(id + 2, get); }));
  if (told) {
    CHECK(code_at_end(client) == kProtocolError);
  } else {
    for (int i = 0; i < 999; ++i) REQUIRE(server.request() != 0);
    CHECK(client.message(2'001).reset.value_or(99) == kRefusedStream);
    CHECK(client.message(2'003).reset.value_or(99) == kRefusedStream);
    client.send(reset(1) + headers(2'005, setup.get("/")));
    CHECK(client.message(2'005).status() == 200);
  }
  client.client.close();
  CHECK(setup.is_quiet());
}

TEST_CASE("h2: a body over its stream's window ends the stream, and the others go on") {
  Setup setup;
  Upstream upstream;
  const Context context = context_to(setup.proxy, "h2c", upstream.port());
  ClientSide client(setup.proxy.port());
  client.send(headers(1, request(context, "/", "POST"), kEndHeaders));
  ServerSide server(upstream, settings({{kInitialWindow, 0}}));  // takes no byte of it
  CHECK(server.request() == 1);
  client.send(many(data(1, std::string(16'384, 'x'), kNone), 16));
  CHECK(client.message(1).reset.value_or(99) == kFlowControlError);
  CHECK(server.message(1).reset.value_or(99) == kCancel);
  client.send(headers(3, request(context, "/")));
  CHECK(server.request() == 3);
  server.send(headers(3, {{":status", "200"}}));
  CHECK(client.message(3).status() == 200);
}

TEST_CASE("h2: bodies that nobody wanted do not use the connection's window up") {
  Setup setup;
  ClientSide client(setup.proxy.port());
  const Lines refused = without(request(setup.context, "/upload", "POST"), "proxy-authorization");
  std::uint32_t id = 1;
  for (std::int64_t i = 0; i < scaled(600); ++i, id += 2) {  // 38 MB, and the window is 32
    std::string bytes = headers(id, refused, kEndHeaders);
    for (int piece = 0; piece < 4; ++piece) bytes += data(id, std::string(16'000, 'x'), kNone);
    client.send(bytes);
    const Message& message = client.message(id);
    if (message.status() != 407) FAIL("the answer to stream " << id << " is " << message.status());
  }
  client.send(headers(id, request(setup.context, "/upload", "POST"), kEndHeaders) + data(id, "hello"));
  CHECK(client.message(id).status() == 200);
}

TEST_CASE("h2: a header block that does not end is given up") {
  Setup setup({"--header-timeout", "300ms"});
  const std::string lines = block(setup.get("/"));
  const auto seen = setup.workspace.requests();
  ClientSide silent(setup.proxy.port()), dawdler(setup.proxy.port());
  silent.exchange_pings();
  dawdler.exchange_pings();
  silent.send(frame(kHeaders, kEndStream, 1, lines));
  dawdler.send(frame(kHeaders, kEndStream, 1, lines));
  for (int i = 0; i < 100 && dawdler.client.silent(20ms); ++i) dawdler.send(frame(kContinuation, kNone, 1, "\x90"));
  CHECK(code_at_end(dawdler) == kEnhanceYourCalm);
  CHECK(code_at_end(silent) == kEnhanceYourCalm);
  Client half = setup.proxy.connect();
  half.send(kPreface.substr(0, 20));
  CHECK(half.closed_by_peer());
  CHECK(setup.workspace.requests() == seen);
}

TEST_CASE("h2: a malformed head is done with at once, and not late later") {
  Setup setup({"--header-timeout", "1s"});
  ClientSide client(setup.proxy.port());
  client.send(headers(1, setup.get("/slow?head=1500")) + headers(3, setup.get("/") + Lines{{"X", "1"}}));
  CHECK(client.message(3).reset.value_or(99) == kProtocolError);
  CHECK(client.message(1).status() == 200);
  CHECK_FALSE(client.code);
}

TEST_CASE("h2: silent connections end, with GOAWAY") {
  Setup setup({"--idle-timeout", "1s"});
  const auto ends_well = [](ClientSide& client) { return code_at_end(client) == kNoError; };
  ClientSide silent(setup.proxy.port()), served(setup.proxy.port()), refused(setup.proxy.port());
  ClientSide no_settings(Client(setup.proxy.port()), frame(0x42, 0, 0, "").substr(0, 4));
  served.send(headers(1, setup.get("/")));
  CHECK(served.message(1).status() == 200);
  refused.send(headers(1, setup.get("/") + Lines{{"X", "1"}}));
  CHECK(refused.message(1).reset.value_or(99) == kProtocolError);
  CHECK(ends_well(silent));
  CHECK(ends_well(served));
  CHECK(ends_well(refused));
  CHECK(ends_well(no_settings));
  CHECK(setup.is_quiet());
}

TEST_CASE("h2: a client's GOAWAY lets its streams end, then the connection does") {
  Setup setup;
  ClientSide client(setup.proxy.port());
  client.send(headers(1, setup.get("/slow?head=100")) + headers(3, request(setup.context, "/upload", "POST"), kEndHeaders) +
              goaway(0));
  CHECK(client.message(1).status() == 200);
  client.send(data(3, "hello"));
  CHECK(client.message(3).status() == 200);
  CHECK(client.end().value_or(kNoError) == kNoError);
  CHECK(setup.is_quiet());
}
