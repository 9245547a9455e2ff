#include "admin/sse.hpp"

#include <catch2/catch.hpp>
#include <vector>

using namespace cmux;
using namespace cmux::admin;

namespace {

std::vector<std::string> read(std::string_view text, std::size_t step) {
  SseParser parser;
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text.size(); at += step) {
    REQUIRE(parser.feed(text.substr(at, step)).has_value());
    while (const auto event = parser.take()) out.push_back(event->type + "|" + event->data);
  }
  return out;
}

}  // namespace

TEST_CASE("events are read however they are cut") {
  const std::string_view text =
      ": a comment\n\nevent: request\ndata: {\"a\":1}\n\ndata:two\ndata: lines\n\nevent: nothing\n\nid: 7\r\ndata: "
      "crlf\r\n\r\ndata: unfinished\n";
  const std::vector<std::string> expected{"request|{\"a\":1}", "message|two\nlines", "message|crlf"};
  for (const std::size_t step : {std::size_t{1}, std::size_t{2}, std::size_t{7}, text.size()}) {
    CAPTURE(step);
    CHECK(read(text, step) == expected);
  }
}

TEST_CASE("an event is bounded") {
  SseParser parser;
  const std::string piece(64 * 1024, 'x');
  Result<void> fed = parser.feed("data: ");
  for (int i = 0; i < 17 && fed; ++i) fed = parser.feed(piece);
  REQUIRE(fed.has_error());
  CHECK(fed.error().code == Errc::too_large);
}
