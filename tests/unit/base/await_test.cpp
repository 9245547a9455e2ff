#include "base/await.hpp"

#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>
#include <future>
#include <thread>

#include "base/run.hpp"

using namespace cmux;

namespace {

namespace asio = boost::asio;
using LocalSocket = asio::local::stream_protocol::socket;

Task<void> wait_for(asio::steady_timer& timer, boost::system::error_code& result) { result = co_await timer.async_wait(awaited); }

Task<void> echo(LocalSocket& socket, std::size_t count) {
  std::string bytes(count, '\0');
  auto [failed, got] = co_await asio::async_read(socket, asio::buffer(bytes), awaited);
  if (failed || got != count) co_return;
  co_await asio::async_write(socket, asio::buffer(bytes), awaited);
}

Task<void> ask(LocalSocket& socket, std::string text, std::string& answer) {
  co_await asio::async_write(socket, asio::buffer(text), awaited);
  answer.assign(text.size(), '\0');
  auto [failed, got] = co_await asio::async_read(socket, asio::buffer(answer), awaited);
  answer.resize(failed ? 0 : got);
}

Task<void> both(Task<void> first, Task<void> second) {
  Scope scope;
  scope.spawn(std::move(first));
  scope.spawn(std::move(second));
  co_await scope.join();
}

Task<void> cancel_later(asio::steady_timer& timer) {
  co_await Yield{};
  timer.cancel();
}

// Bounces a post between two loops: each waits for nothing but the other's.
struct Bouncer {
  Loop* here;
  Loop* there = nullptr;
  Bouncer* other = nullptr;
  int left;

  void bounce() {
    if (--left <= 0) {
      there->stop();
      return here->stop();
    }
    there->post([this] { other->bounce(); });
  }
};

}  // namespace

TEST_CASE("an Asio operation is awaited, and comes back with its result") {
  Loop loop;
  asio::steady_timer timer(loop.context(), milliseconds(5));
  boost::system::error_code result = asio::error::fault;
  run(loop, wait_for(timer, result));
  CHECK_FALSE(result);
}

TEST_CASE("a composed operation of several results is awaited") {
  Loop loop;
  LocalSocket near(loop.context()), far(loop.context());
  asio::local::connect_pair(near, far);
  std::string answer;
  const std::string text(100'000, 'x');  // more than the sockets hold: both sides wait in turns
  run(loop, both(echo(far, text.size()), ask(near, text, answer)));
  CHECK((answer == text));
}

TEST_CASE("a cancelled operation comes back with an error") {
  Loop loop;
  asio::steady_timer timer(loop.context(), std::chrono::hours(1));
  boost::system::error_code result;
  run(loop, both(wait_for(timer, result), cancel_later(timer)));
  CHECK(result == asio::error::operation_aborted);
}

TEST_CASE("deadlines fire while Asio waits for something else") {
  Loop loop;
  asio::steady_timer timer(loop.context(), std::chrono::hours(1));
  boost::system::error_code result;
  Deadline deadline([](void* waiting) { static_cast<asio::steady_timer*>(waiting)->cancel(); }, &timer);
  deadline.after(milliseconds(20));
  run(loop, wait_for(timer, result));
  CHECK(result == asio::error::operation_aborted);
}

TEST_CASE("no post is lost between loops that wait for nothing else") {
  Loop here;
  Bouncer mine{&here, nullptr, nullptr, 20'000}, theirs{nullptr, &here, &mine, 20'000};
  std::promise<void> ready, over;
  std::thread thread([&] {
    Loop there;
    theirs.here = &there;
    mine.there = &there;
    mine.other = &theirs;
    ready.set_value();
    there.run();
    over.get_future().wait();  // a loop outlives the posts to it
  });
  ready.get_future().wait();
  here.post([&] { mine.bounce(); });
  Deadline stuck([](void*) { std::abort(); }, nullptr);
  stuck.after(milliseconds(60'000));
  here.run();
  over.set_value();
  thread.join();
  CHECK(std::min(mine.left, theirs.left) == 0);
}
