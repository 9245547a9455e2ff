#include "net/lookup.hpp"

#include <catch2/catch.hpp>
#include <condition_variable>
#include <set>

#include "base/run.hpp"
#include "net/resolver.hpp"

using namespace cmux;
using namespace cmux::net;

namespace {

// A system whose name servers do not answer for names that begin with "slow", until it is told that they do.
class System {
 public:
  ~System() { answer(); }
  std::function<Lookups::Answer(const std::string&)> asked() {
    return [this](const std::string& host) -> Lookups::Answer {
      std::unique_lock lock(mutex_);
      ++begun_;
      asked_.insert(host);
      begun_changed_.notify_all();
      if (host.starts_with("slow")) answers_.wait(lock, [this] { return answering_; });
      if (host.starts_with("bad")) return make_error(Errc::dns, "cannot resolve " + host + ": no such name");
      return std::vector<Endpoint>{*Endpoint::from_ip("192.0.2.1", 0)};
    };
  }
  void answer() {
    std::lock_guard lock(mutex_);
    answering_ = true;
    answers_.notify_all();
  }
  void await_begun(unsigned count) {
    std::unique_lock lock(mutex_);
    begun_changed_.wait_for(lock, std::chrono::seconds(30), [&] { return begun_ >= count; });
    CHECK(begun_ >= count);
  }
  std::size_t times(const std::string& host) {
    std::lock_guard lock(mutex_);
    return asked_.count(host);
  }

 private:
  std::mutex mutex_;
  std::condition_variable answers_, begun_changed_;
  std::multiset<std::string> asked_;
  unsigned begun_ = 0;
  bool answering_ = false;
};

// Pool and system in the order in which they may go: the look-ups end before what they ask.
struct World {
  System system;
  Lookups lookups{system.asked(), {8, 2, 100, 40}};
  Loop loop;
  Resolver resolver{{}, &lookups};
  std::vector<Lookups::RequestPtr> requests;
  ~World() {
    for (const auto& request : requests) request->give_up();  // before the loop goes
    system.answer();
  }
  Result<void> add(std::string host, const std::string& client) {
    requests.push_back(std::make_shared<Lookups::Request>(std::move(host), loop, [](Lookups::Answer) {}));
    return lookups.add(requests.back(), client);
  }
};

Task<void> ask(Resolver& resolver, std::string host, std::string client, milliseconds timeout, std::string& out) {
  auto found = co_await resolver.resolve(host, 80, timeout, client);
  out = found ? found->front().text() : std::string(name_of(found.error().code));
}

Task<void> ask_while_others_hang(World& world, std::vector<std::string>& hanging, std::string& out) {
  Scope scope;
  for (std::size_t i = 0; i < hanging.size(); ++i)
    scope.spawn(ask(world.resolver, "slow" + std::to_string(i), "greedy", milliseconds(0), hanging[i]));
  co_await ask(world.resolver, "quick", "other", milliseconds(0), out);
  world.system.answer();
  co_await scope.join();
}

Task<void> two_of_one_name(World& world, std::string& first, std::string& second) {
  Scope scope;
  scope.spawn(ask(world.resolver, "quick", "a", milliseconds(0), first));
  scope.spawn(ask(world.resolver, "quick", "b", milliseconds(0), second));
  co_await scope.join();
}

// A name that stands behind one client's slow ones is another client's too.
Task<void> same_name_as_a_greedy_one(World& world, std::string& out, std::vector<std::string>& hanging) {
  Scope scope;
  for (std::size_t i = 0; i < hanging.size(); ++i)
    scope.spawn(ask(world.resolver, i + 1 < hanging.size() ? "slow" + std::to_string(i) : "quick", "greedy", milliseconds(0),
                    hanging[i]));
  co_await ask(world.resolver, "quick", "other", milliseconds(0), out);
  world.system.answer();
  co_await scope.join();
}

Task<void> cancel_two(World& world, std::string& first, std::string& second) {
  Scope scope;
  scope.spawn(ask(world.resolver, "slow1", "a", milliseconds(0), first));
  scope.spawn(ask(world.resolver, "slow2", "a", milliseconds(0), second));
  co_await Yield{};
  world.resolver.cancel();
  co_await scope.join();
}

Task<void> ask_each(Resolver& resolver, std::vector<std::string> names, std::string& out) {
  for (std::string& name : names) co_await ask(resolver, std::move(name), "a", milliseconds(0), out);
}

Task<void> ask_until_times(World& world, Resolver& resolver, std::size_t times, std::string& out) {
  while (world.system.times("quick") < times) {
    co_await ask(resolver, "quick", "a", milliseconds(0), out);
    co_await sleep_for(milliseconds(1));
  }
}

Task<void> wait_twice(World& world, std::string& first, std::string& second) {
  co_await ask(world.resolver, "slow", "a", milliseconds(20), first);
  world.system.answer();
  co_await ask(world.resolver, "slow", "a", milliseconds(0), second);
}

}  // namespace

TEST_CASE("names that hang take one client's share, and no other's") {
  World world;
  std::vector<std::string> hanging(30);
  std::string out;
  run(world.loop, ask_while_others_hang(world, hanging, out));
  CHECK(out == "192.0.2.1:80");
  for (const std::string& each : hanging) CHECK(each == "192.0.2.1:80");
}

TEST_CASE("a name that another client's queue holds up is asked in one's own turn") {
  World world;
  std::vector<std::string> hanging(10);
  std::string out;
  run(world.loop, same_name_as_a_greedy_one(world, out, hanging));
  CHECK(out == "192.0.2.1:80");
  CHECK(world.system.times("quick") == 1);
}

TEST_CASE("one look-up serves all who want the name") {
  World world;
  std::string first, second;
  run(world.loop, two_of_one_name(world, first, second));
  CHECK(first == "192.0.2.1:80");
  CHECK(second == first);
  CHECK(world.system.times("quick") == 1);
}

TEST_CASE("a look-up has a time limit, and its answer still serves the next") {
  World world;
  std::string first, second;
  run(world.loop, wait_twice(world, first, second));
  CHECK(first == "dns-timeout");
  CHECK(second == "192.0.2.1:80");
  CHECK(world.system.times("slow") == 1);
}

TEST_CASE("a queue that is full is an error at once") {
  World world;
  std::string refused, out;
  for (int i = 0; i < 42; ++i) CHECK(world.add("slow" + std::to_string(i), "greedy").has_value());  // 2 at work, 40 wait
  run(world.loop, ask(world.resolver, "slow-too", "greedy", milliseconds(0), refused));
  CHECK(refused == "limit");
  run(world.loop, ask(world.resolver, "quick", "other", milliseconds(0), out));
  CHECK(out == "192.0.2.1:80");
}

TEST_CASE("cancel ends the waits at once, and a resolver may go while its names hang") {
  World world;
  std::string first, second;
  run(world.loop, cancel_two(world, first, second));
  CHECK(first == "cancelled");
  CHECK(second == "cancelled");
}

TEST_CASE("what was given up before its turn is never asked") {
  World world;
  for (int i = 0; i < 2; ++i) CHECK(world.add("slow", "a").has_value());  // its share
  CHECK(world.add("waiting", "a").has_value());
  world.system.await_begun(2);
  CHECK(world.requests.back()->give_up_waiting());
  world.system.answer();
  std::string out;
  run(world.loop, ask(world.resolver, "quick", "a", milliseconds(0), out));
  CHECK(out == "192.0.2.1:80");
  CHECK(world.system.times("waiting") == 0);
}

TEST_CASE("addresses are kept for their time, and then asked for again") {
  World world;
  std::string out;
  Resolver brief({}, &world.lookups, {milliseconds(1), 1'024});
  run(world.loop, ask_each(world.resolver, {"quick", "quick"}, out));
  CHECK(world.system.times("quick") == 1);
  run(world.loop, ask_until_times(world, brief, 3, out));
  CHECK(out == "192.0.2.1:80");
}

TEST_CASE("addresses of so many names are kept, and with one more all are forgotten") {
  World world;
  std::string out;
  Resolver resolver({}, &world.lookups, {milliseconds(600'000), 3});
  run(world.loop, ask_each(resolver, {"a", "b", "c", "a", "b", "c"}, out));
  CHECK((world.system.times("a") == 1 && world.system.times("b") == 1 && world.system.times("c") == 1));
  run(world.loop, ask_each(resolver, {"d", "a", "d"}, out));
  CHECK(world.system.times("d") == 1);
  CHECK(world.system.times("a") == 2);
}

TEST_CASE("so many look-ups are at work, and the next begins when one has ended") {
  World world;
  for (int client = 0; client < 4; ++client)
    for (int i = 0; i < 2; ++i) {
      std::string name = "slow" + std::to_string(client * 2 + i);
      REQUIRE(world.add(name, std::to_string(client)).has_value());
    }
  world.system.await_begun(8);
  REQUIRE(world.add("quick", "another").has_value());
  CHECK(world.system.times("quick") == 0);
  world.system.answer();
  world.system.await_begun(9);
  CHECK(world.system.times("quick") == 1);
}
