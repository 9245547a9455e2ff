#include "base/loop.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <future>
#include <memory>
#include <random>
#include <thread>
#include <vector>

using namespace cmux;

namespace {

// A deadline that notes when it fired, by the loop's own clock: what "not early" is measured with.
struct Timer {
  Clock::time_point due, fired;
  unsigned times = 0;
  unsigned* left = nullptr;
  Deadline deadline{[](void* self) { static_cast<Timer*>(self)->fire(); }, this};

  void after(int delay) {
    due = Loop::current().now() + milliseconds(delay);
    deadline.after(milliseconds(delay));
  }
  void fire() {
    ++times;
    fired = Loop::current().now();
    if (left && --*left == 0) Loop::current().stop();
  }
  bool early() const { return fired < due; }
};

// Runs until that many timers have fired.
void run_until(Loop& loop, std::initializer_list<Timer*> timers) {
  unsigned left = static_cast<unsigned>(timers.size());
  for (Timer* timer : timers) timer->left = &left;
  loop.run();
  for (Timer* timer : timers) timer->left = nullptr;
}

}  // namespace

TEST_CASE("a deadline fires once and not early") {
  Loop loop;
  for (const int delay : {1, 9, 10, 11, 25, 40}) {
    CAPTURE(delay);
    Timer timer;
    timer.after(delay);
    CHECK(timer.deadline.armed());
    run_until(loop, {&timer});
    CHECK(timer.times == 1);
    CHECK_FALSE(timer.early());
    CHECK_FALSE(timer.deadline.armed());
  }
}

TEST_CASE("a deadline that is pushed further fires at the later time alone") {
  Loop loop;
  Timer pushed, other;
  pushed.after(10);
  pushed.after(60);
  other.after(30);
  run_until(loop, {&other});
  CHECK(pushed.times == 0);
  pushed.after(90);
  run_until(loop, {&pushed});
  CHECK(pushed.times == 1);
  CHECK_FALSE(pushed.early());
}

TEST_CASE("a deadline can be armed again, shorter") {
  Loop loop;
  Timer shorter;
  shorter.after(60'000);  // several turns of the wheel
  shorter.after(20);
  run_until(loop, {&shorter});
  CHECK(shorter.times == 1);
  CHECK_FALSE(shorter.early());
  shorter.after(20);
  run_until(loop, {&shorter});
  CHECK(shorter.times == 2);
}

TEST_CASE("a cancelled deadline does not fire, and can be armed again") {
  Loop loop;
  Timer cancelled, zero, other;
  cancelled.after(10);
  cancelled.deadline.cancel();
  zero.after(10);
  zero.after(0);  // never
  CHECK_FALSE(cancelled.deadline.armed());
  CHECK_FALSE(zero.deadline.armed());
  other.after(40);
  run_until(loop, {&other});
  CHECK(cancelled.times == 0);
  CHECK(zero.times == 0);
  cancelled.after(10);
  run_until(loop, {&cancelled});
  CHECK(cancelled.times == 1);
}

TEST_CASE("a destroyed deadline does not fire") {
  Loop loop;
  Timer other;
  auto gone = std::make_unique<Timer>();
  auto neighbour = std::make_unique<Timer>();
  gone->after(10);
  neighbour->after(10);
  gone.reset();
  other.after(40);
  run_until(loop, {&other, neighbour.get()});
  CHECK(neighbour->times == 1);
}

TEST_CASE("deadlines may be armed, cancelled and destroyed while others of the same tick fire") {
  struct Set {
    std::array<std::unique_ptr<Timer>, 8> timers;
    unsigned fired = 0;
    Deadline killer{[](void* self) {
                      for (auto& timer : static_cast<Set*>(self)->timers) timer.reset();
                      Loop::current().stop();
                    },
                    this};
    Deadline again{[](void* self) {
                     auto& me = *static_cast<Set*>(self);
                     if (++me.fired < 3) me.again.after(milliseconds(1));
                     else me.killer.after(milliseconds(1));
                   },
                   this};
  };
  Loop loop;
  Set set;
  for (auto& timer : set.timers) {
    timer = std::make_unique<Timer>();
    timer->after(30'000);
  }
  set.again.after(milliseconds(1));
  loop.run();
  CHECK(set.fired == 3);
}

TEST_CASE("many deadlines fire, each once, none early, in the order of their ticks") {
  Loop loop;
  std::mt19937 random(7);
  std::vector<std::unique_ptr<Timer>> timers;
  unsigned left = 2'000;
  for (unsigned i = 0; i < left; ++i) {
    timers.push_back(std::make_unique<Timer>());
    timers.back()->after(static_cast<int>(random() % 80 + 1));
    if (i % 3 == 0) timers.back()->after(static_cast<int>(random() % 80 + 1));
  }
  for (auto& timer : timers) timer->left = &left;
  loop.run();
  for (const auto& timer : timers) {
    CHECK(timer->times == 1);
    CHECK_FALSE(timer->early());
  }
}

TEST_CASE("nothing is waited for where a deadline is over, however long") {
  const Clock::time_point start{std::chrono::hours(1)};
  Wheel wheel(start);
  Deadline deadline([](void*) {}, nullptr);
  CHECK(wheel.left(start).count() < 0);
  wheel.set(deadline, start + milliseconds(20));
  CHECK(wheel.left(start).count() >= 20);
  CHECK(wheel.left(start).count() <= 50);
  // As of a loop that runs again, and has fired nothing yet: this was 584 years.
  for (const int late : {60, 300, 20'000}) CHECK(wheel.left(start + milliseconds(late)).count() == 0);
}

TEST_CASE("posts run in order on the loop's thread") {
  Loop loop;
  std::vector<int> order;
  for (int i = 0; i < 5; ++i) loop.post([&order, i] { order.push_back(i); });
  loop.post([&] { loop.post([&] { order.push_back(5), loop.stop(); }); });
  loop.run();
  CHECK(order == std::vector<int>{0, 1, 2, 3, 4, 5});
}

TEST_CASE("what is posted finds the loop's clock at the present, however long it has waited") {
  Loop loop;
  std::promise<void> runs;
  Clock::time_point posted, seen;
  std::thread other([&] {
    runs.get_future().wait();
    posted = Clock::now();
    loop.post([&] { seen = loop.now(), loop.stop(); });
  });
  loop.post([&] { runs.set_value(); });
  loop.run();
  other.join();
  CHECK(seen >= posted);
}

TEST_CASE("posts from other threads all arrive, each thread's in order") {
  constexpr int kThreads = 4, kEach = 2'000;
  Loop loop;
  std::vector<std::vector<int>> got(kThreads);
  const auto here = std::this_thread::get_id();
  bool elsewhere = false;
  int count = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i)
        loop.post([&, t, i] {
          elsewhere = elsewhere || std::this_thread::get_id() != here;
          got[static_cast<std::size_t>(t)].push_back(i);
          if (++count == kThreads * kEach) loop.stop();
        });
    });
  loop.run();
  for (auto& thread : threads) thread.join();
  CHECK_FALSE(elsewhere);
  for (const auto& numbers : got) {
    REQUIRE(numbers.size() == kEach);
    CHECK(std::is_sorted(numbers.begin(), numbers.end()));
  }
}

TEST_CASE("a stop from another thread ends a loop that waits, and it can run again") {
  Loop loop;
  for (int turn = 0; turn < 3; ++turn) {
    std::thread other([&] { loop.stop(); });
    loop.run();
    other.join();
  }
  loop.stop();  // before it runs
  loop.run();
  SUCCEED();
}

TEST_CASE("the running loop is the current one") {
  Loop first;
  Loop second;
  CHECK(&Loop::current() == &first);
  Loop* seen = nullptr;
  second.post([&] { seen = &Loop::current(), second.stop(); });
  second.run();
  CHECK(seen == &second);
  first.stop();
  first.run();
  CHECK(&Loop::current() == &first);
}

TEST_CASE("sleep_for does not end early") {
  Loop loop;
  const auto start = loop.now();
  loop.run(sleep_for(milliseconds(15)));
  CHECK(loop.now() - start >= milliseconds(15));
}

TEST_CASE("a deadline leaves the wheel that it is in, whichever loop is the current one, and may outlive it") {
  Loop current;
  int late = 0, fired = 0;
  const auto count = [](void* counter) { ++*static_cast<int*>(counter); };
  Deadline outlives(count, &late), fires(count, &fired);
  {
    Wheel other(current.now());
    {
      Deadline gone(count, &late);
      other.set(gone, current.now() + milliseconds(20));
    }
    other.set(outlives, current.now() + milliseconds(500));
    other.set(fires, current.now() + milliseconds(10));
    other.fire(current.now() + milliseconds(50));
    CHECK(fired == 1);
    CHECK(other.left(current.now()) > milliseconds(0));
  }
  CHECK(late == 0);
  CHECK(current.wheel().left(current.now()) < milliseconds(0));
}
