// What docs/raw-tcp.md promises to people: redis-cli, ssh, git and psql, as Debian has them, reach the servers of the workspace's
// machine through forwarded ports and through SOCKS5.
#include <glob.h>
#include <pwd.h>
#include <sys/stat.h>

#include "socks.hpp"

namespace e2e {
namespace {

// Some servers refuse to run as root. The user comes with PostgreSQL's package.
const char* const kUser = "postgres";

Strings unprivileged(Strings argv) {
  if (geteuid() != 0) return argv;
  const std::string id = fmt::format("--reuid={}", kUser), group = fmt::format("--regid={}", kUser);
  const Strings start = {"setpriv", id, group, "--clear-groups"};
  argv.insert(argv.begin(), start.begin(), start.end());
  return argv;
}

std::string user_name() {
  const passwd* const user = geteuid() == 0 ? getpwnam(kUser) : getpwuid(geteuid());
  if (!user) FAIL("there is no user '" << kUser << "': scripts/deps.sh --tests installs what these tests need");
  return user->pw_name;
}

// A workspace's machine, whose servers listen on Unix sockets: their ports are free on this one, so who reaches them went the
// right way.
struct Machine {
  Machine() {
    const passwd* const user = getpwnam(user_name().c_str());
    REQUIRE(chown(home.path.c_str(), user->pw_uid, user->pw_gid) == 0);
    // Where the repository is, that user may not look.
    write_file(home / "machine.mjs", read_file(source("tests/e2e/node/machine.mjs")));
  }
  void serve(std::string_view port, const std::string& where) { services.push_back(fmt::format("{}={}", port, where)); }
  // With a context for it.
  void open(const Strings& flags) {
    Strings argv = {"node", home / "machine.mjs"};
    argv.insert(argv.end(), services.begin(), services.end());
    proxy_part.start(unprivileged(argv), {}, Process::Stdin::pipe);
    const std::int64_t port = number_in(boost::json::parse(proxy_part.read_line()).as_object(), "port");
    origin = fmt::format("http://127.0.0.1:{}", port);
    Strings all = {"--cmux-proxy-origin", origin, "--dedicated-port"};
    all.insert(all.end(), flags.begin(), flags.end());
    context = proxy.context(all);
  }
  Run as_user(const Strings& argv, std::string_view input = {}) const {
    return run(unprivileged(argv), {"HOME=" + home.path}, input);
  }
  // What runs in a namespace whose localhost is the machine's.
  Strings transparently(const Strings& command) const {
    Strings all{binary(), "run", "--instance", proxy.instance, "--transparent", "--cmux-proxy-origin", origin, "--"};
    all.insert(all.end(), command.begin(), command.end());
    return all;
  }
  Run run_transparently(const Strings& command) const { return run(transparently(command), proxy.environment()); }
  std::string forwarded() const { return shown(context.json.at("forwards").as_array().at(0).as_object(), "local"); }
  std::string dedicated() const { return shown(context.json, "dedicatedPort"); }
  std::string by_socks() const { return "127.0.0.1:" + dedicated(); }

  TempDir home;
  Strings services;
  std::string origin;  // of the proxy in the machine
  Process proxy_part;
  Proxy proxy;
  Context context;

 private:
  static std::string shown(const boost::json::object& object, std::string_view key) {
    return std::to_string(number_in(object, key));
  }
};

std::string checked(const Run& done, int exit = 0) {
  INFO(done.out << done.err);
  CHECK(done.exit == exit);
  return done.out;
}

}  // namespace

TEST_CASE("raw tcp: redis-cli by a forwarded port and run --transparent, nc and curl by SOCKS5") {
  Machine machine;
  const std::string at = machine.home / "redis.sock";
  Process redis;
  redis.start(unprivileged({"redis-server", "--port", "0", "--unixsocket", at, "--save", "", "--dir", machine.home.path}));
  REQUIRE(eventually([&] { return run({"redis-cli", "-s", at, "PING"}).out == "PONG\n"; }));
  machine.serve("6379", at);
  machine.open({"--forward", "6379:0"});

  CHECK(checked(run({"redis-cli", "-p", machine.forwarded(), "SET", "who", "workspace"})) == "OK\n");
  // By both of this machine's loopback addresses.
  CHECK(checked(run({"redis-cli", "-h", "127.0.0.1", "-p", machine.forwarded(), "GET", "who"})) == "workspace\n");
  if (read_file("/proc/net/if_inet6").find("00000000000000000000000000000001 ") != std::string::npos)
    CHECK(checked(run({"redis-cli", "-h", "::1", "-p", machine.forwarded(), "GET", "who"})) == "workspace\n");
  const std::string large(300'000, 'l');
  CHECK(checked(run({"redis-cli", "-p", machine.forwarded(), "-x", "SET", "large"}, {}, large)) == "OK\n");
  CHECK(checked(run({"redis-cli", "-p", machine.forwarded(), "STRLEN", "large"})) == "300000\n");

  CHECK(checked(machine.run_transparently({"redis-cli", "GET", "who"})) == "workspace\n");
  CHECK(checked(machine.run_transparently({"redis-cli", "-h", "::1", "STRLEN", "large"})) == "300000\n");

  const std::string asking = "GET who\r\nQUIT\r\n", answer = "$9\r\nworkspace\r\n+OK\r\n";
  CHECK(checked(run({"nc", "-X", "5", "-x", machine.by_socks(), "localhost", "6379"}, {}, asking)) == answer);
  CHECK(checked(run({"curl", "-sS", "--noproxy", "", "--socks5-hostname", machine.by_socks(), "telnet://localhost:6379"}, {},
                    asking)) == answer);
  const std::string shown =
      fmt::format("socks5h://{}:{}@127.0.0.1:{}", machine.context.username, machine.context.password, machine.proxy.port());
  CHECK(checked(run({"curl", "-sS", "--noproxy", "", "-x", shown, "telnet://localhost:6379"}, {}, asking)) == answer);
  CHECK(checked(run({"curl", "-sS", "--noproxy", "", "-x", shown, "http://localhost:3000/"})) == "port 3000\n");
  // Nothing listens there: the tunnel has been opened by then, so that it can only be closed.
  CHECK(checked(run({"nc", "-X", "5", "-x", machine.by_socks(), "localhost", "6380"}, {}, asking)).empty());
}

TEST_CASE("raw tcp: ssh, and git over it, by a forwarded port and by SOCKS5; ssh by run --transparent") {
  Machine machine;
  const auto in_home = [&](std::string_view name) { return machine.home / name; };
  for (const char* const key : {"host_key", "id"})
    checked(machine.as_user({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", in_home(key)}));
  write_file(in_home("sshd_config"), fmt::format("HostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPidFile none\n",
                                                 in_home("host_key"), in_home("id.pub")));
  machine.serve("22", fmt::format("!/usr/sbin/sshd -i -f {}", in_home("sshd_config")));
  machine.open({"--forward", "22:0"});

  const std::string user = user_name();
  const Strings by_forward = {"-p", machine.forwarded(), user + "@localhost"};
  const Strings by_socks = {"-o", fmt::format("ProxyCommand=nc -X 5 -x {} %h %p", machine.by_socks()), user + "@localhost"};
  const Strings usual = {"ssh",
                         "-F",
                         "none",
                         "-i",
                         in_home("id"),
                         "-o",
                         "StrictHostKeyChecking=accept-new",
                         "-o",
                         "UserKnownHostsFile=" + in_home("known_hosts"),
                         "-o",
                         "BatchMode=yes"};
  const auto ssh = [&](const Strings& way, const Strings& command, std::string_view input = {}) {
    Strings all = usual;
    all.insert(all.end(), way.begin(), way.end());
    all.insert(all.end(), command.begin(), command.end());
    return machine.as_user(all, input);
  };
  for (const Strings& way : {by_forward, by_socks}) {
    CHECK(checked(ssh(way, {"echo", "$SSH_CONNECTION-"})).find('-') != std::string::npos);
    CHECK(checked(ssh(way, {"exit", "7"}), 7).empty());
    const std::string large(200'000, 'l');
    CHECK(checked(ssh(way, {"cat"}, large)) == large);
  }

  // In its namespace it is another user than that whom its private key belongs to; ssh as root asks nobody.
  Strings transparent = usual;
  transparent.insert(transparent.end(), {user + "@localhost", "echo", "$SSH_CONNECTION-"});
  CHECK(checked(machine.run_transparently(unprivileged(transparent))).find('-') != std::string::npos);

  const std::string repository = in_home("project.git"), command = fmt::format("{}", fmt::join(usual, " "));
  checked(machine.as_user({"git", "init", "-q", "--bare", repository}));
  const auto git = [&](const Strings& arguments, const std::string& more) {
    Strings all = {"env", "GIT_SSH_COMMAND=" + command + more, "git", "-C", machine.home.path, "-c", "user.name=t",
                   "-c",  "user.email=t@example.com"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return checked(machine.as_user(all));
  };
  git({"clone", "-q", fmt::format("ssh://{}@localhost:{}{}", user, machine.forwarded(), repository), "one"}, "");
  git({"-C", "one", "commit", "-q", "--allow-empty", "-m", "from here"}, "");
  git({"-C", "one", "push", "-q", "origin", "HEAD:main"}, "");
  git({"clone", "-q", "-b", "main", fmt::format("ssh://{}@localhost{}", user, repository), "two"},
      fmt::format(" -o 'ProxyCommand=nc -X 5 -x {} %h %p'", machine.by_socks()));
  CHECK(git({"-C", "two", "log", "--format=%s"}, "") == "from here\n");
}

TEST_CASE("raw tcp: psql by a forwarded port and run --transparent") {
  glob_t found{};
  REQUIRE(glob("/usr/lib/postgresql/*/bin/postgres", 0, nullptr, &found) == 0);
  const std::string postgres = found.gl_pathv[0], folder = postgres.substr(0, postgres.rfind('/'));
  globfree(&found);
  Machine machine;
  const std::string data = machine.home / "data";
  checked(machine.as_user({folder + "/initdb", "-N", "-A", "trust", "-U", "tester", "-D", data}));
  Process server;
  server.start(unprivileged({postgres, "-D", data, "-k", machine.home.path, "-c", "listen_addresses=", "-F"}));
  REQUIRE(eventually([&] { return run({folder + "/pg_isready", "-h", machine.home.path}).exit == 0; }, 60s));
  machine.serve("5432", machine.home / ".s.PGSQL.5432");
  machine.open({"--forward", "5432:0"});
  // The client asks for TLS first, which the server has none of.
  const auto psql = [&](const std::string& statement) {
    return checked(run(
        {"psql", "-X", "-At", "-h", "localhost", "-p", machine.forwarded(), "-U", "tester", "-d", "postgres", "-c", statement}));
  };
  CHECK(psql("select 6 * 7") == "42\n");
  CHECK(psql("select length(repeat('l', 3000000))") == "3000000\n");
  CHECK(psql("select repeat('l', 300000)") == std::string(300'000, 'l') + "\n");
  CHECK(checked(machine.run_transparently({"psql", "-X", "-At", "-h", "localhost", "-U", "tester", "-d", "postgres", "-c",
                                           "select length(repeat('l', 3000000))"})) == "3000000\n");
  CHECK(server.stop(SIGINT, 30s) == 0);
}

TEST_CASE("raw tcp: a forwarded port that is a web server's, as far as its number tells, is nothing to warn of") {
  const Proxy proxy;
  const Strings route = {"--morph-id", "abc", "--scope", "base", "--domain-suffix", "cmux.test"};
  for (const auto& [ports, warned] : std::vector<std::pair<Strings, bool>>{
           {{"3000:0"}, false}, {{"3000:0", "8080:0"}, false}, {{"3000:0", "6379:0"}, true}, {{"22:0"}, true}}) {
    Strings create = {"ctx", "create", "--json"};
    create.insert(create.end(), route.begin(), route.end());
    for (const std::string& port : ports) create.insert(create.end(), {"--forward", port});
    const Run made = proxy.cli(create);
    INFO(made.err);
    REQUIRE(made.exit == 0);
    CHECK(made.err.empty() != warned);
    if (warned)
      CHECK(made.err.find(fmt::format("usual on port {} speaks neither", ports.back().substr(0, ports.back().find(':')))) !=
            std::string::npos);
  }
}

TEST_CASE("raw tcp: a route that carries none says so when it is made, and when it is tried") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Strings route = {"--morph-id", "abc", "--scope", "base", "--domain-suffix", "cmux.test"};
  Strings create = {"ctx", "create", "--json", "--dedicated-port", "--forward", "5432:0"};
  create.insert(create.end(), route.begin(), route.end());
  const Run made = proxy.cli(create);
  CHECK(made.err.find("warning: forwards: this route carries HTTP and TLS alone") != std::string::npos);
  const boost::json::object context = made.json().as_object();
  CHECK(context.at("warnings").as_array().size() == 1);
  CHECK(context.at("lastTunnelFailure").is_null());
  const auto number = [&](std::string_view key) { return static_cast<std::uint16_t>(number_in(context, key)); };
  const std::string id = text_in(context, "id");

  const auto listing = fmt::format(
      "GET /v1/events?type=context&context={} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: "
      "Bearer {}\r\n\r\n",
      id, proxy.admin_port(), proxy.token);
  Client events(proxy.admin_port());
  events.send(listing);
  events.read_until("\r\n\r\n");
  const bool forward = GENERATE(true, false);
  INFO(forward);
  const auto local = number_in(context.at("forwards").as_array().at(0).as_object(), "local");
  Client client = forward ? Client(static_cast<std::uint16_t>(local)) : socks_greeted(number("dedicatedPort"));
  if (!forward) CHECK(socks_code(client, socks_request("localhost", 5432)) == 0);
  client.send("\x00\x00\x00\x08\x04\xd2\x16\x2f"s);
  CHECK(client.read_all_until_close().empty());

  const std::string event = events.read_until("\n\n");
  CHECK(event.find("event: context.tunnel-failed\n") != std::string::npos);
  CHECK(event.find("localhost:5432") != std::string::npos);
  const auto failure = proxy.cli({"ctx", "show", id, "--json"}).json().as_object().at("lastTunnelFailure").as_object();
  CHECK(text_in(failure, "target") == "localhost:5432");
  CHECK(text_in(failure, "error") == "unsupported");
  CHECK(text_in(failure, "detail").find("cmuxProxyOrigin") != std::string::npos);
  CHECK(checked(proxy.cli({"ctx", "show", id})).find("cmuxProxyOrigin") != std::string::npos);
  const std::string probe = checked(proxy.cli({"probe"}));
  CHECK(probe.find(fmt::format("context {}: to localhost:5432", id)) != std::string::npos);
  CHECK(probe.find("--cmux-proxy-origin") != std::string::npos);
  // A context's own, and gone with it.
  CHECK(proxy.cli({"ctx", "release", id}).exit == 0);
  CHECK(checked(proxy.cli({"probe"})).find("tunnel") == std::string::npos);
}

TEST_CASE("raw tcp: a port that nobody listens on is a failure of the context's too") {
  Workspace workspace;
  Proxy proxy;
  Strings flags = {"--cmux-proxy-origin", fmt::format("http://127.0.0.1:{}", workspace.http_port()), "--forward", "1:0"};
  const Context context = proxy.context(flags);
  CHECK_FALSE(context.json.contains("warnings"));
  Client client(static_cast<std::uint16_t>(number_in(context.json.at("forwards").as_array().at(0).as_object(), "local")));
  client.send("\x01\x02");
  CHECK(client.closed_by_peer());
  const auto failure = [&] {
    return proxy.cli({"ctx", "show", context.id, "--json"}).json().as_object().at("lastTunnelFailure");
  };
  REQUIRE(eventually([&] { return failure().is_object(); }));
  CHECK(text_in(failure().as_object(), "detail").find("502") != std::string::npos);
  CHECK(checked(proxy.cli({"probe"})).find("listens on that port") != std::string::npos);
}

}  // namespace e2e
