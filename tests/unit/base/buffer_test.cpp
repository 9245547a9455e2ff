#include "base/buffer.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <string>

using namespace cmux;

TEST_CASE("an empty buffer holds no block") {
  const Buffer buffer;
  CHECK(buffer.empty());
  CHECK(buffer.size() == 0);
  CHECK(buffer.capacity() == 0);
  CHECK(buffer.view().empty());
}

TEST_CASE("bytes are prepared, committed and consumed") {
  Buffer buffer;
  auto room = buffer.prepare(10);
  CHECK(room.size() >= 10);
  CHECK(buffer.empty());
  std::memcpy(room.data(), "hello", 5);
  buffer.commit(5);
  CHECK(buffer.view() == "hello");
  buffer.append(", you");
  CHECK(buffer.view() == "hello, you");
  buffer.consume(7);
  CHECK(buffer.view() == "you");
  CHECK(buffer.size() == 3);
  buffer.append("");
  CHECK(buffer.view() == "you");
  buffer.consume(3);
  CHECK(buffer.empty());
  CHECK(buffer.capacity() > 0);
  buffer.append("again");
  buffer.clear();
  CHECK(buffer.empty());
  CHECK(buffer.capacity() > 0);
}

TEST_CASE("release gives the block back") {
  Buffer buffer;
  buffer.append("bytes");
  buffer.release();
  CHECK(buffer.empty());
  CHECK(buffer.capacity() == 0);
  buffer.release();
  buffer.append("more");
  CHECK(buffer.view() == "more");
}

TEST_CASE("what is held survives growth") {
  Buffer buffer;
  std::string expected;
  for (int i = 0; i < 20'000; ++i) {
    const std::string piece = std::to_string(i) + ",";
    buffer.append(piece);
    expected += piece;
    if (i % 7 == 6) {
      buffer.consume(3);
      expected.erase(0, 3);
    }
  }
  CHECK((buffer.view() == expected));
  const auto room = buffer.prepare(600 * 1024);  // larger than any block that is kept
  CHECK(room.size() >= 600 * 1024);
  std::memset(room.data(), 'x', room.size());
  CHECK((buffer.view() == expected));
}

TEST_CASE("prepare gives all the room there is, and makes room by moving what is left to the front") {
  Buffer buffer;
  const std::size_t all = buffer.prepare(1).size();
  CHECK(all == buffer.capacity());
  buffer.commit(all);
  buffer.consume(all - 10);
  const auto room = buffer.prepare(all - 10);
  CHECK(buffer.capacity() == all);
  CHECK(room.size() == all - 10);
  CHECK(buffer.size() == 10);
}

TEST_CASE("bytes move to the front unharmed, however much is held") {
  for (const std::size_t dropped : {std::size_t{1}, std::size_t{100}, std::size_t{2'000}, std::size_t{4'000}}) {
    CAPTURE(dropped);
    Buffer buffer;
    std::string bytes;
    for (std::size_t i = 0; i < 4'096; ++i) bytes += static_cast<char>('a' + i % 26);
    buffer.append(bytes);
    buffer.consume(dropped);
    buffer.append("end");
    CHECK(buffer.view() == bytes.substr(dropped) + "end");
  }
}

TEST_CASE("buffers move") {
  Buffer first;
  first.append("one");
  Buffer second(std::move(first));
  CHECK(second.view() == "one");
  CHECK(first.empty());
  CHECK(first.capacity() == 0);
  Buffer third;
  third.append("three");
  third = std::move(second);
  CHECK(third.view() == "one");
  CHECK(second.capacity() == 0);
  Buffer& same = third;
  third = std::move(same);
  CHECK(third.view() == "one");
  first.append("used again");
  CHECK(first.view() == "used again");
}

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kRecycles = false;  // it sees the use of a block that was given back only where that is gone
#else
constexpr bool kRecycles = true;
#endif

TEST_CASE("blocks are recycled, but where the address sanitizer watches them") {
  Buffer::drop_recycled();  // as many are kept as there is room for
  Buffer first;
  first.append("x");
  const void* const block = first.view().data();
  first.release();
  Buffer second;
  second.append("y");
  CHECK((static_cast<const void*>(second.view().data()) == block) == kRecycles);
}

TEST_CASE("before a wait a buffer gives back what its bytes need not") {
  Buffer buffer;
  buffer.prepare(1);
  buffer.shrink();
  CHECK(buffer.capacity() == 0);
  buffer.append("GET / HTTP/1.1\r\n");
  REQUIRE(buffer.capacity() >= 4096);
  buffer.consume(4);
  buffer.shrink();
  CHECK(buffer.capacity() <= 256);
  CHECK(buffer.view() == "/ HTTP/1.1\r\n");
  buffer.shrink();
  CHECK(buffer.view() == "/ HTTP/1.1\r\n");
  buffer.append("Host: a\r\n");
  CHECK(buffer.view() == "/ HTTP/1.1\r\nHost: a\r\n");
  // A block of a size of its own must not be taken for a larger one later.
  buffer.append(std::string(5'000, 'x'));
  buffer.prepare(10'000);
  const std::size_t capacity = buffer.capacity();
  buffer.shrink();
  CHECK(buffer.capacity() == capacity);
}
