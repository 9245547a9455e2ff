// Fleets: machines register themselves in a Redis, gateways follow it; tokens that are revoked let nobody in, whatever happens to
// the store, and what is known goes on.
#include <fmt/format.h>

#include <sstream>

#include "gateway.hpp"
#include "redis.hpp"
#include "rows.hpp"

using namespace e2e;

namespace {

Strings operator+(Strings left, const Strings& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

Strings words(std::string_view text) {
  Strings out;
  std::istringstream stream{std::string(text)};
  for (std::string word; stream >> word;) out.push_back(word);
  return out;
}

// A dev server in machines that register themselves, and public gateways.
struct Fleet {
  explicit Fleet(Strings redis_flags = {}) : server({"--sniff-port-header"}), redis(std::move(redis_flags)) {
    command({"key", "make", keys()});
  }
  std::string keys() const { return dir / "keys.json"; }
  Run command(Strings args, int code = 0) const {
    args.insert(args.begin(), {binary(), "gateway"});
    Run done = run(args, {"HOME=" + dir.path});
    INFO(done.out << done.err);
    CHECK(done.exit == code);
    return done;
  }
  struct Token {
    std::string text, id;
    std::string field() const { return fmt::format("Authorization: Bearer {}\r\n", text); }
  };
  Token token(const std::string& machine = "abc", const std::string& ttl = "1h") const {
    const auto made = command({"token", "--keys", keys(), "--id", machine, "--ttl", ttl, "--json"}).json().as_object();
    return {text_in(made, "token"), text_in(made, "tokenId")};
  }
  std::unique_ptr<Gateway> machine(const std::string& id = "abc", const Strings& flags = {}) const {
    return std::make_unique<Gateway>(Strings{"machine"}, Strings{"--register", id} + store(flags));
  }
  std::unique_ptr<Gateway> names(const Strings& flags = {}) const {
    return std::make_unique<Gateway>(Strings{"names"}, Strings{"--domain", "gw.test"} + store(flags));
  }
  Strings store(const Strings& flags) const {
    const bool given = std::find(flags.begin(), flags.end(), "--store") != flags.end();
    return (given ? Strings{} : Strings{"--store", redis.url()}) + flags;
  }
  std::string request(std::string_view fields = "", std::string_view id = "abc", std::string_view path = "/echo") const {
    return fmt::format("GET {} HTTP/1.1\r\nHost: cmux-{}-{}.gw.test\r\n{}\r\n", path, id, server.http_port(), fields);
  }
  int status(const Gateway& names, std::string_view fields = "", std::string_view id = "abc") const {
    return names.connect().ask(request(fields, id)).status;
  }
  bool becomes(int wanted, const Gateway& names, std::string_view fields = "", std::string_view id = "abc") const {
    // A request that is under way when its token is revoked ends without an answer.
    const std::string asked = request(std::string(fields) + "Connection: close\r\n", id);
    const std::string begin = fmt::format("HTTP/1.1 {} ", wanted);
    return eventually([&] {
      Client client = names.connect();
      client.send(asked);
      return client.read_all_until_close().starts_with(begin);
    });
  }
  static boost::json::object told(const Gateway& gateway) {
    return gateway.cli({"status", "--json"}).json().as_object().at("store").as_object();
  }
  static bool is_up(const Gateway& gateway) { return told(gateway).at("up").as_bool(); }
  static int health(const Gateway& names) { return names.connect().ask("GET /health HTTP/1.1\r\nHost: gw.test\r\n\r\n").status; }

  TempDir dir;
  Workspace server;
  Redis redis;
};

}  // namespace

TEST_CASE("gateway fleet: a machine that registers itself is known to every gateway, and gone at once when it stops") {
  Fleet fleet;
  auto one = fleet.names(), two = fleet.names();
  CHECK(fleet.becomes(503, *one));
  auto machine = fleet.machine();
  for (const auto* const names : {one.get(), two.get()}) {
    CHECK(fleet.becomes(200, *names));
    CHECK(Fleet::health(*names) == 200);
  }
  const auto listed = fleet.command({"fleet", "--store", fleet.redis.url(), "--json"}).json().as_object();
  const auto& entry = listed.at("machines").as_array().at(0).as_object();
  CHECK(text_in(entry, "id") == "abc");
  CHECK(text_in(entry, "url") == fmt::format("h2c://127.0.0.1:{}", machine->port()));
  CHECK(entry.at("problem").is_null());
  CHECK(fleet.command({"fleet", "--store", fleet.redis.url()}).out.find("abc") != std::string::npos);
  CHECK(number_in(Fleet::told(*one), "machines") == 1);
  machine.reset();
  CHECK(fleet.redis.ask({"EXISTS", "cmux:machine:abc"}) == "0");
  for (const auto* const names : {one.get(), two.get()}) CHECK(fleet.becomes(503, *names));
}

TEST_CASE("gateway fleet: a machine that falls silent is gone with its lease, and one that is there goes on with it") {
  Fleet fleet;
  auto names = fleet.names();
  auto silent = fleet.machine("silent", {"--lease", "3s"}), lively = fleet.machine("lively", {"--lease", "3s"});
  CHECK(fleet.becomes(200, *names, "", "silent"));
  silent->process().stop(SIGKILL);
  CHECK(fleet.becomes(503, *names, "", "silent"));
  CHECK(fleet.status(*names, "", "lively") == 200);
}

TEST_CASE("gateway fleet: an id belongs to who holds its lease; where machines are, --advertise says") {
  Fleet fleet;
  auto names = fleet.names();
  const std::string url = fmt::format("http://127.0.0.1:{}", fleet.server.http_port());
  auto first = fleet.machine("abc", {"--advertise", url});
  CHECK(first->logs("registered as machine abc at " + url));
  auto second = fleet.machine("abc");
  CHECK(second->logs("is registered by another, at " + url));
  CHECK(text_in(Fleet::told(*second), "problem").find(url) != std::string::npos);
  CHECK(fleet.redis.ask({"GET", "cmux:machine:abc"}) == url);
  second.reset();  // whose stop takes nothing away
  CHECK(fleet.redis.ask({"GET", "cmux:machine:abc"}) == url);
}

TEST_CASE("gateway fleet: a revoked token lets nobody in at any gateway, and ends what is under way by it") {
  Fleet fleet;
  auto machine = fleet.machine();
  auto one = fleet.names({"--keys", fleet.keys()}), two = fleet.names({"--keys", fleet.keys()});
  const auto bad = fleet.token(), good = fleet.token();
  for (const auto* const names : {one.get(), two.get()}) {
    CHECK(fleet.becomes(200, *names, bad.field()));
    CHECK(fleet.status(*names, good.field()) == 200);
  }
  Client open = one->connect(), tunnel = two->connect(), other = two->connect();
  CHECK(open.ask(fleet.request(bad.field())).status == 200);
  const auto connect = [&](const Fleet::Token& by) {
    return fmt::format("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\nProxy-Authorization: Bearer {1}\r\n\r\n",
                       fmt::format("cmux-abc-{}.gw.test:80", fleet.server.http_port()), by.text);
  };
  CHECK(tunnel.ask(connect(bad), "CONNECT").status == 200);
  CHECK(other.ask(connect(good), "CONNECT").status == 200);
  write_file(fleet.dir / "leaked", bad.text);
  fleet.command({"revoke", "--token", fleet.dir / "leaked", "--store", fleet.redis.url()});
  for (const auto* const names : {one.get(), two.get()}) {
    CHECK(fleet.becomes(401, *names, bad.field()));
    CHECK(fleet.status(*names, good.field()) == 200);
  }
  CHECK(open.ask(fleet.request(bad.field())).status == 401);
  CHECK(tunnel.closed_by_peer());
  CHECK(other.ask(fleet.request()).status == 200);
  CHECK(fleet.command({"fleet", "--store", fleet.redis.url()}).out.find(bad.id) != std::string::npos);
}

TEST_CASE("gateway fleet: a store that is killed leaves what is known, and what it has lost comes back") {
  Fleet fleet;
  auto machine = fleet.machine();
  auto names = fleet.names({"--keys", fleet.keys()});
  const auto bad = fleet.token(), good = fleet.token();
  CHECK(fleet.becomes(200, *names, good.field()));
  fleet.command({"revoke", bad.id, "--ttl", "2h", "--store", fleet.redis.url()});
  CHECK(fleet.becomes(401, *names, bad.field()));
  fleet.redis.kill();
  CHECK(eventually([&] { return !Fleet::is_up(*names); }));
  CHECK(fleet.status(*names, good.field()) == 200);
  CHECK(fleet.status(*names, bad.field()) == 401);
  CHECK(Fleet::health(*names) == 200);
  fleet.command({"revoke", good.id, "--store", fleet.redis.url()}, 1);
  // A gateway that begins now knows of nobody whether they were revoked.
  auto blind = fleet.names({"--keys", fleet.keys()});
  CHECK(fleet.status(*blind, good.field()) == 503);
  CHECK(fleet.status(*blind, bad.field()) == 503);
  CHECK(Fleet::health(*blind) == 503);
  fleet.redis.start();  // empty
  CHECK(fleet.becomes(200, *blind, good.field()));
  CHECK(eventually([&] { return Fleet::is_up(*names) && !fleet.redis.ask({"ZSCORE", "cmux:revoked", bad.id}).empty(); }));
  CHECK(fleet.becomes(401, *blind, bad.field()));
  CHECK(fleet.status(*names, good.field()) == 200);
  CHECK(fleet.status(*names, bad.field()) == 401);
  // So it is where somebody empties it under connections that go on.
  fleet.redis.ask({"FLUSHALL"});
  CHECK(eventually([&] { return fleet.redis.ask({"EXISTS", "cmux:machine:abc", "cmux:revoked"}) == "2"; }));
  CHECK(fleet.status(*names, good.field()) == 200);
  CHECK(fleet.status(*names, bad.field()) == 401);
}

TEST_CASE("gateway fleet: a store that does not answer is given up, and what is known goes on") {
  Fleet fleet;
  auto machine = fleet.machine();
  auto names = fleet.names();
  CHECK(fleet.becomes(200, *names));
  fleet.redis.process().signal(SIGSTOP);
  CHECK(names->logs("it does not answer"));
  CHECK(fleet.status(*names) == 200);
  fleet.redis.process().signal(SIGCONT);
  CHECK(eventually([&] { return Fleet::is_up(*names); }));
  CHECK(fleet.status(*names) == 200);
}

TEST_CASE("gateway fleet: nonsense in the store is told of, and stands in nobody's way") {
  Fleet fleet;
  const auto& redis = fleet.redis;
  redis.ask({"SET", "cmux:machine:nonsense", "what?"});
  redis.ask({"SET", "cmux:machine:path", "http://127.0.0.1:1/path"});
  redis.ask({"RPUSH", "cmux:machine:list", "http://127.0.0.1:1"});
  redis.ask({"SET", "cmux:machine:UPPER", "http://127.0.0.1:1"});
  redis.ask({"SET", "cmux:machine:", "http://127.0.0.1:1"});
  redis.ask({"SET", "cmux:machine:long", "http://" + std::string(2'000, 'a')});
  redis.ask({"SETRANGE", "cmux:machine:huge", "100000000", "x"});
  redis.ask({"SET", "unrelated", "x"});
  redis.ask({"ZADD", "cmux:revoked", "-5", "negative", "inf", std::string(300, 'a'), "inf", "two words"});
  redis.ask({"XADD", "cmux:changes", "*", "machine", "no such", "what", "ever", "revoked", "nobody"});
  auto machine = fleet.machine();
  auto names = fleet.names();
  CHECK(fleet.becomes(200, *names));
  redis.ask({"XADD", "cmux:changes", "*", "machine", "list", "machine", "", "revoked", "-"});
  CHECK(names->logs("machines in the fleet's store are not taken, such as"));
  CHECK(number_in(Fleet::told(*names), "refused") == 5);
  CHECK(number_in(Fleet::told(*names), "machines") == 1);
  const auto listed = fleet.command({"fleet", "--store", redis.url(), "--json"}).json().as_object();
  CHECK(listed.at("machines").as_array().size() == 6);
  // Of what makes no sense at all the old stays.
  redis.ask({"SET", "cmux:changes", "what?"});
  CHECK(names->logs("a key of the fleet's holds something else"));
  CHECK(fleet.status(*names) == 200);
}

TEST_CASE("gateway fleet: an absurd store is bounded and told of") {
  Fleet fleet;
  const auto fill = [&](std::string_view script) { CHECK(fleet.redis.ask({"EVAL", std::string(script), "0"}) == ""); };
  // All is read in a fifth of the gateway's time: what takes 10 s on a busy machine comes once a minute.
  constexpr milliseconds kLong = 10 * kPatience;
  auto machine = fleet.machine();
  auto names = fleet.names({"--keys", fleet.keys()});
  const auto token = fleet.token();
  CHECK(fleet.becomes(200, *names, token.field()));
  const std::size_t before = names->process().anonymous_kb();
  // Changes by the thousand are no more than a thousand at a time.
  fill(
      "for i = 1, 20000 do redis.call('XADD', 'cmux:changes', '*', 'machine', 'm' .. i % 5000, 'junk', string.rep('x', 100)) "
      "end");
  // Machines beyond the bound.
  fill("for i = 1, 101000 do redis.call('SET', 'cmux:machine:m' .. i, 'http://127.0.0.1:1') end");
  CHECK(eventually([&] { return number_in(Fleet::told(*names), "refused") >= 1'000; }, kLong));
  CHECK(number_in(Fleet::told(*names), "machines") == 100'000);
  CHECK(fleet.status(*names, token.field()) == 200);
  if (!slow()) CHECK(names->process().anonymous_kb() - before < 250'000);  // a sanitizer keeps what was freed
  // More tokens than can be: what is known goes on.
  fill("for i = 1, 100001 do redis.call('ZADD', 'cmux:revoked', 'inf', 't' .. i) end");
  CHECK(names->logs("tokens are revoked, and 100000 can be", kLong));
  CHECK(fleet.status(*names, token.field()) == 200);
  fleet.command({"revoke", token.id, "--store", fleet.redis.url()}, 1);
  fleet.redis.ask({"DEL", "cmux:revoked"});
  CHECK(eventually([&] { return Fleet::is_up(*names); }, kLong));
  // A database of somebody else's.
  fill("for i = 1, 950000 do redis.call('SET', i, '') end");
  CHECK(names->logs("a fleet needs one of its own", kLong));
  CHECK(fleet.status(*names, token.field()) == 200);
}

TEST_CASE("gateway fleet: a machine whose store is gone stops all the same") {
  Fleet fleet;
  auto machine = fleet.machine();
  CHECK(machine->logs("registered as machine abc"));
  fleet.redis.process().signal(SIGSTOP);
  CHECK(machine->process().stop(SIGTERM, 20s) == 0);
  fleet.redis.process().signal(SIGCONT);
}

TEST_CASE("gateway fleet: what is no store, or lets nobody in, is said in words") {
  Fleet fleet({"--requirepass", "a store's password"});
  const auto refused = [&](const Strings& flags, std::string_view why) {
    const Run done = fleet.command(Strings{"fleet"} + flags, 1);
    CHECK_THAT(done.err, Catch::Contains(std::string(why)));
    CHECK(done.err.find("a store's password") == std::string::npos);
    CHECK(done.err.find("wrong1") == std::string::npos);
  };
  write_file(fleet.dir / "password", "a store's password\n");
  write_file(fleet.dir / "wrong", "wrong1");
  RawServer other;
  refused({"--store", fleet.redis.url()}, "it asks for a password");
  refused({"--store", fleet.redis.url(), "--store-password", fleet.dir / "wrong"}, "user or password is wrong");
  refused({"--store", fmt::format("redis://127.0.0.1:{}", other.port())}, "does not speak Redis' protocol");
  refused({"--store", "redis://127.0.0.1:1"}, "refused");
  refused({"--store", fleet.redis.tls_url(), "--store-password", fleet.dir / "password"}, "certificate");
  const Strings good{"--store-password", fleet.dir / "password"}, ca{"--store-ca", pki() + "/ca.crt"};
  fleet.command(Strings{"fleet", "--store", fleet.redis.url()} + good);
  fleet.command(Strings{"fleet", "--store", fleet.redis.tls_url()} + good + ca);
  // The way of a gateway's life: a wrong password at first, the right one from the file when it is written.
  write_file(fleet.dir / "later", "wrong1");
  const Strings later{"--store-password", fleet.dir / "later", "--store", fleet.redis.tls_url()};
  auto names = fleet.names(later + ca);
  auto machine = fleet.machine("abc", later + ca);
  CHECK(names->logs("user or password is wrong"));
  write_file(fleet.dir / "later", "a store's password\n");
  CHECK(fleet.becomes(200, *names));
  CHECK(names->process().stderr_text().find("wrong1") == std::string::npos);
}

TEST_CASE("gateway fleet: Redis' ACLs keep a machine to its own id") {
  const Strings acl = words(
      "--user default on nopass ~* &* +@all "
      "--user machine-abc on >abcs-own ~cmux:machine:abc ~cmux:changes +eval +get +set +del +xadd "
      "--user gateways on >gateways-own ~cmux:* +dbsize +scan +getrange +pttl +zcard +zscan +zscore +zadd +xadd +xread "
      "+xrevrange");
  Fleet fleet(acl);
  const std::string at = fleet.redis.url().substr(8);
  write_file(fleet.dir / "abc", "abcs-own");
  write_file(fleet.dir / "gateways", "gateways-own");
  const auto as = [&](std::string_view user, std::string_view file) {
    return Strings{"--store", fmt::format("redis://{}@{}", user, at), "--store-password", fleet.dir / file};
  };
  auto names = fleet.names(as("gateways", "gateways"));
  auto abc = fleet.machine("abc", as("machine-abc", "abc")), other = fleet.machine("other", as("machine-abc", "abc"));
  CHECK(fleet.becomes(200, *names));
  CHECK(other->logs("its user may not do that"));
  CHECK(fleet.status(*names, "", "other") == 503);
  fleet.command(Strings{"revoke", "0123"} + as("machine-abc", "abc"), 1);
}

TEST_CASE("gateway revoke: a file of revoked tokens is a table's store") {
  Fleet fleet;
  Gateway machine({"machine"});
  write_file(fleet.dir / "machines.toml", fmt::format("abc = \"http://127.0.0.1:{}\"\n", machine.port()));
  const auto bad = fleet.token(), good = fleet.token();
  const std::string file = fleet.dir / "revoked.txt";
  write_file(file, "# none yet\n");
  Gateway names({"names"},
                {"--domain", "gw.test", "--machines", fleet.dir / "machines.toml", "--keys", fleet.keys(), "--revoked", file});
  CHECK(fleet.status(names, bad.field()) == 200);
  fleet.command({"revoke", bad.id, "--file", file});
  CHECK(fleet.becomes(401, names, bad.field()));
  CHECK(fleet.status(names, good.field()) == 200);
  const Run piped = run({binary(), "gateway", "revoke", "--token", "-", "--file", file, "--json"}, {}, good.text + "\n");
  CHECK(piped.exit == 0);
  CHECK(piped.json().as_object().at("revoked").as_array().at(0).as_object().at("id").as_string() == good.id);
  CHECK(fleet.becomes(401, names, good.field()));
  write_file(file, "a b c\n");
  CHECK(names.logs("line 1: expected nothing behind the id"));
  CHECK(fleet.status(names, bad.field()) == 401);

  fleet.command({"revoke", bad.id}, 2);
  fleet.command({"revoke", "--file", file}, 2);
  fleet.command({"revoke", bad.text, "--file", file}, 2);  // a token is no id
  fleet.command({"revoke", bad.id, "--file", file, "--ttl", "0"}, 2);
  fleet.command({"revoke", "--token", fleet.keys(), "--file", file}, 1);
  fleet.command({"revoke", bad.id, "--file", fleet.dir / "no/such"}, 1);
}

TEST_CASE("gateway fleet: bad flags are told by their names") {
  TempDir dir;
  write_file(dir / "empty", "\n");
  write_file(dir / "password", "secret-of-the-file");
  const auto refused = [&](const Strings& args, std::string_view why, const Strings& environment = {}) {
    const Run done = run(Strings{binary(), "gateway"} + args, Strings{"HOME=" + dir.path} + environment);
    CAPTURE(args);
    CHECK(done.exit == 2);
    CHECK_THAT(done.err, Catch::Contains(std::string(why)));
    CHECK(done.err.find("secret") == std::string::npos);
  };
  const Strings names{"names", "--domain", "a.test"}, machine{"machine", "--register", "abc", "--store", "redis://a"};
  refused(names, "--store is needed");
  for (const char* const bad : {"http://a", "redis://", "redis://a/b", "redis://a/-1", "redis://a:0", "redis://a:b",
                                "redis://:secret@", "redis://u:@a", "redis://%zz:secret@a", "a"})
    refused(names + Strings{"--store", bad}, "--store: expected redis://");
  refused(names + Strings{"--store", "env:NO_SUCH"}, "there is no variable NO_SUCH");
  refused(names + Strings{"--store", "env:IT"}, "--store: expected redis://", {"IT=secret"});
  refused(names + Strings{"--store", "redis://:secret@a", "--store-password", dir / "password"},
          "there is one in --store already");
  refused(names + Strings{"--store", "redis://a", "--store-password", dir / "empty"}, "expected one line");
  refused(names + Strings{"--store", "redis://a", "--store-password", dir / "none"}, "--store-password");
  refused(names + Strings{"--machines", dir / "empty", "--store-password", dir / "password"}, "are for --store");
  refused(names + Strings{"--store", "redis://a", "--revoked", dir / "empty"}, "--revoked is for --keys");
  refused({"machine", "--register", "abc"}, "--register and --store go together");
  refused({"machine", "--store", "redis://a"}, "--register and --store go together");
  refused({"machine", "--lease", "30s"}, "are for --register");
  refused({"machine", "--register", "A_b", "--store", "redis://a"}, "--register: expected an id");
  refused(machine + Strings{"--advertise", "http://a/b"}, "--advertise: expected");
  refused(machine + Strings{"--lease", "2s"}, "--lease: expected a time from 3s to 1h");
}
