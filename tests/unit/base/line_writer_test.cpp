#include "base/line_writer.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

using namespace cmux;

namespace {

constexpr milliseconds kLong{60'000};  // for what must come
constexpr milliseconds kShort{50};     // for what must not

struct Pipe {
  Pipe() { REQUIRE(pipe(ends) == 0); }
  ~Pipe() {
    close_reader();
    close_writer();
  }
  void close_reader() {
    if (ends[0] >= 0) close(std::exchange(ends[0], -1));
  }
  void close_writer() {
    if (ends[1] >= 0) close(std::exchange(ends[1], -1));
  }
  // Until nobody can take more without waiting.
  void fill() {
    const std::string page(4096, 'x');
    pollfd room{ends[1], POLLOUT, 0};
    while (poll(&room, 1, 0) == 1) filled += static_cast<std::size_t>(write(ends[1], page.data(), page.size()));
  }
  std::string read_exactly(std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t at = 0; at < size;) {
      const ssize_t count = read(ends[0], text.data() + at, size - at);
      if (count <= 0) return text.substr(0, at);
      at += static_cast<std::size_t>(count);
    }
    return text;
  }
  std::string read_until(std::string_view last) {
    std::string text;
    while (!text.ends_with(last)) {
      const std::string more = read_exactly(1);
      if (more.empty()) return text;
      text += more;
    }
    return text;
  }

  int ends[2] = {-1, -1};
  std::size_t filled = 0;
};

// The thread has taken a line that is larger than the pipe, and cannot go on.
constexpr std::size_t kLarge = 200'000;
void stall(LineWriter& writer, Pipe& pipe) {
  writer.add(std::string(kLarge, 'x') + "\n");
  REQUIRE(pipe.read_exactly(1) == "x");
}
void unstall(Pipe& pipe) { CHECK(pipe.read_exactly(kLarge).ends_with("x\n")); }

std::string gap(std::uint64_t count) { return "lost " + std::to_string(count) + "\n"; }

}  // namespace

TEST_CASE("line writer: lines of one thread come in order, and flush() waits for them") {
  Pipe pipe;
  LineWriter writer(pipe.ends[1], gap);
  std::string all;
  for (int i = 0; i < 1000; ++i) {
    all += std::to_string(i) + "\n";
    writer.add(std::to_string(i) + "\n");
  }
  CHECK(writer.flush(kLong));
  CHECK(pipe.read_exactly(all.size()) == all);
  CHECK(writer.dropped() == 0);
}

TEST_CASE("line writer: nobody waits for a descriptor that is not read; what is dropped is counted and told where it was") {
  Pipe pipe;
  LineWriter writer(pipe.ends[1], gap);
  stall(writer, pipe);
  const std::string line(999, 'a');
  std::uint64_t added = 0;
  while (writer.dropped() < 100) {
    writer.add(line + "\n");
    ++added;
  }
  const std::uint64_t kept = added - 100;
  CHECK(kept == LineWriter::kMost / 1000);
  CHECK_FALSE(writer.flush(kShort));
  unstall(pipe);
  for (std::uint64_t i = 0; i < kept; ++i) REQUIRE(pipe.read_exactly(1000) == line + "\n");
  CHECK(pipe.read_until("\n") == "lost 100\n");
  writer.add("again\n");
  CHECK(pipe.read_until("\n") == "again\n");
  CHECK(writer.dropped() == 100);
}

TEST_CASE("line writer: behind what is usual there is room for what is important") {
  Pipe pipe;
  LineWriter writer(pipe.ends[1], gap);
  stall(writer, pipe);
  const std::string line(999, 'a');
  while (writer.dropped() == 0) writer.add(line + "\n");
  writer.add("important\n", LineWriter::Rank::important);
  writer.add("usual\n");
  CHECK(writer.dropped() == 2);
  while (writer.dropped() == 2) writer.add(line + "\n", LineWriter::Rank::important);  // not without end, either
  unstall(pipe);
  CHECK(pipe.read_until("important\n").find("lost") == std::string::npos);
  CHECK(pipe.read_until("lost 3\n").find("usual") == std::string::npos);
}

TEST_CASE("line writer: a descriptor that somebody has made non-blocking is waited for, and stays as it is") {
  Pipe pipe;
  REQUIRE(fcntl(pipe.ends[1], F_SETFL, O_WRONLY | O_NONBLOCK) == 0);
  LineWriter writer(pipe.ends[1], gap);
  const std::string large(200'000, 'b');
  writer.add(large + "\n");  // more than a pipe holds: it goes in parts
  CHECK_FALSE(writer.flush(kShort));
  CHECK(pipe.read_exactly(large.size() + 1) == large + "\n");
  CHECK(writer.flush(kLong));
  CHECK((fcntl(pipe.ends[1], F_GETFL) & O_NONBLOCK) != 0);
  CHECK(writer.dropped() == 0);
}

TEST_CASE("line writer: what cannot be written is counted, and told once something can") {
  Pipe pipe;
  pipe.close_reader();
  LineWriter writer(pipe.ends[1], gap);
  writer.add("one\n");
  CHECK(writer.flush(kLong));
  writer.add("two\n");
  CHECK(writer.flush(kLong));
  CHECK(writer.dropped() == 2);
  Pipe other;
  REQUIRE(dup2(other.ends[1], pipe.ends[1]) >= 0);
  writer.add("three\n");
  CHECK(other.read_until("three\n") == "lost 2\nthree\n");
}

TEST_CASE("line writer: what is left when it goes is still written, and an owned descriptor closed then") {
  Pipe pipe;
  pipe.fill();
  {
    LineWriter writer(pipe.ends[1], gap, true);
    writer.add("last\n");
    CHECK_FALSE(writer.flush(kShort));
  }
  pipe.ends[1] = -1;
  pipe.read_exactly(pipe.filled);
  CHECK(pipe.read_until("\n") == "last\n");
  CHECK(pipe.read_exactly(1).empty());  // the end
}

TEST_CASE("line writer: lines of many threads stay whole, and none is lost") {
  Pipe pipe;
  LineWriter writer(pipe.ends[1], gap);
  constexpr int kThreads = 4, kLines = 500;
  std::vector<std::thread> threads;
  for (int number = 0; number < kThreads; ++number)
    threads.emplace_back([&writer, number] {
      for (int i = 0; i < kLines; ++i) writer.add("thread " + std::to_string(number) + " says so\n");
    });
  std::vector<int> seen(kThreads, 0);
  for (int i = 0; i < kThreads * kLines; ++i) {
    const std::string line = pipe.read_until("\n");
    REQUIRE(line.size() == std::string_view("thread 0 says so\n").size());
    ++seen.at(static_cast<std::size_t>(line[7] - '0'));
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(seen == std::vector<int>(kThreads, kLines));
}
