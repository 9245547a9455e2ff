#include "policy/context.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

using namespace cmux;
using namespace cmux::policy;

namespace {

struct World {
  Loop loop;
  std::vector<std::string> changes;
  ContextPtr last;
  bool stop_on_release = false;
  ContextStore store{[this](ContextStore::Change change, const ContextPtr& context, std::string_view reason) {
    using Change = ContextStore::Change;
    changes.push_back((change == Change::added      ? "added"
                       : change == Change::rerouted ? "rerouted"
                                                    : "released") +
                      std::string(reason.empty() ? "" : ": ") + std::string(reason));
    last = context;
    if (stop_on_release && change == Change::released) loop.stop();
  }};
  // What was released goes with the loop's next turn.
  ~World() {
    loop.stop();
    loop.run();
  }
  ContextPtr make(std::uint64_t number = 0, std::string label = {}) {
    ContextRequest request;
    request.web_contents_id = number;
    request.label = std::move(label);
    auto made = store.create(std::move(request));
    REQUIRE(made.has_value());
    return *made;
  }
};

Route route(std::string scope = "base") {
  Route made;
  made.morph_id = "abc", made.scope = std::move(scope), made.domain_suffix = "cmux.app";
  return made;
}

// `prefix` and then that many lower-case hex digits.
bool is_random(std::string_view text, std::string_view prefix, std::size_t digits) {
  return text.starts_with(prefix) && text.size() == prefix.size() + digits &&
         text.find_first_not_of("0123456789abcdef", prefix.size()) == std::string_view::npos;
}

using Changes = std::vector<std::string>;

}  // namespace

TEST_CASE("contexts are made with credentials of their own") {
  World world;
  const ContextPtr one = world.make(7, "mine"), two = world.make(7);
  CHECK(is_random(one->id, "ctx-7-", 16));
  CHECK(is_random(one->username, "wc-7-", 8));
  CHECK(is_random(one->password, "", 24));
  CHECK(one->label == "mine");
  CHECK(one->web_contents_id == 7);
  CHECK_FALSE(one->route.has_value());
  CHECK_FALSE(one->expires_at.has_value());
  CHECK(one->id != two->id);
  CHECK(one->username != two->username);
  CHECK(one->password != two->password);
  CHECK(world.changes == Changes{"added", "added"});
  CHECK(world.last == two);
}

TEST_CASE("contexts are found, and listed in the order of creation") {
  World world;
  std::vector<ContextPtr> made;
  for (std::uint64_t i = 0; i < 20; ++i) made.push_back(world.make(i % 3));
  CHECK(world.store.list() == made);
  CHECK(world.store.size() == 20);
  for (const ContextPtr& context : made) CHECK(world.store.find(context->id) == context);
  CHECK(world.store.find("ctx-0-0") == nullptr);
  CHECK(world.store.find("") == nullptr);
}

TEST_CASE("release is told once") {
  World world;
  const ContextPtr context = world.make();
  const std::string id = context->id;
  CHECK(world.store.release(id, "asked for"));
  CHECK_FALSE(world.store.release(id, "again"));
  CHECK(world.store.find(id) == nullptr);
  CHECK(world.changes == Changes{"added", "released: asked for"});
  CHECK(world.last == context);
}

TEST_CASE("release_all takes those of one web contents id, or all") {
  World world;
  const std::string one = world.make(1)->id;
  const ContextPtr other = world.make(2);
  const std::string two = world.make(1)->id;
  auto ids = world.store.release_all(1, "page closed");
  std::sort(ids.begin(), ids.end());
  CHECK(ids == (one < two ? Changes{one, two} : Changes{two, one}));
  CHECK(world.store.list() == std::vector<ContextPtr>{other});
  CHECK(world.store.release_all(9, "nobody").empty());
  CHECK(world.store.release_all(std::nullopt, "stop") == Changes{other->id});
  CHECK(world.store.size() == 0);
}

TEST_CASE("a new route is a new context with the same credentials") {
  World world;
  const ContextPtr before = world.make(3, "label");
  const auto after = world.store.reroute(before->id, route());
  REQUIRE(after.has_value());
  CHECK(*after != before);
  CHECK((*after)->id == before->id);
  CHECK((*after)->username == before->username);
  CHECK((*after)->password == before->password);
  CHECK((*after)->label == "label");
  CHECK((*after)->route->morph_id == "abc");
  CHECK_FALSE(before->route.has_value());  // who holds it still sees what it was
  CHECK(world.store.find(before->id) == *after);
  CHECK(world.changes.back() == "rerouted");
  CHECK(world.store.reroute(before->id, std::nullopt).value()->route.has_value() == false);
  CHECK(world.store.reroute("ctx-0-0", route()).value() == nullptr);
}

TEST_CASE("invalid routes are refused and change nothing") {
  World world;
  ContextRequest request;
  request.route = route("UPPER");
  const auto refused = world.store.create(request);
  REQUIRE(refused.has_error());
  CHECK(refused.error().code == Errc::config);
  CHECK(refused.error().detail.starts_with("scope: "));
  const ContextPtr context = world.make();
  CHECK(world.store.reroute(context->id, route("UPPER")).has_error());
  CHECK(world.store.find(context->id) == context);
  CHECK(world.changes == Changes{"added"});
}

TEST_CASE("a context's time ends, and not early") {
  World world;
  world.stop_on_release = true;
  ContextRequest request;
  request.ttl = milliseconds(20);
  const ContextPtr context = world.store.create(request).value();
  REQUIRE(context->expires_at.has_value());
  CHECK(*context->expires_at - context->created_at == milliseconds(20));
  world.loop.run();
  CHECK(std::chrono::system_clock::now() >= *context->expires_at);
  CHECK(world.changes == Changes{"added", "released: its time is over"});
  CHECK(world.store.size() == 0);
}

TEST_CASE("a rerouted context keeps its time") {
  World world;
  world.stop_on_release = true;
  ContextRequest request;
  request.ttl = milliseconds(20);
  const ContextPtr context = world.store.create(request).value();
  CHECK(world.store.reroute(context->id, route()).value()->expires_at == context->expires_at);
  world.loop.run();
  CHECK(world.changes.back() == "released: its time is over");
  CHECK(world.last->route.has_value());
}

TEST_CASE("a context ends with its owner") {
  World world;
  world.stop_on_release = true;
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t owner = fork();
  if (owner == 0) {
    close(ends[1]);
    char byte;
    while (read(ends[0], &byte, 1) > 0) {}
    _exit(0);
  }
  close(ends[0]);
  ContextRequest request;
  request.owner_pid = owner;
  const auto context = world.store.create(request);
  close(ends[1]);  // and so ends
  REQUIRE(context.has_value());
  CHECK((*context)->owner_pid == owner);
  world.loop.run();
  CHECK(world.changes == Changes{"added", "released: its owner has ended"});
  waitpid(owner, nullptr, 0);
  // One that is gone already, or is none.
  for (const pid_t pid : {owner, pid_t{-1}}) {
    request.owner_pid = pid;
    const auto refused = world.store.create(request);
    REQUIRE(refused.has_error());
    CHECK(refused.error().code == Errc::config);
    CHECK(refused.error().detail.starts_with("ownerPid: "));
  }
}

// Hidden: a Loop that is destroyed with something posted has no current loop any more when what was posted goes.
TEST_CASE("what was released may go with the loop", "") {
  Loop loop;
  ContextStore store([](ContextStore::Change, const ContextPtr&, std::string_view) {});
  ContextRequest request;
  request.ttl = milliseconds(60'000);
  const ContextPtr context = store.create(request).value();
  CHECK(store.release(context->id, "asked for"));
}

TEST_CASE("a context's time follows the wall clock, however it jumps") {
  Loop loop;
  auto now = std::chrono::system_clock::now();
  unsigned released = 0;
  const auto observe = [&](ContextStore::Change change, const ContextPtr&, std::string_view) {
    if (change != ContextStore::Change::released) return;
    ++released;
    loop.stop();
  };
  ContextStore store(observe, [&] { return now; });
  ContextRequest request;
  request.ttl = std::chrono::hours(10);
  const ContextPtr context = store.create(request).value();
  CHECK(context->expires_at == now + std::chrono::hours(10));
  request.ttl = std::chrono::hours(30);
  const ContextPtr longer = store.create(request).value();
  // The machine slept, or the clock was set: the next look sees it.
  now += std::chrono::hours(10);
  loop.run();
  CHECK(released == 1);
  CHECK(store.find(context->id) == nullptr);
  CHECK(store.find(longer->id) == longer);
  now += std::chrono::hours(20);
  loop.run();
  CHECK(store.size() == 0);
  loop.stop();
  loop.run();
}

TEST_CASE("contexts: there are so many, and one more when one has gone") {
  World world;
  for (std::size_t i = 1; i < ContextStore::kMost; ++i) REQUIRE(world.store.create({}).has_value());
  const ContextPtr last = world.make();
  const auto refused = world.store.create({});
  REQUIRE(refused.has_error());
  CHECK(refused.error().code == Errc::limit);
  CHECK(world.store.release(last->id, "test"));
  CHECK(world.store.create({}).has_value());
}
