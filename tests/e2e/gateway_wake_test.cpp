// `gateway names` and machines that sleep: woken once, however many wait; who waits is bounded, and told when it was in vain.
#include <fmt/format.h>

#include "gateway.hpp"
#include "h1_origin.hpp"
#include "h2_client.hpp"
#include "rows.hpp"
#include "support.hpp"

using namespace e2e;

namespace {

// A dev server in a machine called abc, whose gateway has a port of its own, and is not there until it is started.
struct Sleeper {
  Sleeper() : server({"--sniff-port-header"}) {
    Gateway awake({"machine"}, {"--listen", kAddress + ":0"});
    port = awake.port();
    write_file(dir / "machines.toml", fmt::format("abc = \"http://{}:{}\"\n", kAddress, port));
  }
  // Writes down that it was called, and ends as is said.
  Strings command(std::string_view then = "exit 0") const {
    return {"--wake-command", fmt::format("echo \"$CMUX_MACHINE\" >> {}; {}", dir / "woken", then)};
  }
  Strings woken() const {
    Strings out;
    std::string line;
    for (const char c : access((dir / "woken").c_str(), R_OK) == 0 ? read_file(dir / "woken") : std::string()) {
      if (c != '\n') line += c;
      else out.push_back(std::exchange(line, {}));
    }
    return out;
  }
  std::unique_ptr<Gateway> wake() const {
    return std::make_unique<Gateway>(Strings{"machine"}, Strings{"--listen", fmt::format("{}:{}", kAddress, port)});
  }
  std::string host(std::string_view id = "abc") const { return fmt::format("cmux-{}-{}.gw.test", id, server.http_port()); }
  std::string request(std::string_view fields = "", std::string_view path = "/echo") const {
    return fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\n{}\r\n", path, host(), fields);
  }

  const std::string kAddress = "127.18.77.1";  // nobody else's
  TempDir dir;
  Workspace server;
  std::uint16_t port = 0;
};

struct Names : Gateway {
  Names(const Sleeper& sleeper, Strings flags)
      : Gateway({"names"}, [&] {
          flags.insert(flags.end(),
                       {"--domain", "gw.test", "--machines", sleeper.dir / "machines.toml", "--refused-timeout", "0"});
          return flags;
        }()) {}
  std::int64_t open() const { return number_in(cli({"status", "--json"}).json().as_object().at("requests").as_object(), "open"); }
};

Strings operator+(Strings left, const Strings& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

}  // namespace

TEST_CASE("gateway wake: a thundering herd wakes a machine once, waits for it, and is answered") {
  const Sleeper sleeper;
  Names names(sleeper, sleeper.command());
  constexpr int kPlain = 30, kStreams = 40;
  std::vector<Client> clients;
  for (int i = 0; i < kPlain; ++i) {
    clients.push_back(names.connect());
    // One with a body, which waits with its client: nothing of it was said.
    if (i == 0)
      clients.back().send(fmt::format("POST /echo HTTP/1.1\r\nHost: {}\r\nContent-Length: 6\r\n\r\na body", sleeper.host()));
    else clients.back().send(sleeper.request());
  }
  const H2Client h2(names.connect());
  std::vector<H2Stream> streams;
  for (int i = 0; i < kStreams; ++i)
    streams.push_back(h2.open({{":method", "GET"}, {":scheme", "http"}, {":authority", sleeper.host()}, {":path", "/echo"}}));
  CHECK(eventually([&] { return names.open() == kPlain + kStreams; }));
  CHECK(eventually([&] { return sleeper.woken() == Strings{"abc"}; }));
  const auto machine = sleeper.wake();
  for (Client& client : clients) CHECK(client.read_response().status == 200);
  for (const H2Stream& stream : streams) CHECK(stream.read_response().status == 200);
  CHECK(sleeper.woken() == Strings{"abc"});
  CHECK(names.logs("machine abc is awake"));
  // It is woken again when it has fallen asleep again.
  CHECK(machine->process().stop() == 0);
  Client client = names.connect();
  client.send(sleeper.request());
  CHECK(eventually([&] { return sleeper.woken() == Strings{"abc", "abc"}; }));
  const auto again = sleeper.wake();
  CHECK(client.read_response().status == 200);
}

TEST_CASE("gateway wake: upgrades and CONNECT wait, too") {
  const Sleeper sleeper;
  Names names(sleeper, sleeper.command());
  Client upgrade = names.connect(), tunnel = names.connect();
  upgrade.send(sleeper.request("Connection: upgrade\r\nUpgrade: strange\r\n", "/upgrade/strange"));
  tunnel.send(fmt::format("CONNECT {0}:80 HTTP/1.1\r\nHost: {0}:80\r\n\r\n", sleeper.host()));
  CHECK(eventually([&] { return names.open() == 2; }));
  const auto machine = sleeper.wake();
  CHECK(upgrade.read_response().status == 101);
  CHECK(tunnel.read_response("CONNECT").status == 200);
}

TEST_CASE("gateway wake: a command that fails is told of, with the page that waits, and is not run again at once") {
  const Sleeper sleeper;
  Names names(sleeper, sleeper.command("exit 3"));
  Client client = names.connect();
  const Response text = client.ask(sleeper.request());
  check_own_answer(text, 503);
  CHECK(text.has("Retry-After"));
  CHECK(text.body.find("machine abc sleeps: the command that wakes it has failed (3)") != std::string::npos);
  const Response page = client.ask(sleeper.request("Sec-Fetch-Mode: navigate\r\n"));
  CHECK(page.status == 503);
  CHECK(page.header("Content-Type").starts_with("text/html"));
  CHECK(page.has("Retry-After"));
  CHECK(page.body.find("left in peace") != std::string::npos);
  CHECK(sleeper.woken() == Strings{"abc"});
  CHECK(eventually([&] {
    client.ask(sleeper.request());
    return sleeper.woken().size() == 2;
  }));
}

TEST_CASE("gateway wake: a machine that does not wake is waited for as long as was said, and its command ended") {
  const Sleeper sleeper;
  Names names(sleeper,
              sleeper.command("echo $$ > " + sleeper.dir / "pid" + "; sleep 1000 & wait") + Strings{"--wake-timeout", "1s"});
  const Response answer = names.connect().ask(sleeper.request());
  check_own_answer(answer, 503);
  CHECK(answer.body.find("it did not wake in 1 s") != std::string::npos);
  const std::string group = read_file(sleeper.dir / "pid");
  CHECK(eventually([&] { return kill(-std::stoi(group), 0) != 0; }));
  // One that ends, and nobody is there afterwards.
  const Sleeper other;
  Names patient(other, other.command() + Strings{"--wake-timeout", "1s"});
  CHECK(patient.connect().ask(other.request()).body.find("it did not wake in 1 s") != std::string::npos);
}

TEST_CASE("gateway wake: who leaves does not wait, and a stop ends what waits") {
  const Sleeper sleeper;
  Names names(sleeper,
              sleeper.command("echo $$ > " + sleeper.dir / "pid" + "; sleep 1000 & wait") + Strings{"--log-level", "debug"});
  Client client = names.connect();
  client.send(sleeper.request());
  const auto group = [&] { return sleeper.woken().empty() ? std::string() : read_file(sleeper.dir / "pid"); };
  CHECK(eventually([&] { return !group().empty(); }));
  client.abort();
  CHECK(eventually([&] { return names.open() == 0; }));
  Client waiting = names.connect();
  waiting.send(sleeper.request());
  CHECK(eventually([&] { return names.open() == 1; }));
  CHECK(sleeper.woken().size() == 1);
  CHECK(names.cli({"stop", "--now"}).exit == 0);
  CHECK(names.process().wait() == 0);
  CHECK(waiting.read_all_until_close() == "");
  CHECK(eventually([&] { return kill(-std::stoi(group()), 0) != 0; }));  // nor is its command left behind
  CHECK(names.process().stderr_text().find("leaving while") == std::string::npos);
}

TEST_CASE("gateway wake: a port where nobody listens, by its own name, says nothing of its machine") {
  const Sleeper sleeper;
  Names names(sleeper,
              sleeper.command() + Strings{"--port-template", "http://{id}-{port}.test", "--resolve", "*.test=127.0.0.1:1"});
  check_own_answer(names.connect().ask("GET / HTTP/1.1\r\nHost: port-1-abc.gw.test\r\n\r\n"), 502);
  CHECK(sleeper.woken().empty());
}

TEST_CASE("gateway wake: a URL is asked by POST, with the token, once") {
  const Sleeper sleeper;
  RecordingOrigin provider;
  const std::string secret(20, 't');
  write_file(sleeper.dir / "token", secret);
  Names names(sleeper, {"--wake-url", fmt::format("http://127.0.0.1:{}/machines/{{id}}/wake?now", provider.port()),
                        "--wake-token", sleeper.dir / "token"});
  provider.answer("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
  Client first = names.connect(), second = names.connect();
  first.send(sleeper.request());
  second.send(sleeper.request());
  Strings asked;
  CHECK(eventually([&] {
    for (std::string& one : provider.take()) asked.push_back(std::move(one));
    return !asked.empty();
  }));
  CHECK(asked.front().starts_with("POST /machines/abc/wake?now HTTP/1.1\r\n"));
  CHECK(asked.front().find("Authorization: Bearer " + secret) != std::string::npos);
  {
    const auto machine = sleeper.wake();
    CHECK(first.read_response().status == 200);
    CHECK(second.read_response().status == 200);
  }
  CHECK(provider.take().empty());
  CHECK(names.process().stderr_text().find(secret) == std::string::npos);
  // One that never comes to its answer, and one that says no.
  std::string interim;
  for (int i = 0; i < 20; ++i) interim += "HTTP/1.1 103 Early Hints\r\n\r\n";
  provider.answer(interim);
  CHECK(names.connect().ask(sleeper.request()).body.find("the URL that wakes it has answered 103") != std::string::npos);
  provider.answer("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
  CHECK(eventually([&] {
    return names.connect().ask(sleeper.request()).body.find("the URL that wakes it has answered 403") != std::string::npos;
  }));
}

TEST_CASE("gateway wake: only what is not there is woken: not what speaks, and not what is not known") {
  const Sleeper sleeper;
  write_file(sleeper.dir / "machines.toml", fmt::format("abc = \"https://127.0.0.1:{}\"\n", sleeper.server.https_port()));
  Names names(sleeper, sleeper.command());
  CHECK(names.connect().ask(sleeper.request()).status == 502);  // a certificate that nobody trusts
  CHECK(names.connect().ask(fmt::format("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", sleeper.host("other"))).status == 503);
  // A machine that is awake, and nobody listens on its port.
  Gateway machine({"machine"});
  write_file(sleeper.dir / "machines.toml", fmt::format("abc = \"http://127.0.0.1:{}\"\n", machine.port()));
  Names reaching(sleeper, sleeper.command());
  check_own_answer(reaching.connect().ask("GET / HTTP/1.1\r\nHost: cmux-abc-1.gw.test\r\n\r\n"), 502);
  CHECK(sleeper.woken().empty());
}

TEST_CASE("gateway wake: so many requests wait for a machine, and so many machines are woken, and no more") {
  const Sleeper sleeper;
  Names names(sleeper, sleeper.command("sleep 1000") + Strings{"--threads", "1"});  // so many of a thread's
  const std::size_t most = 1'000;
  const H2Client one(names.connect()), two(names.connect());
  std::vector<H2Stream> streams;
  const auto open = [&](const H2Client& client, std::string_view id) {
    return client.open({{":method", "GET"}, {":scheme", "http"}, {":authority", sleeper.host(id)}, {":path", "/echo"}});
  };
  while (streams.size() < most) streams.push_back(open(streams.size() % 2 ? one : two, "abc"));
  CHECK(eventually([&] { return names.open() == static_cast<std::int64_t>(most); }));
  const Response refused = names.connect().ask(sleeper.request());
  check_own_answer(refused, 503);
  CHECK(refused.body.find("1000 requests wait for machine abc already") != std::string::npos);
  // Machines.
  Names fleet(sleeper, sleeper.command("sleep 1000") + Strings{"--machine-template", "http://{id}.test", "--resolve",
                                                               fmt::format("*.test=127.18.77.1:{}", sleeper.port)});
  const H2Client third(fleet.connect());
  for (int i = 0; i < 100; ++i) streams.push_back(open(third, fmt::format("m{}", i)));
  CHECK(eventually([&] { return sleeper.woken().size() == 101; }));
  const Response more = open(third, "more").read_response();
  CHECK(more.status == 503);
  CHECK(more.body.find("too many machines are being woken already") != std::string::npos);
  for (Names* const all : {&names, &fleet}) all->cli({"stop", "--now"});
}

TEST_CASE("gateway wake: bad flags name themselves") {
  const Sleeper sleeper;
  write_file(sleeper.dir / "token", std::string(20, 't'));
  const Strings good{"--domain", "gw.test", "--machines", sleeper.dir / "machines.toml"};
  const std::string url = "https://provider.test/{id}";
  for (const Strings& bad :
       {Strings{"--wake-url", "https://provider.test/wake"}, Strings{"--wake-url", "{id}"}, Strings{"--wake-url", "ftp://{id}/"},
        Strings{"--wake-url", "https://a:b@provider.test/{id}"}, Strings{"--wake-url", "https://provider.test/{id}#x"},
        Strings{"--wake-url", ""}, Strings{"--wake-command", ""}, Strings{"--wake-timeout", "0", "--wake-url", url},
        Strings{"--wake-timeout", "5s"}, Strings{"--wake-token", sleeper.dir / "token"},
        Strings{"--wake-token", sleeper.dir / "missing", "--wake-url", url}}) {
    const Run done = run(Strings{binary(), "gateway", "names"} + good + bad);
    INFO(bad.front() << " " << bad.back() << "\n" << done.err);
    CHECK(done.exit == 2);
    CHECK(done.err.find(bad.front()) != std::string::npos);
  }
}
