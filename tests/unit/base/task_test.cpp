#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/run.hpp"

using namespace cmux;

namespace {

Task<int> value(int number) { co_return number; }

Task<int> later(int number) {
  co_await Yield{};
  co_return number;
}

Task<std::unique_ptr<std::string>> movable() { co_return std::make_unique<std::string>("moved"); }

Task<int> fails(bool wait) {
  if (wait) co_await Yield{};
  throw std::runtime_error("a bug");
  co_return 0;
}

Task<void> fails_without_value() {
  throw std::logic_error("another bug");
  co_return;
}

Task<int> passes_on(bool wait) {
  const int number = co_await fails(wait);
  co_return number;
}

struct Seen {
  std::vector<int> numbers;
  std::vector<std::string> errors;
  std::string text;
};

Task<void> values(Seen& seen) {
  seen.numbers.push_back(co_await value(1));
  seen.numbers.push_back(co_await later(2));
  auto text = co_await movable();
  seen.text = *text;
}

Task<void> errors(Seen& seen) {
  for (const bool wait : {false, true}) {
    try {
      seen.numbers.push_back(co_await passes_on(wait));
    } catch (const std::runtime_error& error) { seen.errors.emplace_back(error.what()); }
  }
  try {
    co_await fails_without_value();
  } catch (const std::logic_error& error) { seen.errors.emplace_back(error.what()); }
}

struct Stack {
  const char* lowest = nullptr;
  const char* highest = nullptr;
  void note(const void* place) {
    const char* at = static_cast<const char*>(place);
    lowest = lowest ? std::min(lowest, at) : at;
    highest = std::max(highest, at);
  }
};

Task<int> notes(Stack& stack, int number) {
  stack.note(__builtin_frame_address(0));
  co_return number;
}

Task<void> awaits_often(Stack& stack, long& sum, int times) {
  for (int i = 0; i < times; ++i) sum += co_await notes(stack, 1);
}

Task<int> notes_later(Stack& stack) {
  co_await Yield{};
  stack.note(__builtin_frame_address(0));
  co_return 1;
}

Task<void> waits_often(Stack& stack, long& sum, int times) {
  for (int i = 0; i < times; ++i) sum += co_await notes_later(stack);
}

Task<int> depth(int left) {
  if (left == 0) {
    co_await Yield{};
    co_return 0;
  }
  const int below = co_await depth(left - 1);
  co_return below + 1;
}

Task<void> descends(int& reached) { reached = co_await depth(1'000); }

Task<void> marks(bool& ran) {
  ran = true;
  co_return;
}

}  // namespace

TEST_CASE("tasks give values, at once and later") {
  Loop loop;
  Seen seen;
  run(loop, values(seen));
  CHECK(seen.numbers == std::vector<int>{1, 2});
  CHECK(seen.text == "moved");
}

TEST_CASE("exceptions go through tasks to who awaits them") {
  Loop loop;
  Seen seen;
  run(loop, errors(seen));
  CHECK(seen.numbers.empty());
  CHECK(seen.errors == std::vector<std::string>{"a bug", "a bug", "another bug"});
}

TEST_CASE("a million awaits of tasks that do not wait need no more stack than one") {
  Loop loop;
  Stack stack;
  long sum = 0;
  run(loop, awaits_often(stack, sum, 1'000'000));
  CHECK(sum == 1'000'000);
  CHECK(stack.highest - stack.lowest < 4096);
}

TEST_CASE("awaits of tasks that wait need no more stack either") {
  Loop loop;
  Stack stack;
  long sum = 0;
  run(loop, waits_often(stack, sum, 50'000));
  CHECK(sum == 50'000);
  CHECK(stack.highest - stack.lowest < 4096);
}

TEST_CASE("a deep chain of tasks unwinds when its end was waited for") {
  Loop loop;
  int reached = 0;
  run(loop, descends(reached));
  CHECK(reached == 1'000);
}

TEST_CASE("a task is lazy: one that nobody awaits never runs, and frees its frame") {
  bool ran = false;
  { const Task<void> unused = marks(ran); }
  CHECK_FALSE(ran);
}

TEST_CASE("frames are recycled by size class") {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  void* const first = allocate_frame(129);
  release_frame(first, 129);
  void* const second = allocate_frame(192);  // the same class of 64 bytes
  CHECK(second == first);
  void* const third = allocate_frame(192);
  CHECK(third != second);
  release_frame(second, 192);
  release_frame(third, 192);
#endif
  // Large ones and many at once are only allocated and freed; the sanitizer holds this against the sizes.
  std::vector<void*> frames;
  for (int i = 0; i < 1'000; ++i) frames.push_back(allocate_frame(i % 2 ? 64 : 10'000));
  for (int i = 0; i < 1'000; ++i) release_frame(frames[static_cast<std::size_t>(i)], i % 2 ? 64 : 10'000);
  void* const smallest = allocate_frame(1);
  release_frame(smallest, 1);
}
