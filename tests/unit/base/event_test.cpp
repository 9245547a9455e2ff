#include <catch2/catch.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/run.hpp"

using namespace cmux;

namespace {

using Notes = std::vector<std::string>;

Task<void> waits(Event& event, Notes& notes, std::string name) {
  notes.push_back(name + " waits");
  co_await event;
  notes.push_back(name + " goes on");
}

Task<void> set_before_wait(Notes& notes) {
  Event event;
  event.set();
  co_await waits(event, notes, "child");
  notes.emplace_back("still on");
  co_await event;  // latched: the wait does not use it up
  notes.push_back(event.is_set() ? "set" : "clear");
  event.clear();
  notes.push_back(event.is_set() ? "set" : "clear");
}

Task<void> set_while_waiting(Notes& notes) {
  Event event;
  Scope scope;
  scope.spawn(waits(event, notes, "child"));
  notes.emplace_back("set");
  event.set();
  event.set();  // resumes nobody twice
  notes.emplace_back("was set");
  co_await scope.join();
}

Task<void> set_and_cleared(Notes& notes) {
  Event event;
  Scope scope;
  scope.spawn(waits(event, notes, "child"));
  event.set();
  event.clear();
  co_await scope.join();
  notes.push_back(event.is_set() ? "set" : "clear");
}

Task<void> takes_turns(Notes& notes, std::string name) {
  for (int turn = 1; turn <= 2; ++turn) {
    notes.push_back(name + std::to_string(turn));
    co_await Yield{};
  }
}

Task<void> yields(Notes& notes) {
  Scope scope;
  scope.spawn(takes_turns(notes, "a"));
  scope.spawn(takes_turns(notes, "b"));
  co_await scope.join();
}

Task<void> at_the_end(Notes& notes) {
  co_await EndOfTurn{};
  notes.emplace_back("end of turn");
}

Task<void> ends_turns(Notes& notes) {
  Scope scope;
  scope.spawn(at_the_end(notes));
  scope.spawn(takes_turns(notes, "a"));
  co_await scope.join();
}

Task<void> busy(Notes& notes) {
  Scope scope;
  scope.spawn(at_the_end(notes));
  while (notes.empty()) co_await Yield{};  // there is always somebody ready
  co_await scope.join();
}

Task<void> joins(Notes& notes) {
  Scope scope;
  co_await scope.join();  // nobody: at once
  notes.push_back(std::to_string(scope.running()));
  Event first, second;
  scope.spawn(waits(first, notes, "first"));
  scope.spawn(waits(second, notes, "second"));
  notes.push_back(std::to_string(scope.running()));
  second.set();
  co_await Yield{};
  co_await Yield{};
  notes.push_back(std::to_string(scope.running()));
  first.set();
  co_await scope.join();
  notes.push_back(std::to_string(scope.running()));
  Event third(true);
  scope.spawn(waits(third, notes, "third"));  // a scope can be used again
  co_await scope.join();
}

Task<void> bug() {
  co_await Yield{};
  throw std::runtime_error("a bug in a child");
}

Task<void> survives(Notes& notes) {
  Scope scope;
  scope.spawn(bug());
  scope.spawn(takes_turns(notes, "other"));
  co_await scope.join();
  notes.emplace_back("joined");
}

Notes notes_of(Task<void> (*test)(Notes&)) {
  Loop loop;
  Notes notes;
  run(loop, test(notes));
  return notes;
}

}  // namespace

TEST_CASE("an event is latched") {
  CHECK(notes_of(set_before_wait) == Notes{"child waits", "child goes on", "still on", "set", "clear"});
  CHECK(Event(true).is_set());
  CHECK_FALSE(Event().is_set());
}

TEST_CASE("setting an event queues the waiter") {
  CHECK(notes_of(set_while_waiting) == Notes{"child waits", "set", "was set", "child goes on"});
}

TEST_CASE("a queued waiter runs even if the event was cleared meanwhile") {
  CHECK(notes_of(set_and_cleared) == Notes{"child waits", "child goes on", "clear"});
}

TEST_CASE("Yield lets the others run first") { CHECK(notes_of(yields) == Notes{"a1", "b1", "a2", "b2"}); }

TEST_CASE("the end of a turn comes when nobody else is ready, and at last for busy ones too") {
  CHECK(notes_of(ends_turns) == Notes{"a1", "a2", "end of turn"});
  CHECK(notes_of(busy) == Notes{"end of turn"});
}

TEST_CASE("a scope joins its children") {
  CHECK(notes_of(joins) == Notes{"0", "first waits", "second waits", "2", "second goes on", "1", "first goes on", "0",
                                 "third waits", "third goes on"});
}

TEST_CASE("a child's exception is logged and the others go on") {
  log::set_level(log::Level::off);
  const Notes notes = notes_of(survives);
  log::set_level(log::Level::info);
  CHECK(notes == Notes{"other1", "other2", "joined"});
}
