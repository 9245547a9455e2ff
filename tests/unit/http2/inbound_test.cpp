#include "http2/inbound.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace cmux::http2;
using State = PeerStreams::State;

TEST_CASE("http2 inbound: frames' heads are found however the bytes are cut") {
  const std::string first("\0\0\3\1\5\x80\0\0\7abc", 12), second("\1\0\0\0\1\x01\x02\x03\x04", 9);
  const std::string bytes = "preface" + first + second;
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    FrameHeads heads(7);
    std::vector<FrameHead> found;
    for (std::string_view piece : {std::string_view(bytes).substr(0, cut), std::string_view(bytes).substr(cut)})
      while (heads.next(piece)) found.push_back(heads.head());
    REQUIRE(found.size() == 2);
    CHECK(found[0].length == 3);
    CHECK(found[0].type == 1);
    CHECK(found[0].flags == 5);
    CHECK(found[0].stream == 7);
    CHECK(found[1].length == 0x10000);
    CHECK(found[1].stream == 0x01020304);
  }
}

TEST_CASE("http2 inbound: a peer's streams are unknown, skipped, open or ended") {
  PeerStreams streams;
  CHECK(streams.state(1) == State::unknown);
  streams.open(1);
  streams.open(7);
  CHECK(streams.state(1) == State::open);
  CHECK(streams.state(3) == State::skipped);
  CHECK(streams.state(5) == State::skipped);
  CHECK(streams.state(9) == State::unknown);
  streams.end(1);
  streams.end(1);
  CHECK(streams.state(1) == State::ended);
  CHECK(streams.state(7) == State::open);
}

TEST_CASE("http2 inbound: of many streams that were never ended the old ones are taken for open") {
  PeerStreams streams;
  for (std::int32_t id = 1; id < 100'001; id += 2) streams.open(id);
  for (std::int32_t id = 1; id < 100'001; id += 2) CHECK(streams.state(id) == State::open);
  streams.end(99'999);
  CHECK(streams.state(99'999) == State::ended);
}

TEST_CASE("http2 inbound: streams that were skipped long ago are not held") {
  PeerStreams streams;
  for (std::int32_t id = 1; id < 100'001; id += 4) streams.open(id), streams.end(id);
  CHECK(streams.state(99'999) == State::unknown);
  CHECK(streams.state(99'995) == State::skipped);
  CHECK(streams.state(3) == State::ended);
}
