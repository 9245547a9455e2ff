#include "http1/body.hpp"

#include <catch2/catch.hpp>

#include "http1/heads.hpp"

using namespace cmux;
using namespace cmux::http1;

namespace {

struct Outcome {
  std::string body, trailers, error, left;
  bool end = false;
  bool operator==(const Outcome&) const = default;
};

// Feeds the text in pieces that end at `cuts`, and then the peer's FIN if asked.
Outcome read(Framing framing, std::uint64_t length, std::string_view text, std::initializer_list<std::size_t> cuts,
             bool fin = false) {
  BodyReader reader;
  reader.start(framing, length);
  Buffer in;
  Outcome out;
  std::size_t fed = 0;
  auto next_cut = cuts.begin();
  while (true) {
    const bool ready = reader.ready(in);
    auto piece = reader.next(in);
    if (!piece) {
      out.error = piece.error().detail;
      break;
    }
    if (ready) CHECK_FALSE(piece->starved);
    out.body += piece->bytes;
    if (piece->end) {
      out.end = true;
      break;
    }
    if (!piece->starved) continue;
    if (fed == text.size()) {
      if (!fin) break;
      auto last = reader.end_of_input();
      if (!last) out.error = last.error().detail;
      else out.end = last->end;
      break;
    }
    const std::size_t cut = next_cut == cuts.end() ? text.size() : *next_cut++;
    in.append(text.substr(fed, cut - fed));
    fed = cut;
  }
  reader.settle(in);
  out.left = std::string(in.view()) + std::string(text.substr(fed));
  if (const auto* trailers = reader.trailers()) out.trailers = lines(*trailers);
  CHECK((out.end || !out.error.empty() || !reader.done()));
  return out;
}

// The outcome, which must be the same wherever the text is cut.
Outcome read_any_way(Framing framing, std::uint64_t length, std::string_view text, bool fin = false) {
  const Outcome whole = read(framing, length, text, {}, fin);
  for (std::size_t at = 0; at <= text.size(); ++at) {
    CAPTURE(text, at);
    const Outcome split = read(framing, length, text, {at}, fin);
    CHECK(split.end == whole.end);
    CHECK(split.error.empty() == whole.error.empty());
    if (!whole.error.empty()) continue;
    CHECK(split == whole);
    for (std::size_t second = at; second <= text.size(); ++second) CHECK(read(framing, length, text, {at, second}, fin) == whole);
  }
  return whole;
}

Outcome chunked(std::string_view text) { return read_any_way(Framing::chunked, 0, text); }

// What the writer puts on the wire.
std::string framed(BodyWriter& writer, std::string_view bytes, bool end, const http::Fields* trailers = nullptr) {
  Buffer head;
  auto tail = writer.frame(bytes.size(), end, trailers, head);
  if (!tail) return "error: " + tail.error().detail;
  return std::string(head.view()) + std::string(bytes) + std::string(*tail);
}

}  // namespace

TEST_CASE("a body of known length ends there") {
  const Outcome out = read_any_way(Framing::length, 5, "helloGET");
  CHECK(out.body == "hello");
  CHECK(out.end);
  CHECK(out.left == "GET");
  CHECK(read_any_way(Framing::length, 0, "x").left == "x");
  CHECK(read_any_way(Framing::none, 0, "x").left == "x");
  CHECK_FALSE(read_any_way(Framing::length, 6, "hello").end);
  CHECK(read_any_way(Framing::length, 6, "hello", true).error == "the connection ended within a body");
}

TEST_CASE("a body without length ends with the connection") {
  const Outcome out = read_any_way(Framing::until_close, 0, "all of it", true);
  CHECK(out.body == "all of it");
  CHECK(out.end);
  CHECK_FALSE(read_any_way(Framing::until_close, 0, "not yet").end);
}

TEST_CASE("chunked bodies") {
  struct Row {
    std::string_view text, body, trailers, left;
  };
  const Row rows[] = {
      {"0\r\n\r\n", "", "", ""},
      {"0\r\n\r\nrest", "", "", "rest"},
      {"5\r\nhello\r\n0\r\n\r\n", "hello", "", ""},
      {"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\nGET", "hello!", "", "GET"},
      {"a\r\n0123456789\r\nA\r\nabcdefghij\r\n00\r\n\r\n", "0123456789abcdefghij", "", ""},
      {"000005\r\nhello\r\n000\r\n\r\n", "hello", "", ""},
      {"1;a\r\nx\r\n0;b=c;d=\"e \\\" f\"\r\n\r\n", "x", "", ""},
      {"2\r\n\r\n\r\n0\r\n\r\n", "\r\n", "", ""},
      {"1 ;\ta = b\t; c =\"\"\r\nx\r\n0\r\n\r\n", "x", "", ""},
      {"1;a=\"\\\\\"\r\nx\r\n0;a=\"\\\\\\\"\t\xff\"\r\n\r\n", "x", "", ""},
      {"0000000000000000000000000000000001\r\nx\r\n00000000000000000\r\n\r\n", "x", "", ""},
      {"0\r\nX-Sum: 1\r\nY:\t2 \r\n\r\n", "", "X-Sum: 1\nY: 2\n", ""},
      // What changes how a message is read has no place behind it.
      {"0\r\nContent-Length: 5\r\nX: y\r\nHost: a\r\ntransfer-encoding: chunked\r\nConnection: x\r\nTE: x\r\n\r\n", "", "X: y\n",
       ""},
      {"0\r\nSet-Cookie: a\r\nTrailer: x\r\nUpgrade: y\r\nKeep-Alive: z\r\nProxy-Authorization: q\r\n\r\nx", "", "", "x"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const Outcome out = chunked(row.text);
    CHECK(out.error.empty());
    CHECK(out.end);
    CHECK(out.body == row.body);
    CHECK(out.trailers == row.trailers);
    CHECK(out.left == row.left);
  }
}

TEST_CASE("bad chunks") {
  for (const std::string_view text : {"\r\n",
                                      "g\r\n",
                                      "-1\r\n",
                                      "+1\r\n",
                                      "0x1\r\n",
                                      " 1\r\n",
                                      "1 \r\nx\r\n",
                                      "1\nx\r\n0\r\n\r\n",
                                      "1\r\nxy\r\n",
                                      "1\r\nx\n0\r\n\r\n",
                                      "1\r\nx\r0\r\n",
                                      "1;\r\nx\r\n",
                                      "1; \r\nx\r\n",
                                      "1;;a\r\nx\r\n",
                                      "1;a;\r\nx\r\n",
                                      "1;a \r\nx\r\n",
                                      "1;a=\r\nx\r\n",
                                      "1;=a\r\nx\r\n",
                                      "1;a==b\r\nx\r\n",
                                      "1;a b\r\nx\r\n",
                                      "1;a=b c\r\nx\r\n",
                                      "1;bad[=x\r\nx\r\n",
                                      "1;a=b[\r\nx\r\n",
                                      "1;\"a\"=b\r\nx\r\n",
                                      "1;a=\"b\r\nx\r\n",
                                      "1;a=\"b\"c\r\nx\r\n",
                                      "1;a=\"b\\\"\r\nx\r\n",
                                      "1;a=\"b\\\r\nx\r\n",
                                      "1;a=\"\x01\"\r\nx\r\n",
                                      "1;\xc3\xa4\r\nx\r\n",
                                      "1 a\r\nx\r\n",
                                      "1,a\r\nx\r\n",
                                      "1;a\x01\r\nx\r\n",
                                      "1;a\rb\r\nx\r\n",
                                      "1111111111111111\r\n",
                                      "ffffffffffffffff\r\n",
                                      "\n",
                                      "1;\xff\x7f\r\nx",
                                      "0\r\nA\r\n\r\n",
                                      "0\r\nA : b\r\n\r\n",
                                      "0\r\n A: b\r\n\r\n",
                                      "0\r\nA: b\n\r\n",
                                      "0\r\n\n",
                                      "0\r\nA: b\r\n c\r\n\r\n",
                                      "0\r\nA: \x01\r\n\r\n"}) {
    CAPTURE(text);
    const Outcome out = chunked(text);
    CHECK_FALSE(out.error.empty());
    CHECK_FALSE(out.end);
  }
  for (const std::string_view text :
       {"", "5", "5\r", "5\r\n", "5\r\nhel", "5\r\nhello", "5\r\nhello\r", "0\r\n", "0\r\nA: b\r\n", "0\r\n\r"}) {
    CAPTURE(text);
    CHECK_FALSE(read_any_way(Framing::chunked, 0, text).end);
    CHECK(read_any_way(Framing::chunked, 0, text, true).error == "the connection ended within a body");
  }
}

TEST_CASE("size lines and trailers have a bound") {
  CHECK(read(Framing::chunked, 0, "1;" + std::string(2'000, 'x'), {}).error == "a chunk's size line is too long");
  CHECK_FALSE(read(Framing::chunked, 0, "1;" + std::string(2'000, 'x') + "\r\nx\r\n", {}).error.empty());
  const std::string large = "0\r\nX: " + std::string(17 * 1024, 'x');
  CHECK(read(Framing::chunked, 0, large, {}).error == "the trailers are too large");
}

TEST_CASE("the zeros in front of a size have the line's bound alone") {
  const std::string end = "\r\nx\r\n0\r\n\r\n";
  CHECK(chunked(std::string(1'021, '0') + "1" + end).body == "x");  // 1024 bytes with CRLF
  CHECK_FALSE(chunked(std::string(1'100, '0') + "1" + end).error.empty());
}

TEST_CASE("what is wrong with the part of a body that is there can be known beforehand") {
  const auto foreseen = [](std::string_view text) {
    BodyReader reader;
    reader.start(Framing::chunked, 0);
    Buffer in;
    in.append(text);
    const auto sound = reader.foresee(in);
    CHECK(in.view() == text);
    return sound ? std::string() : sound.error().detail;
  };
  for (const std::string_view text :
       {"", "5", "5\r\n", "5\r\nhell", "5\r\nhello", "5\r\nhello\r", "5\r\nhello\r\n", "5\r\nhello\r\n0", "5\r\nhello\r\n0\r\n",
        "5\r\nhello\r\n0\r\n\r", "5\r\nhello\r\n0\r\n\r\n", "0\r\nA: b\r\n\r\n", "0\r\nA: b\r\n",
        "1\r\nx\r\n1\r\ny\r\n0\r\n\r\nzz\r\n"}) {
    CAPTURE(text);
    CHECK(foreseen(text).empty());
  }
  for (const std::string_view text : {"zz\r\n", "5;\r\n", "1\r\nxy", "1\r\nx\n", "1\r\nx\r1", "1\r\nx\r\nzz\r\n",
                                      "0\r\nA b: c\r\n\r\n", "0\r\nA: b\n\r\n", "0\r\n\n"}) {
    CAPTURE(text);
    CHECK_FALSE(foreseen(text).empty());
    CHECK(foreseen(text) == chunked(text).error);
  }
  BodyReader none;
  Buffer in;
  in.append("zz\r\n");
  none.start(Framing::length, 4);
  CHECK(none.foresee(in).has_value());
}

TEST_CASE("trailers over the bound are refused even if they come in one piece", "") {
  const std::string large = "0\r\nX: " + std::string(17 * 1024, 'x') + "\r\n\r\n";
  CHECK(read(Framing::chunked, 0, large, {}).error == "the trailers are too large");
}

TEST_CASE("what is ready is not starved") {
  for (const std::string_view text :
       {"5\r\nhello\r\n", "5\r\nhello\r\n5\r\n", "5\r\nhello\r\n0\r\n", "5\r\nhello\r\n0\r\nA: b\r\n", "5\r\n", "0\r\n",
        "5\r\nhello\r\n1\r\nx\r\n0\r\n\r\n", "1\r\nx\r\n0\r\nA: b\r\n\r\nGET / HTTP/1.1\r\n"}) {
    CAPTURE(text);
    BodyReader reader;
    reader.start(Framing::chunked, 0);
    Buffer in;
    in.append(text);
    for (bool over = false; !over;) {
      const bool ready = reader.ready(in);
      auto piece = reader.next(in);
      REQUIRE(piece.has_value());
      if (ready) CHECK_FALSE(piece->starved);
      over = piece->starved || piece->end;
    }
  }
  BodyReader reader;
  reader.start(Framing::chunked, 0);
  Buffer in;
  in.append("1\r\nx\r\n1\r\ny\r\n0\r\n\r\n");
  for (int i = 0; i < 3; ++i) {
    CHECK(reader.ready(in));
    CHECK_FALSE(reader.next(in)->starved);
  }
}

TEST_CASE("what may be read into a large buffer is what follows without framing") {
  BodyReader reader;
  Buffer in;
  reader.start(Framing::chunked, 0);
  in.append("64\r\n0123456789");
  CHECK(reader.next(in)->bytes == "0123456789");
  CHECK(reader.expected() == 90);
  reader.start(Framing::length, 1'000);
  CHECK(reader.expected() == 1'000);
}

TEST_CASE("bodies are framed") {
  BodyWriter writer;
  writer.start(Framing::chunked, 0);
  CHECK(framed(writer, "hello", false) == "5\r\nhello\r\n");
  CHECK(framed(writer, "", false).empty());
  CHECK(framed(writer, std::string(300, 'x'), false) == "12c\r\n" + std::string(300, 'x') + "\r\n");
  CHECK(framed(writer, "end", true) == "3\r\nend\r\n0\r\n\r\n");
  writer.start(Framing::chunked, 0);
  CHECK(framed(writer, "", true) == "0\r\n\r\n");
  http::Fields trailers;
  trailers.add("X-Sum", "1");
  writer.start(Framing::chunked, 0);
  CHECK(framed(writer, "", true, &trailers) == "0\r\nX-Sum: 1\r\n\r\n");
  writer.start(Framing::chunked, 0);
  CHECK(framed(writer, "e", true, &trailers) == "1\r\ne\r\n0\r\nX-Sum: 1\r\n\r\n");

  writer.start(Framing::length, 5);
  CHECK(framed(writer, "hel", false) == "hel");
  CHECK(framed(writer, "lo", true) == "lo");
  writer.start(Framing::until_close, 0);
  CHECK(framed(writer, "x", true) == "x");
  writer.start(Framing::none, 0);
  CHECK(framed(writer, "", true).empty());
}

TEST_CASE("a body that is not what its head said cannot be framed") {
  BodyWriter writer;
  writer.start(Framing::none, 0);
  CHECK(framed(writer, "x", true) == "error: a body where none was announced");
  writer.start(Framing::length, 2);
  CHECK(framed(writer, "abc", false) == "error: a body longer than its Content-Length");
  writer.start(Framing::length, 2);
  CHECK(framed(writer, "a", true) == "error: a body shorter than its Content-Length");
  writer.start(Framing::length, 2);
  CHECK(framed(writer, "ab", false) == "ab");
  CHECK(framed(writer, "c", true) == "error: a body longer than its Content-Length");
}

TEST_CASE("what the writer frames the reader reads") {
  BodyWriter writer;
  writer.start(Framing::chunked, 0);
  std::string wire, body;
  for (std::size_t size : {1, 15, 16, 17, 255, 256, 4'095}) {
    const std::string piece(size, static_cast<char>('a' + size % 26));
    wire += framed(writer, piece, false);
    body += piece;
  }
  wire += framed(writer, "", true);
  const Outcome out = read(Framing::chunked, 0, wire, {});
  CHECK(out.end);
  CHECK((out.body == body));
}
