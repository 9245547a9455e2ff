#include "net/transport.hpp"

#include <array>
#include <catch2/catch.hpp>

#include "net/pair.hpp"

using namespace cmux;
using namespace cmux::net;

namespace {

std::string taken(Transport& transport, std::size_t room) {
  std::string bytes(room, '\0');
  const Io io = transport.read({bytes.data(), bytes.size()});
  if (io.state == Io::State::blocked) return "<blocked>";
  if (io.state == Io::State::end) return "<end>";
  if (io.state == Io::State::failed) return "<failed>";
  bytes.resize(io.count);
  return bytes;
}

Io put(Transport& transport, std::string_view bytes) { return transport.write({&bytes, 1}); }

Task<void> read_result(Transport& transport, Result<std::size_t>& result, Buffer& in) {
  result = co_await read_some(transport, in, 100);
}

Task<void> write_result(Transport& transport, std::string bytes, Result<void>& result) {
  result = co_await write_all(transport, bytes);
}

Task<void> both(Task<void> first, Task<void> second) {
  Scope scope;
  scope.spawn(std::move(first));
  co_await second;
  co_await scope.join();
}

Task<void> read_all(Transport& transport, std::size_t room, std::size_t& count) {
  Buffer in;
  while (true) {
    auto read = co_await read_some(transport, in, room);
    if (!read || *read == 0) co_return;
    count += *read;
    in.clear();
  }
}

// How much one reader takes before another coroutine has its turn, and what it has taken in the end.
Task<void> read_beside_another(Pair& pair, std::size_t& first, std::size_t& all) {
  Scope scope;
  scope.spawn(read_all(*pair.near, 100, all));
  first = all;
  co_await scope.join();
}

Task<void> count_end(Transport& transport, std::size_t& ended) {
  std::string text;
  co_await read_to_end(transport, text);
  ++ended;
}

// All their peers leave at once. Says how many of them end in one turn at the most.
Task<void> leave(std::vector<Pair>& crowd, std::size_t& most) {
  Scope scope;
  std::size_t ended = 0;
  for (Pair& pair : crowd) scope.spawn(count_end(*pair.near, ended));
  for (Pair& pair : crowd) pair.far.reset();
  while (ended < crowd.size()) {
    const std::size_t before = ended;
    co_await EndOfTurn{};
    most = std::max(most, ended - before);
  }
  co_await scope.join();
}

Task<void> abort_later(Transport& transport) {
  co_await Yield{};
  transport.abort(make_error(Errc::cancelled, "given up"), false);
}

// Takes nothing, and yet acknowledges something for so many looks.
class Slow final : public Transport {
 public:
  explicit Slow(int looks) : looks_(looks) {}
  Io write(Pieces pieces) override {
    if (looks_ > 0) writable_.clear();
    return looks_ > 0 ? Io::blocked() : Io::moved(pieces[0].size());
  }
  std::size_t unacknowledged() const override {
    if (endless_) return 1'000'000;
    if (--looks_ == 0) writable_.set();
    return static_cast<std::size_t>(looks_);
  }
  Event& readable() override { return readable_; }
  Event& writable() override { return writable_; }
  void shutdown_write() override {}
  void abort(Error, bool) noexcept override {}
  bool hung_up() const override { return false; }
  void on_hang_up(void (*)(void*), void*) override {}
  bool broken() const override { return false; }
  bool may_read() const override { return false; }
  bool endless_ = false;

 protected:
  Io read_through(std::span<char>) override { return Io::blocked(); }

 private:
  mutable int looks_;
  mutable Event readable_, writable_;
};

Task<void> write_in_time(Transport& transport, milliseconds limit, Result<void>& result) {
  result = co_await write_all(transport, limit, "text");
}

Task<void> three_pieces(Transport& transport) { co_await write_all(transport, milliseconds(0), "one, ", "", "two"); }

}  // namespace

TEST_CASE("reads move what is there, then say blocked, then end") {
  Loop loop;
  Pair pair;
  CHECK(taken(*pair.near, 10) == "<blocked>");
  std::string got;
  run(loop, both(send(*pair.far, "abcdef"), read_count(*pair.near, 6, got)));
  CHECK(got == "abcdef");
  CHECK(taken(*pair.near, 10) == "<blocked>");
  run(loop, send(*pair.far, "ghi"));
  pair.far->shutdown_write();
  got.clear();
  run(loop, read_to_end(*pair.near, got));
  CHECK(got == "ghi");
  CHECK(taken(*pair.near, 10) == "<end>");
  CHECK(taken(*pair.near, 10) == "<end>");  // and stays so
  run(loop, both(send(*pair.near, "half-closed"), read_count(*pair.far, 11, got)));
  CHECK(got == "ghihalf-closed");
}

TEST_CASE("a read into little room leaves the rest for the next one") {
  Loop loop;
  Pair pair;
  REQUIRE(put(*pair.far, "abcdefg").count == 7);
  CHECK(taken(*pair.near, 3) == "abc");
  CHECK(taken(*pair.near, 3) == "def");
  CHECK(taken(*pair.near, 3) == "g");
  CHECK(taken(*pair.near, 3) == "<blocked>");
}

TEST_CASE("unread bytes come first, the last put back before those of earlier") {
  Loop loop;
  Pair pair;
  REQUIRE(put(*pair.far, "socket").count == 6);
  pair.near->unread("two");
  pair.near->unread("one");
  CHECK(taken(*pair.near, 2) == "on");
  CHECK(taken(*pair.near, 100) == "etwo");
  CHECK(taken(*pair.near, 100) == "socket");
  pair.near->unread("again");
  pair.near->abort(make_error(Errc::cancelled, "given up"), false);
  CHECK(taken(*pair.near, 100) == "again");
  CHECK(taken(*pair.near, 100) == "<failed>");
}

TEST_CASE("pieces are written in order") {
  Loop loop;
  Pair pair;
  const std::array<std::string_view, 4> pieces{"a", "", "bc", "d"};
  CHECK(pair.near->write(pieces).count == 4);
  CHECK(taken(*pair.far, 100) == "abcd");
  run(loop, three_pieces(*pair.near));
  std::string got;
  run(loop, read_count(*pair.far, 8, got));
  CHECK(got == "one, two");
  const std::array<std::string_view, 2> nothing{"", ""};
  const Io io = pair.near->write(nothing);
  CHECK(io.state == Io::State::moved);
  CHECK(io.count == 0);
}

TEST_CASE("a writer that is blocked goes on when the peer reads") {
  Loop loop;
  Pair pair;
  std::string expected;
  for (int i = 0; expected.size() < 3'000'000; ++i) expected += std::to_string(i) + " ";
  std::string got;
  Result<void> written = make_error(Errc::system);
  run(loop, both(write_result(*pair.near, expected, written), read_count(*pair.far, expected.size(), got)));
  CHECK(written.has_value());
  CHECK((got == expected));
}

TEST_CASE("a full socket says blocked, and writable again once there is room") {
  Loop loop;
  Pair pair;
  const std::string chunk(64 * 1024, 'x');
  std::size_t sent = 0;
  Io io = put(*pair.near, chunk);
  for (; io.state == Io::State::moved; io = put(*pair.near, chunk)) sent += io.count;
  REQUIRE(io.state == Io::State::blocked);
  CHECK_FALSE(pair.near->writable().is_set());
  std::string got;
  Result<void> written = make_error(Errc::system);
  run(loop, both(write_result(*pair.near, "the end", written), read_count(*pair.far, sent + 7, got)));
  CHECK(written.has_value());
  CHECK(got.ends_with("xthe end"));
}

TEST_CASE("an abort wakes who waits, and everything fails with its error") {
  Loop loop;
  Pair pair;
  Result<std::size_t> result = std::size_t{0};
  Buffer in;
  run(loop, both(read_result(*pair.near, result, in), abort_later(*pair.near)));
  REQUIRE(result.has_error());
  CHECK(result.error().code == Errc::cancelled);
  CHECK(result.error().detail == "given up");
  pair.near->abort(make_error(Errc::reset, "too late"), false);
  CHECK(pair.near->error().detail == "given up");
  CHECK(put(*pair.near, "x").state == Io::State::failed);
  CHECK(taken(*pair.near, 10) == "<failed>");
}

TEST_CASE("an abort wakes a writer") {
  Loop loop;
  Pair pair;
  Result<void> written;
  run(loop, both(write_result(*pair.near, std::string(8'000'000, 'x'), written), abort_later(*pair.near)));
  REQUIRE(written.has_error());
  CHECK(written.error().code == Errc::cancelled);
}

TEST_CASE("writing after the end, or to a peer that is gone, fails") {
  Loop loop;
  Pair pair;
  pair.near->shutdown_write();
  pair.near->shutdown_write();
  CHECK(put(*pair.near, "x").state == Io::State::failed);
  CHECK(pair.near->error().code == Errc::reset);
  Pair other;
  other.far.reset();
  CHECK(put(*other.near, "x").state == Io::State::failed);
  CHECK(other.near->error().code == Errc::reset);
  CHECK(other.near->error().detail.starts_with("write: "));
}

TEST_CASE("a hang-up calls back once, without a read") {
  Loop loop;
  Pair pair;
  unsigned calls = 0;
  const auto count = [](void* n) { ++*static_cast<unsigned*>(n), Loop::current().stop(); };
  pair.near->on_hang_up(count, &calls);
  CHECK_FALSE(pair.near->hung_up());
  CHECK(put(*pair.far, "last words").state == Io::State::moved);
  pair.far->shutdown_write();
  loop.run();
  CHECK(calls == 1);
  CHECK(pair.near->hung_up());
  CHECK_FALSE(pair.near->broken());  // only half-closed
  CHECK(taken(*pair.near, 100) == "last words");
  CHECK(taken(*pair.near, 100) == "<end>");
  // Already so: at once.
  pair.near->on_hang_up(count, &calls);
  CHECK(calls == 2);
  pair.near->on_hang_up(nullptr, nullptr);
  CHECK(calls == 2);
  loop.run();  // takes the stop of the second call
}

TEST_CASE("who took the callback back is not called") {
  Loop loop;
  Pair pair;
  unsigned calls = 0;
  pair.near->on_hang_up([](void* n) { ++*static_cast<unsigned*>(n); }, &calls);
  pair.near->on_hang_up(nullptr, nullptr);
  pair.far.reset();
  std::string got;
  run(loop, read_to_end(*pair.near, got));
  CHECK(got.empty());
  CHECK(calls == 0);
}

TEST_CASE("a peer that takes nothing of a write in time ends it, one that takes little at a time never") {
  Loop loop;
  Result<void> result;
  Slow slow(40);  // five times the limit
  run(loop, write_in_time(slow, milliseconds(80), result));
  CHECK(result.has_value());
  Slow deaf(1);
  deaf.endless_ = true;
  run(loop, write_in_time(deaf, milliseconds(80), result));
  REQUIRE(result.has_error());
  CHECK(result.error().code == Errc::timeout);
}

TEST_CASE("a socket knows what its peer has not taken") {
  Loop loop;
  Pair pair;
  CHECK(pair.near->unacknowledged() == 0);
  REQUIRE(put(*pair.near, "abcdef").count == 6);
  CHECK(pair.near->unacknowledged() > 0);
  std::string got;
  run(loop, read_count(*pair.far, 6, got));
  CHECK(pair.near->unacknowledged() == 0);
}

TEST_CASE("transport: who always has more to say lets the others have their turn") {
  Loop loop;
  Pair pair;
  const std::size_t most = put(*pair.far, std::string(1'000'000, 'x')).count;  // what the system holds
  pair.far->shutdown_write();
  std::size_t first = 0, all = 0;
  loop.run(read_beside_another(pair, first, all));
  CHECK(first > 0);
  CHECK(first < most);
  CHECK(all == most);
}

TEST_CASE("transport: a crowd that leaves at once does so over many turns") {
  Loop loop;
  std::vector<Pair> crowd(400);
  std::size_t most = 0;
  loop.run(leave(crowd, most));
  CHECK(most > 0);
  CHECK(most <= 64);  // of one look at the sockets: what waits in between has its turn
}
