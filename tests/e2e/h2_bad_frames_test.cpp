// Requests and frames that HTTP/2 does not allow (RFC 9113): each is answered as it should be, good requests go on where the
// error was a stream's own, and the workspace sees nothing of it, whichever protocol it speaks.
#include "frames.hpp"
#include "rows.hpp"

using namespace e2e;
using namespace e2e::h2;
using namespace std::string_literals;

namespace {

struct Expected {
  enum { status, reset, goaway } what;
  std::uint32_t code;
};
Expected answered(std::uint32_t status) { return {Expected::status, status}; }
Expected resets(std::uint32_t code) { return {Expected::reset, code}; }
Expected ends(std::uint32_t code) { return {Expected::goaway, code}; }

struct FrameRow {
  std::string name, bytes;  // behind preface and SETTINGS
  Expected expected;
  Reach upstream = Reach::untouched;
};

struct Setup {
  explicit Setup(const Strings& flags = {}) : proxy(flags, &workspace) {}
  Workspace workspace;
  Proxy proxy;
  std::vector<Context> contexts{context_to(proxy, "http", workspace.http_port()),
                                context_to(proxy, "h2c", workspace.http_port())};

  void check(const std::function<std::vector<FrameRow>(const Context&)>& rows) {
    // First those that must not be seen: what others have sent may still arrive while the next row runs.
    for (const Reach upstream : {Reach::untouched, Reach::reached})
      for (const Context& context : contexts)
        for (const FrameRow& row : rows(context))
          if (row.upstream == upstream) each(row.name, [&] { check(row, context); });
  }

  void check(const FrameRow& row, const Context& context) {
    const auto seen = workspace.requests(), malformed = workspace.malformed();
    ClientSide client(proxy.port());
    client.send(row.bytes);
    if (row.expected.what == Expected::goaway) {
      CHECK(client.end().value_or(99) == row.expected.code);
      CHECK_FALSE(client.streams[1].ended);
    } else {
      const Message& message = client.message(1);
      INFO("GOAWAY " << client.code.value_or(99) << ", body '" << message.body << "'");
      if (row.expected.what == Expected::reset) {
        REQUIRE(message.reset.value_or(99) == row.expected.code);
        CHECK(message.heads.empty());
        client.exchange_pings();
        CHECK(message.resets == 1);
      } else {
        REQUIRE(message.status() == static_cast<int>(row.expected.code));
        CHECK(message.field("proxy-status").starts_with("cmuxproxy; error="));
      }
    }
    if (row.upstream == Reach::untouched) CHECK(workspace.requests() == seen);
    if (row.expected.what != Expected::goaway) {
      client.send(headers(101, request(context, "/")));
      CHECK(client.message(101).status() == 200);
      CHECK_FALSE(client.code);
    }
    CHECK(workspace.malformed() == malformed);
  }
};

}  // namespace

TEST_CASE("h2: malformed requests are reset, and nothing goes upstream") {
  Setup setup;
  setup.check([](const Context& context) {
    const Lines good = request(context, "/"), post = request(context, "/upload", "POST");
    const auto row = [&](std::string name, const Lines& lines, Expected expected = resets(kProtocolError)) {
      return FrameRow{std::move(name), headers(1, lines), expected};
    };
    const auto added = [&](const std::string& name, const std::string& value) {
      return row(name + ": " + value, good + Lines{{name, value}});
    };
    const auto changed = [&](std::string_view name, std::string_view value, Expected expected = resets(kProtocolError)) {
      return row(fmt::format("{} is '{}'", name, value), with(good, name, value), expected);
    };
    const Lines connect = with(without(without(good, ":scheme"), ":path"), ":method", "CONNECT");
    return std::vector<FrameRow>{
        // Pseudo-fields.
        row("no :method", without(good, ":method")),
        row("no :scheme", without(good, ":scheme")),
        row("no :path", without(good, ":path")),
        row("no :authority and no Host", without(good, ":authority")),
        row("nothing", {}),
        row("pseudo-field behind a regular one", without(good, ":path") + Lines{{":path", "/"}}),
        row("two :path", Lines{{":path", "/visit/evil"}} + good),
        row("two :method", Lines{{":method", "GET"}} + good),
        row("two :scheme", Lines{{":scheme", "http"}} + good),
        row("two :authority", Lines{{":authority", "localhost:3000"}} + good),
        row(":path again behind the fields", good + Lines{{":path", "/visit/evil"}}),
        row("unknown pseudo-field", Lines{{":extra", "x"}} + good),
        row("pseudo-field without a name", Lines{{":", "x"}} + good),
        row("a response's pseudo-field", Lines{{":status", "200"}} + good),
        row(":protocol without CONNECT", Lines{{":protocol", "websocket"}} + good),
        row(":Path in capitals", Lines{{":Path", "/"}} + without(good, ":path")),
        changed(":path", ""),
        changed(":path", "visit"),
        changed(":path", "http://localhost:3000/"),
        changed(":path", "*"),
        changed(":path", "/a b"),
        changed(":path", "/ HTTP/1.1\r\nX-Evil: 1"),
        changed(":path", "/\0"s),
        changed(":path", "/\x7f"),
        changed(":method", ""),
        changed(":method", "G T"),
        changed(":method", "GET / HTTP/1.1\r\nHost: evil\r\n\r\n"),
        changed(":scheme", ""),
        changed(":scheme", "ht tp"),
        changed(":authority", "localhost:3000\r\nX-Evil: 1"),
        changed(":authority", "local host"),
        row("CONNECT with :path", Lines{{":path", "/"}} + connect),
        row("CONNECT with :scheme", Lines{{":scheme", "http"}} + connect),
        row("CONNECT without :authority", without(connect, ":authority")),
        row("extended CONNECT without :path", Lines{{":protocol", "websocket"}, {":scheme", "http"}} + connect),
        row("extended CONNECT without :scheme", Lines{{":protocol", "websocket"}, {":path", "/ws"}} + connect),
        // What a connection may say and a request may not.
        added("connection", "close"),
        added("connection", "keep-alive"),
        added("keep-alive", "timeout=5"),
        added("proxy-connection", "keep-alive"),
        added("transfer-encoding", "chunked"),
        added("upgrade", "websocket"),
        added("te", "gzip"),
        added("te", "trailers, gzip"),
        // Names.
        added("X-Upper", "1"),
        added("x-Mixed", "1"),
        added("", "no name"),
        added("x y", "1"),
        added("x:y", "1"),
        added("x\r\ny", "1"),
        added("x\0y"s, "1"),
        added("x\xc3\xa9", "1"),
        added("x\x7f", "1"),
        added("x(y", "1"),
        // Values.
        added("x-a", "one\r\nX-Evil: 1"),
        added("x-a", "one\rtwo"),
        added("x-a", "one\ntwo"),
        added("x-a", "o\0ne"s),
        added("x-a", "o\x1bne"),
        added("x-a", "o\x7fne"),
        added("x-a", " one"),
        added("x-a", "one\t"),
        added("cookie", "a=1\r\nX-Evil: 1"),
        added("proxy-authorization", "Basic \r\n"),
        added("host", "localhost:3000\r\n"),
        row("two Hosts", good + Lines{{"host", "localhost:3000"}, {"host", "localhost:3000"}}),
        // How long is the body?
        row("two lengths", post + Lines{{"content-length", "0"}, {"content-length", "0"}}),
        row("two lengths that differ", post + Lines{{"content-length", "0"}, {"content-length", "5"}}),
        row("a length, and no body", post + Lines{{"content-length", "5"}}),
        row("a length with a sign", post + Lines{{"content-length", "+0"}}),
        row("a negative length", post + Lines{{"content-length", "-1"}}),
        row("a list of lengths", post + Lines{{"content-length", "0, 0"}}),
        row("no length", post + Lines{{"content-length", ""}}),
        row("a length in hex", post + Lines{{"content-length", "0x0"}}),
        row("a length over 64 bits", post + Lines{{"content-length", "18446744073709551616"}}),
        // Right for HTTP/2, but not for this proxy.
        row("Host that is not :authority", good + Lines{{"host", "evil.example"}}, answered(400)),
        changed(":scheme", "ftp", answered(400)),
        changed(":authority", "user:secret@localhost:3000", answered(400)),
        changed(":authority", "localhost:99999", answered(400)),
        row("CONNECT without a port", with(connect, ":authority", "localhost"), answered(400)),
        row("CONNECT with a length", connect + Lines{{"content-length", "5"}}, answered(400)),
        row("no credentials", without(good, "proxy-authorization"), answered(407)),
    };
  });
}

TEST_CASE("h2: what is malformed behind the head ends the request") {
  Setup setup;
  setup.check([](const Context& context) {
    const Lines post = request(context, "/upload", "POST");
    const std::string start = headers(1, post, kEndHeaders),
                      five = headers(1, post + Lines{{"content-length", "5"}}, kEndHeaders);
    const auto row = [](std::string name, std::string bytes) {
      return FrameRow{std::move(name), std::move(bytes), resets(kProtocolError), Reach::reached};
    };
    const std::string some = data(1, "hello", kNone);
    return std::vector<FrameRow>{
        row("body longer than its length", five + data(1, "hello!")),
        row("body longer in a second frame", five + some + data(1, "!")),
        row("body shorter than its length", five + data(1, "hell")),
        row("trailers where the body is too short", five + data(1, "hell", kNone) + headers(1, {{"x-sum", "1"}})),
        row("trailers with a pseudo-field", start + some + headers(1, {{":path", "/"}})),
        row("trailers with :status", start + some + headers(1, {{":status", "200"}})),
        row("trailers that do not end the stream", start + some + headers(1, {{"x-sum", "1"}}, kEndHeaders)),
        row("trailers with capitals", start + some + headers(1, {{"X-Sum", "1"}})),
        row("trailers with CR LF", start + some + headers(1, {{"x-sum", "1\r\nx-evil: 1"}})),
        row("trailers with transfer-encoding", start + some + headers(1, {{"transfer-encoding", "chunked"}})),
        {"window of a stream over 2^31", start + window(1, 0x7fffffff), resets(kFlowControlError), Reach::reached},
    };
  });
}

TEST_CASE("h2: frames that break the connection's rules end it, saying why") {
  Setup setup;
  setup.check([](const Context& context) {
    const Lines good = request(context, "/hang");
    const std::string open = headers(1, good, kEndHeaders), whole = headers(1, good);
    const auto row = [](std::string name, std::string bytes, Code code = kProtocolError) {
      return FrameRow{std::move(name), std::move(bytes), ends(code), Reach::reached};
    };
    std::string first = block(good);
    const std::string rest = first.substr(20);
    first.resize(20);
    const auto hpack = [&](std::string name, std::string_view bytes) {
      return FrameRow{std::move(name), frame(kHeaders, kWhole, 1, block(good).append(bytes)), ends(kCompressionError)};
    };
    const auto early = [](std::string name, std::string bytes, Code code = kProtocolError) {
      return FrameRow{std::move(name), std::move(bytes), ends(code)};
    };
    return std::vector<FrameRow>{
        // In no state for it.
        early("DATA before HEADERS", data(1, "hello")),
        early("RST_STREAM of an idle stream", reset(1)),
        early("WINDOW_UPDATE of an idle stream", window(1, 1)),
        early("HEADERS on an even stream", headers(2, good)),
        row("HEADERS on a stream below the last one", headers(5, good) + headers(3, good)),
        row("HEADERS on a stream far below the last one", headers(0x7fff'ff01, good) + headers(0x7f01, good)),
        row("DATA on a stream below the last one", headers(5, good) + data(3, "hello"), kStreamClosed),
        row("HEADERS behind RST_STREAM", open + reset(1) + headers(1, good), kStreamClosed),
        row("DATA behind RST_STREAM", open + reset(1) + data(1, "hello"), kStreamClosed),
        early("CONTINUATION alone", frame(kContinuation, kEndHeaders, 1, block(good))),
        row("CONTINUATION behind the end of the block", whole + frame(kContinuation, kEndHeaders, 1, rest)),
        row("HEADERS behind the end of the stream", whole + headers(1, {{"x-sum", "1"}}), kStreamClosed),
        row("DATA behind the end of the stream", whole + data(1, "hello"), kStreamClosed),
        early("DATA within a block", frame(kHeaders, kNone, 1, first) + data(1, "hello")),
        early("PING within a block", frame(kHeaders, kNone, 1, first) + ping()),
        early("HEADERS within a block", frame(kHeaders, kNone, 1, first) + headers(3, good)),
        early("another stream's CONTINUATION", frame(kHeaders, kNone, 1, first) + frame(kContinuation, kEndHeaders, 3, rest)),
        early("an unknown frame within a block", frame(kHeaders, kNone, 1, first) + frame(0x42, 0, 1, "x")),
        early("PUSH_PROMISE from a client", frame(kPushPromise, kEndHeaders, 1, u32(2) + block(good))),
        row("PUSH_PROMISE on an open stream", open + frame(kPushPromise, kEndHeaders, 1, u32(2) + block(good))),
        // On a stream where they have no business, or without one where they need it.
        early("DATA on stream 0", data(0, "hello")),
        early("HEADERS on stream 0", headers(0, good)),
        early("RST_STREAM on stream 0", reset(0)),
        early("PRIORITY on stream 0", frame(kPriority, 0, 0, u32(1) + "x")),
        early("CONTINUATION on stream 0", frame(kContinuation, kEndHeaders, 0, "")),
        early("SETTINGS on a stream", frame(kSettings, 0, 1, "")),
        early("PING on a stream", frame(kPing, 0, 1, "12345678")),
        early("GOAWAY on a stream", frame(kGoaway, 0, 1, u32(0) + u32(0))),
        // Sizes.
        early("PING of 7 bytes", frame(kPing, 0, 0, "1234567"), kFrameSizeError),
        early("SETTINGS of 5 bytes", frame(kSettings, 0, 0, "12345"), kFrameSizeError),
        early("SETTINGS ACK with a payload", settings({{kMaxStreams, 1}}, kAck), kFrameSizeError),
        early("WINDOW_UPDATE of 3 bytes", frame(kWindow, 0, 0, "123"), kFrameSizeError),
        early("GOAWAY of 7 bytes", frame(kGoaway, 0, 0, "1234567"), kFrameSizeError),
        row("RST_STREAM of 3 bytes", open + frame(kReset, 0, 1, "123"), kFrameSizeError),
        row("DATA over the largest frame", open + data(1, std::string(16'385, 'x')), kFrameSizeError),
        early("HEADERS over the largest frame", headers(1, good + Lines{{"x-a", std::string(16'385, 'x')}}), kFrameSizeError),
        early("an unknown frame over the largest", frame(0x42, 0, 0, std::string(16'385, 'x')), kFrameSizeError),
        early("a frame that claims 16 MB", frame_head(0xffffff, kData, 0, 0), kFrameSizeError),
        // Padding.
        row("DATA padded past its end", open + frame(kData, kPadded, 1, "\x06hello"), kProtocolError),
        row("DATA that is padded without a length", open + frame(kData, kPadded, 1, "")),
        early("HEADERS padded past their end", frame(kHeaders, kWhole | kPadded, 1, "\xff" + block(good).substr(0, 100))),
        // Values.
        early("ENABLE_PUSH 2", settings({{kEnablePush, 2}})),
        early("INITIAL_WINDOW_SIZE 2^31", settings({{kInitialWindow, 0x80000000}}), kFlowControlError),
        early("MAX_FRAME_SIZE 100", settings({{kMaxFrame, 100}})),
        early("MAX_FRAME_SIZE 2^24", settings({{kMaxFrame, 1u << 24}})),
        early("window by 0", window(0, 0)),
        row("window of a stream by 0", open + window(1, 0)),
        early("an ACK too many", settings({}, kAck) + settings({}, kAck)),
        early("a dependency on itself", frame(kHeaders, kWhole | kHasPriority, 1, u32(1) + "x" + block(good))),
        early("window over 2^31", window(0, 0x7fffffff), kFlowControlError),
        // HPACK.
        hpack("index 0", "\x80"),
        hpack("an index of nothing", "\xff\x80\x01"),
        hpack("a name's index of nothing", "\x7f\x80\x01\x01x"),
        hpack("a number without an end", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
        hpack("a string longer than the block", "\x40\x7fx"),
        hpack("Huffman with a wrong end", "\x40\x01x\x81\x01"),
        hpack("Huffman with the end mark", "\x40\x01x\x84\xff\xff\xff\xff"),
        early("a table larger than allowed", frame(kHeaders, kWhole, 1, "\x3f\xe2\x1f" + block(good)), kCompressionError),
        hpack("a table size behind a field", "\x20"),
    };
  });
}

TEST_CASE("h2: what is unknown or odd, but allowed, changes nothing") {
  Setup setup;
  for (const Context& context : setup.contexts) {
    const Lines good = request(context, "/"), post = request(context, "/upload", "POST");
    const std::string first = block(good).substr(0, 20), rest = block(good).substr(20);
    const std::string five = headers(1, post + Lines{{"content-length", "5"}}, kEndHeaders);
    const std::string nothing = frame(kContinuation, kNone, 1, "");
    const std::vector<std::pair<std::string, std::string>> rows = {
        {"unknown frames", frame(0x42, 0xff, 0, "x") + headers(1, good, kEndHeaders) + frame(0x43, 0xff, 1, "y") + data(1, "")},
        {"an unknown frame on an idle stream", frame(0x42, 0, 77, std::string(16'384, 'x')) + headers(1, good)},
        {"an unknown setting", settings({{0x4242, 1}}) + headers(1, good)},
        {"a setting twice", settings({{kInitialWindow, 1}, {kInitialWindow, 65'535}}) + headers(1, good)},
        {"push allowed", settings({{kEnablePush, 1}}) + headers(1, good)},
        {"the reserved bit", headers(0x80000001, good)},
        {"unknown flags", headers(1, good, kWhole | 0xd2)},
        {"padding", frame(kHeaders, kWhole | kPadded, 1, "\x03" + block(good) + "\1\2\3")},
        {"padded DATA", five + frame(kData, kPadded | kEndStream, 1,
                                     "\x02"
                                     "hello\1\2")},
        {"DATA of padding alone", five + frame(kData, kPadded, 1, "\x02\1\2") + data(1, "hello")},
        {"a priority", frame(kHeaders, kWhole | kHasPriority, 1, u32(0x80000003) + "x" + block(good))},
        {"PRIORITY with a dependency on itself", frame(kPriority, 0, 1, u32(1) + "x") + headers(1, good)},
        {"PRIORITY of idle streams",
         frame(kPriority, 0, 9, u32(7) + "x") + frame(kPriority, 0, 8, u32(9) + "x") + headers(1, good)},
        {"a block in pieces", frame(kHeaders, kEndStream, 1, first) + frame(kContinuation, kEndHeaders, 1, rest)},
        {"a block with empty pieces", frame(kHeaders, kEndStream, 1, "") + nothing + frame(kContinuation, 0, 1, first) + nothing +
                                          frame(kContinuation, kEndHeaders, 1, rest)},
        {"a body in pieces", five + data(1, "", kNone) + data(1, "he", kNone) + data(1, "", kNone) + data(1, "llo")},
        {"trailers behind a whole body", five + data(1, "hello", kNone) + headers(1, {{"x-sum", "1"}})},
        {"te: trailers", headers(1, good + Lines{{"te", "trailers"}})},
        {"the same Host", headers(1, good + Lines{{"host", "LOCALHOST:3000"}})},
        {"Host instead of :authority", headers(1, without(good, ":authority") + Lines{{"host", "localhost:3000"}})},
        {"bytes above ASCII in a value", headers(1, good + Lines{{"x-name", "Zo\xc3\xab"}})},
        {"a PING's answer to no PING", ping(kAck) + headers(1, good)},
        {"a smaller table", frame(kHeaders, kWhole, 1, "\x20" + block(good))},
        {"GOAWAY", headers(1, good) + goaway(0)},
    };
    for (const auto& [name, bytes] : rows)
      each(name, [&, &name = name, &bytes = bytes] {
        ClientSide client(setup.proxy.port());
        client.send(bytes);
        const Message& message = client.message(1);
        INFO("GOAWAY " << client.code.value_or(99) << " RST " << message.reset.value_or(99));
        CHECK(message.status() == 200);
        CHECK_FALSE(message.reset);
        if (name == "GOAWAY") {
          CHECK(client.end().value_or(kNoError) == kNoError);
          return;
        }
        client.send(headers(201, good));
        CHECK(client.message(201).status() == 200);
        CHECK_FALSE(client.code);
      });
  }
  CHECK(setup.workspace.malformed() == 0);
}

TEST_CASE("h2: streams that have ended take no more, and the others go on") {
  Setup setup;
  const Context& context = setup.contexts[1];
  const Lines good = request(context, "/");
  ClientSide client(setup.proxy.port());
  client.send(headers(1, good));
  REQUIRE(client.message(1).status() == 200);
  // The proxy's own reset: what is on its way by then is no error of the peer's, whatever it is.
  client.send(headers(3, without(request(context, "/upload", "POST"), "proxy-authorization"), kEndHeaders));
  REQUIRE(client.message(3).status() == 407);
  const std::uint32_t id = 5;
  client.send(headers(id, request(context, "/upload", "POST") + Lines{{"content-length", "1"}}, kEndHeaders) +
              data(id, "too long", kNone));
  REQUIRE(client.message(id).reset.value_or(99) == kProtocolError);
  client.send(window(1, 1) + reset(1) + frame(kPriority, 0, 1, u32(0) + "x"));
  client.send(data(3, "hello", kNone) + data(3, "") + data(id, "hello", kNone) + headers(id, {{"x-sum", "1"}}) + window(id, 1));
  client.send(headers(7, good));
  CHECK(client.message(7).status() == 200);
  CHECK_FALSE(client.code);
  // What it has ended itself is over (RFC 9113 section 5.1), and this is no request.
  client.send(headers(1, request(context, "/visit/again")));
  CHECK(client.end().value_or(99) == kStreamClosed);
  CHECK(visits(setup.workspace, "again") == 0);
}

TEST_CASE("h2: a preface is one however it arrives, and what is none is HTTP/1 or an error") {
  Setup setup;
  const Context& context = setup.contexts[0];
  const std::string whole = std::string(kPreface) + settings() + headers(1, request(context, "/"));
  for (std::size_t at = 1; at < kPreface.size() + 12; ++at) {
    Client raw = setup.proxy.connect();
    raw.send(std::string_view(whole).substr(0, at));
    // The proxy has seen the first piece by itself once another connection was served behind it.
    Client(setup.proxy.port()).ask("GET / HTTP/1.1\r\nHost: l\r\n\r\n");
    raw.send(std::string_view(whole).substr(at));
    CHECK(raw.read_exactly(4).substr(3) == "\x04");
    CHECK(raw.read_until("port 3000").size() > 9);
  }
  for (const std::string start : {"PRI * HTTP/2.0\r\n\r\nSM\r\n\rx", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
                                  "PRI * HTTP/2.0\r\nHost: l\r\n\r\n", "PRI * HTTP/2.1\r\n\r\n"}) {
    INFO(start);
    Client raw = setup.proxy.connect();
    const Response response = raw.ask(start);
    CHECK((response.status == 400 || response.status == 505));
    CHECK(raw.closed_by_peer());
  }
  ClientSide garbage(setup.proxy.port(), std::string(64, 'x'));  // in place of SETTINGS
  CHECK(garbage.end().value_or(kNoError) != kNoError);
  ClientSide none(setup.proxy.port(), headers(1, request(context, "/")));  // its first frame is no SETTINGS
  CHECK(none.end().value_or(99) == kProtocolError);
}
