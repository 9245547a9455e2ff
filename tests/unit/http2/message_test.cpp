#include "http2/message.hpp"

#include <fmt/format.h>

#include <catch2/catch.hpp>

using namespace cmux;
using namespace cmux::http2;

namespace {

using Lines = std::vector<std::pair<std::string, std::string>>;
using Block = HeadReader::Block;

std::string described(const http::Head& head) {
  std::string out = head.method + "|" + head.scheme + "|" + head.authority + "|" + head.path + "|" + head.protocol + "|" +
                    std::to_string(head.status);
  if (head.content_length) out += " length " + std::to_string(*head.content_length);
  if (head.end) out += " end";
  if (head.trailers_accepted) out += " trailers";
  for (const auto field : head.fields) out += "\n" + std::string(field.name) + ": " + std::string(field.value);
  return out;
}

std::string read(Block block, const Lines& lines, bool end = true, const http::Limits& limits = {}) {
  HeadReader reader;
  reader.start(block);
  for (const auto& [name, value] : lines) reader.line(name, value, limits);
  const auto done = reader.finish(end);
  if (!done) return "error " + std::to_string(done.error().status) + ": " + done.error().detail;
  return described(reader.head());
}

Lines request(Lines more) {
  Lines lines = {{":method", "GET"}, {":scheme", "http"}, {":authority", "localhost:3000"}, {":path", "/"}};
  lines.insert(lines.end(), more.begin(), more.end());
  return lines;
}

template <class Write>
std::string written(Write write) {
  HeadWriter writer;
  write(writer);
  std::string out;
  for (std::size_t i = 0; i < writer.size(); ++i) {
    const nghttp2_nv& line = writer.data()[i];
    out.append(reinterpret_cast<const char*>(line.name), line.namelen).append("=");
    out.append(reinterpret_cast<const char*>(line.value), line.valuelen).append("\n");
  }
  return out;
}

}  // namespace

TEST_CASE("http2: requests in the one form of a head") {
  struct Row {
    Lines lines;
    bool end;
    std::string head;
  };
  const std::vector<Row> rows = {
      {request({}), true, "GET|http|localhost:3000|/||0 end"},
      {request({{"accept", "*/*"}, {"x", "1"}, {"x", "2"}}), true, "GET|http|localhost:3000|/||0 end\naccept: */*\nx: 1\nx: 2"},
      {request({{"content-length", "5"}, {"te", "trailers"}}), false, "GET|http|localhost:3000|/||0 length 5 trailers"},
      {request({{"cookie", "a=1"}, {"x", "y"}, {"cookie", "b=2; c=3"}}), true,
       "GET|http|localhost:3000|/||0 end\nx: y\nCookie: a=1; b=2; c=3"},
      {request({{"host", "LOCALHOST:3000"}}), true, "GET|http|localhost:3000|/||0 end"},
      {{{":method", "GET"}, {":scheme", "https"}, {":path", "/"}, {"host", "a.test"}}, true, "GET|https|a.test|/||0 end"},
      {{{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/?\\"}}, true, "GET|http|a|/?\\||0 end"},
      {{{":method", "OPTIONS"}, {":scheme", "http"}, {":authority", "a"}, {":path", "*"}}, true, "OPTIONS|http|a|*||0 end"},
      {{{":method", "GET"}, {":scheme", "wss"}, {":authority", "a"}, {":path", "/"}}, true, "GET|https|a|/||0 end"},
      {{{":method", "CONNECT"}, {":authority", "a:1"}}, false, "CONNECT||a:1|||0 end"},
      {{{":method", "CONNECT"}, {":protocol", "websocket"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/ws"}},
       false,
       "CONNECT|https|a|/ws|websocket|0 end"},
      {request({{"keep-alive", "x"}, {"http2-settings", "x"}}), true, "GET|http|localhost:3000|/||0 end"},
  };
  for (const Row& row : rows) CHECK(read(Block::request, row.lines, row.end) == row.head);
}

TEST_CASE("http2: requests that are refused, with the status to answer") {
  http::Limits limits;
  limits.head = 200, limits.fields = 3, limits.start_line = 50;
  CHECK(read(Block::request, request({{"host", "other"}})) == "error 400: Host 'other' where :authority is 'localhost:3000'");
  CHECK(read(Block::request, request({{"host", "localhost:3000"}, {"host", "localhost:3000"}})) ==
        "error 400: more than one Host");
  CHECK(read(Block::request, {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}}) == "error 400: no :authority");
  CHECK(read(Block::request, {{":method", "GET"}, {":scheme", "ftp"}, {":authority", "a"}, {":path", "/"}}) ==
        "error 400: unsupported scheme 'ftp'");
  for (const char* const path : {"*x", "x", "/a b", "/a\tb", "/\x7f", "/\xc3\xa4", "/?\xff", "/a\\b", ""})
    CHECK(read(Block::request, {{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}, {":path", path}}) ==
          "error 400: bad :path");
  CHECK(read(Block::request, {{":method", "CONNECT"}, {":authority", "a:1"}, {"content-length", "1"}}) ==
        "error 400: CONNECT with a body");
  CHECK(read(Block::request, request({{"content-length", "99999999999999999999"}})) == "error 400: Content-Length is no number");
  CHECK(read(Block::request, request({{":path", "/" + std::string(60, 'x')}}), true, limits) ==
        "error 414: the request target is longer than 50 bytes");
  CHECK(read(Block::request, request({{"a", "1"}, {"b", "2"}, {"c", "3"}, {"one-too-many", "4"}}), true, limits) ==
        "error 431: the header is over 200 bytes or 3 lines, at field 'one-too-many'");
  CHECK(read(Block::request, request({{"large", std::string(500, 'x')}}), true, limits) ==
        "error 431: the header is over 200 bytes or 3 lines, at field 'large'");
}

TEST_CASE("http2: responses and trailers") {
  CHECK(read(Block::response, {{":status", "200"}, {"content-length", "3"}, {"set-cookie", "a"}, {"set-cookie", "b"}}, false) ==
        "|||||200 length 3\nset-cookie: a\nset-cookie: b");
  CHECK(read(Block::response, {{":status", "103"}, {"link", "</a>"}}, false) == "|||||103\nlink: </a>");
  // What is between a workspace and this proxy is nobody else's.
  CHECK(read(Block::response, {{":status", "407"}, {"proxy-authenticate", "Basic"}}) == "|||||407 end");
  CHECK(read(Block::trailers, {{"x-sum", "1"}, {"content-length", "7"}, {"authorization", "b"}, {"x-cmux-proxied", "true"}}) ==
        "|||||0 end\nx-sum: 1");
}

TEST_CASE("http2: a block that goes on and on is known to be hopeless") {
  http::Limits limits;
  limits.head = 1000;
  HeadReader reader;
  reader.start(Block::request);
  int lines = 0;
  while (!reader.hopeless(limits) && lines < 1000) ++lines, reader.line("x", std::string(100, 'x'), limits);
  CHECK(lines < 200);
  CHECK_FALSE(reader.finish(true).has_value());
  CHECK(reader.head().fields.size() < 400);
}

TEST_CASE("http2: heads as header lists") {
  http::Head head;
  head.method = "POST", head.scheme = "https", head.authority = "a.test", head.path = "/p";
  head.content_length = 5;
  head.trailers_accepted = true;
  head.fields.add("Accept", "*/*");
  head.fields.add("Cookie", "a=1; b=2");
  CHECK(written([&](HeadWriter& out) { out.request(head); }) ==
        ":method=POST\n:scheme=https\n:path=/p\n:authority=a.test\nAccept=*/"
        "*\nCookie=a=1\nCookie=b=2\ncontent-length=5\nte=trailers\n");

  head = {};
  head.method = "CONNECT", head.authority = "a.test:1";
  CHECK(written([&](HeadWriter& out) { out.request(head); }) == ":method=CONNECT\n:authority=a.test:1\n");

  head.protocol = "websocket", head.scheme = "http", head.path = "/ws";
  head.fields.add("Sec-WebSocket-Key", "k");
  head.fields.add("Sec-WebSocket-Version", "13");
  CHECK(written([&](HeadWriter& out) { out.request(head); }) ==
        ":method=CONNECT\n:protocol=websocket\n:scheme=http\n:path=/ws\n:authority=a.test:1\nSec-WebSocket-Version=13\n");
  // RFC 8441 writes it so; HTTP/1 clients may write it in any case. Other names are theirs.
  for (const auto& [given, sent] :
       {std::pair("WebSocket", "websocket"), std::pair("WEBSOCKET", "websocket"), std::pair("Chat/2", "Chat/2")}) {
    head.protocol = given;
    CHECK(written([&](HeadWriter& out) { out.request(head); }).find(fmt::format(":protocol={}\n", sent)) != std::string::npos);
  }

  head = {};
  head.status = 101, head.tunnel = true;
  head.fields.add("Sec-WebSocket-Accept", "x");
  head.fields.add("Sec-WebSocket-Protocol", "chat");
  CHECK(written([&](HeadWriter& out) { out.response(head); }) == ":status=200\nSec-WebSocket-Protocol=chat\n");

  head = {};
  head.status = 204;
  CHECK(written([&](HeadWriter& out) { out.response(head); }) == ":status=204\n");
  head.status = 200, head.content_length = 0;
  CHECK(written([&](HeadWriter& out) { out.response(head); }) == ":status=200\ncontent-length=0\n");
}

TEST_CASE("http2: a head's memory serves the next one") {
  HeadReader reader;
  reader.start(Block::request);
  for (const auto& [name, value] : request({{"x", std::string(300, 'x')}})) reader.line(name, value, {});
  REQUIRE(reader.finish(true).has_value());
  http::Head first = reader.take();
  const void* const text = (*first.fields.begin()).name.data();
  reader.recycle(std::move(first));
  reader.start(Block::request);
  reader.take();  // the reader's own spare one
  reader.start(Block::request);
  for (const auto& [name, value] : request({{"y", "z"}})) reader.line(name, value, {});
  REQUIRE(reader.finish(true).has_value());
  http::Head second = reader.take();
  CHECK((*second.fields.begin()).name.data() == text);
  CHECK(second.fields.size() == 1);
}

TEST_CASE("http2: what is secret is never indexed, and what came as never indexed is sent on so") {
  HeadReader reader;
  reader.start(Block::request);
  for (const auto& [name, value] : request({{"x-plain", "1"}, {"proxy-authorization", "Basic eDp5"}}))
    reader.line(name, value, {});
  reader.line("x-secret", "2", {}, true);
  reader.line("cookie", "a=1", {});
  reader.line("cookie", "b=2", {}, true);
  REQUIRE(reader.finish(true).has_value());
  http::Head& head = reader.head();
  head.fields.set("X-Token", "3");
  head.fields.set("x-token", std::string(head.fields.get("x-token").value_or("")), true);
  head.fields.replace(head.fields.size() - 1, "4");
  HeadWriter writer;
  writer.request(head);
  std::string secrets;
  for (std::size_t i = 0; i < writer.size(); ++i) {
    const nghttp2_nv& line = writer.data()[i];
    if ((line.flags & NGHTTP2_NV_FLAG_NO_INDEX) == 0) continue;
    secrets.append(reinterpret_cast<const char*>(line.value), line.valuelen).append("|");
  }
  CHECK(secrets == "Basic eDp5|2|a=1|b=2|4|");
}
