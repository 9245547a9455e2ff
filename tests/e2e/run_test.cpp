// run: a command whose localhost is the workspace's.
#include "run_user.hpp"

using namespace e2e;
namespace fs = std::filesystem;

namespace {

const Strings& kRoute = kFromUrl;

std::string variable(const Run& env, std::string_view name) {
  const std::string line = fmt::format("\n{}=", name);
  const std::size_t at = ("\n" + env.out).find(line);
  if (at == std::string::npos) return "(unset)";
  const std::size_t begin = at + line.size() - 1;
  return env.out.substr(begin, env.out.find('\n', begin) - begin);
}

// Go's own transport asks no proxy for localhost; linked statically, no library of the system's is in the way.
std::string go_program(const std::string& cgo) {
  static TempDir folder;
  const std::string program = folder / ("go-get-" + cgo);
  const Run made = run({"go", "build", "-o", program, source("tests/e2e/go/get.go")},
                       {"CGO_ENABLED=" + cgo, "GOCACHE=" + fixture("../go-cache"), "GO111MODULE=off", "GOFLAGS="}, {}, 10min);
  INFO(made.err);
  REQUIRE(made.exit == 0);
  return program;
}

}  // namespace

TEST_CASE("run: with nothing else running, programs see the workspace on localhost, plainly, by --forward or --transparent") {
  struct Row {
    const char* name;
    Strings command;
    Strings flags;
  };
  const std::string java = source("tests/e2e/java/Get.java"), python = source("tests/e2e/python/get.py"),
                    node = source("tests/e2e/node/get.mjs");
  const std::string http = "http://localhost:3000/", https = "https://localhost:3000/";
  const std::string with_cgo = go_program("1"), without = go_program("0");
  const Strings forward{"--forward", "3000:0"}, transparent{"--transparent"};
  const auto without_proxy = [](Strings command) {
    Strings all{"env"};
    for (const char* const name : {"http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"})
      all.insert(all.end(), {"-u", name});
    all.insert(all.end(), command.begin(), command.end());
    return all;
  };
  User user;
  for (const Row& row : {
           Row{"curl", {"curl", "-sS", http}, {}},
           Row{"curl, TLS", {"curl", "-sS", https}, {}},
           Row{"Python's urllib", {"python3", python, "urllib", http}, {}},
           Row{"Python's urllib, TLS", {"python3", python, "urllib", https}, {}},
           Row{"Python's requests", {"python3", python, "requests", http}, {}},
           Row{"Python's requests, TLS", {"python3", python, "requests", https}, {}},
           Row{"Java's HttpClient", {"java", java, "client", http}, {}},
           Row{"Java's HttpClient, TLS", {"java", java, "client", https}, {}},
           Row{"Java's HttpURLConnection", {"java", java, "connection", http}, {}},
           // These have no proxy for localhost, or none at all (Node.js before 22.21): by a port of their own.
           Row{"Python's http.client", {"python3", python, "http.client", "3000"}, {"--forward", "3000:0"}},
           Row{"Node's fetch", {"node", node, "fetch", "3000"}, {"--forward", "3000:0"}},
           Row{"Node's http.get", {"node", node, "http", "3000"}, {"--forward", "3000:0"}},
           Row{"Python's http.client", {"python3", python, "http.client", "3000"}, transparent},
           Row{"Node's fetch", {"node", node, "fetch", http}, transparent},
           Row{"Node's http.get", {"node", node, "http", http}, transparent},
           Row{"Go", {with_cgo, http}, transparent},
           Row{"Go, TLS", {with_cgo, https}, transparent},
           Row{"Go, linked statically", {without, http}, transparent},
           Row{"Go, linked statically, to [::1]", {without, "http://[::1]:3000/"}, transparent},
           Row{"curl, obeying its variables", {"curl", "-sS", http}, transparent},
           Row{"curl, knowing no proxy", without_proxy({"curl", "-sS", http}), transparent},
           Row{"curl, knowing no proxy, TLS", without_proxy({"curl", "-sS", https}), transparent},
           Row{"curl, knowing no proxy, TLS to an address", without_proxy({"curl", "-sS", "https://127.0.0.1:3000/"}),
               transparent},
           Row{"curl, to [::1]", without_proxy({"curl", "-sS", "http://[::1]:3000/"}), transparent},
           Row{"curl, to 127.9.9.9", without_proxy({"curl", "-sS", "http://127.9.9.9:3000/"}), transparent},
           Row{"Python's requests", {"python3", python, "requests", https}, transparent},
           Row{"Java's HttpClient", {"java", java, "client", https}, transparent},
       }) {
    Strings flags = kRoute;
    flags.insert(flags.end(), row.flags.begin(), row.flags.end());
    const Run done = user.run(row.command, flags);
    INFO(row.name << "\n" << done.err);
    CHECK(done.exit == 0);
    CHECK(contains(done.out, "workspace abc scope base port 3000"));
  }
  CHECK(user.nothing_is_left());
}

TEST_CASE("run: Node.js obeys the environment alone where it can (22.21 and 24 on)") {
  const Run version = run({"node", "-p",
                           "const [a, b] = process.versions.node.split('.').map(Number);"
                           "a >= 24 || (a === 22 && b >= 21)"});
  User user;
  for (const char* const way : {"fetch", "http"}) {
    const Run done = user.run({"node", source("tests/e2e/node/get.mjs"), way, "http://localhost:3000/"});
    INFO(way << " " << done.out << done.err);
    CHECK(contains(done.out, "workspace abc") == (version.out == "true\n"));
  }
}

TEST_CASE("run: what the command's environment holds") {
  User user;
  const Run env = user.run(
      {"env"}, {"--from-url", "https://cmux-abc-base-3000.cmux.test", "--header", "X-Token: env:SECRET", "--forward", "5432:0"},
      {"SECRET=hush-hush", "JAVA_TOOL_OPTIONS=-Xmx64m",
       "no_proxy=localhost,.example.com, 127.0.0.0/8 ,[::1],10.0.0.0/8,*.localhost,registry.local:5000,*"});
  INFO(env.out << env.err);
  REQUIRE(env.exit == 0);
  const std::string url = variable(env, "http_proxy");
  CHECK(url.starts_with("http://127.0.0.1:"));  // and no credentials
  for (const char* const name : {"HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"})
    CHECK(variable(env, name) == url);
  for (const char* const name : {"no_proxy", "NO_PROXY"})
    CHECK(variable(env, name) == ".example.com,10.0.0.0/8,registry.local:5000");
  CHECK(variable(env, "NODE_USE_ENV_PROXY") == "1");
  CHECK(variable(env, "CMUXPROXY_CONTEXT").starts_with("ctx-0-"));
  CHECK(variable(env, "CMUXPROXY_INSTANCE").starts_with("run-"));
  CHECK(variable(env, "CMUXPROXY_FORWARDS").starts_with("5432:"));
  const std::string java = variable(env, "JAVA_TOOL_OPTIONS");
  CHECK(java.starts_with("-Xmx64m -Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=" + url.substr(17)));
  CHECK(contains(java, "-Dhttp.nonProxyHosts=example.com|*.example.com "));
  CHECK(contains(java, "-Djavax.net.ssl.trustStore=" + user.state + "/trust/"));

  const std::string ours = read_file(user.state + "/ca.crt"), bundle = read_file(variable(env, "SSL_CERT_FILE"));
  CHECK(bundle == read_file("/etc/ssl/certs/ca-certificates.crt") + ours);
  for (const std::string& name : kRootVariables) CHECK(variable(env, name) == variable(env, "SSL_CERT_FILE"));
  CHECK(variable(env, "NODE_EXTRA_CA_CERTS") == user.state + "/ca.crt");
}

TEST_CASE("run: the user's own roots stay, with ours beside them; the files do not add up") {
  User user;
  const std::string own = read_file(pki() + "/ca.crt");
  const Run env = user.run(
      {"env"}, kRoute,
      {"SSL_CERT_FILE=" + pki() + "/ca.crt", "NODE_EXTRA_CA_CERTS=" + pki() + "/ca.crt", "REQUESTS_CA_BUNDLE=/etc/ssl/certs"});
  REQUIRE(env.exit == 0);
  const std::string ours = read_file(user.state + "/ca.crt");
  CHECK(read_file(variable(env, "SSL_CERT_FILE")) == own + ours);
  CHECK(read_file(variable(env, "NODE_EXTRA_CA_CERTS")) == own + ours);
  CHECK(variable(env, "REQUESTS_CA_BUNDLE") == "/etc/ssl/certs");  // a folder
  const auto count = [&] { return std::distance(fs::directory_iterator(user.state + "/trust"), fs::directory_iterator()); };
  const auto first = count();
  REQUIRE(user.run({"true"}).exit == 0);
  CHECK(count() == first);
  for (int i = 0; i < 20; ++i) write_file(fmt::format("{}/trust/old-{}", user.state, i), "old");
  write_file(user.folder / "more.pem", own + own);
  REQUIRE(user.run({"true"}, kRoute, {"SSL_CERT_FILE=" + user.folder / "more.pem"}).exit == 0);
  CHECK(count() <= 16);
}

TEST_CASE("run: it becomes the command: pid, exit status, signals, descriptors and SIGPIPE are the command's own") {
  User user;
  Process shell;
  shell.start(user.argv({"sh", "-c", "echo $$; trap 'exit 7' TERM; echo ready; while :; do sleep 0.02; done"}), user.environment);
  CHECK(shell.read_line() == std::to_string(shell.pid()));
  REQUIRE(shell.read_line() == "ready");
  CHECK(shell.stop(SIGTERM) == 7);
  CHECK(user.run({"sh", "-c", "kill -KILL $$"}).exit == -SIGKILL);
  CHECK(user.run({"sh", "-c", "exit 41"}).exit == 41);
  // No descriptor of ours, and no signal ignored, that was not before.
  const Strings look{"sh", "-c", "ls /proc/$$/fd; grep -E '^Sig(Ign|Blk)' /proc/self/status"};
  CHECK(user.run(look).out == run(look).out);
  CHECK(user.nothing_is_left());
}

TEST_CASE("run: a terminal stays one, ^C comes once, and the command can be stopped and continued") {
  Strings flags = kRoute;
  if (GENERATE(false, true)) flags.emplace_back("--transparent");
  User user;
  Strings argv{"python3", source("tests/e2e/python/terminal.py")};
  const Strings command = user.argv({"sh", "-c",
                                     "test -t 0 && test -t 1 && echo terminal; trap 'echo interrupted' INT;"
                                     "echo ready; read -r line; read -r line; echo got $line"},
                                    flags);
  argv.insert(argv.end(), command.begin(), command.end());
  const Run done = run(argv, user.environment);
  INFO(done.out << done.err);
  CHECK(done.exit == 0);
  CHECK(contains(done.out, "terminal\r\n"));
  CHECK(contains(done.out, "stopped and continued\n"));
  const std::size_t once = done.out.find("interrupted");
  REQUIRE(once != std::string::npos);
  CHECK(done.out.find("interrupted", once + 1) == std::string::npos);
}

TEST_CASE("run: what cannot be run: 127, 126, usage 2, no instance of that name 3; nothing is left") {
  User user;
  const Run missing = user.run({"no-such-command"});
  CHECK(missing.exit == 127);
  CHECK(contains(missing.err, "no-such-command: No such file"));
  write_file(user.folder / "data", "text");
  CHECK(user.run({user.folder / "data"}).exit == 126);
  CHECK(user.run({}).exit == 2);
  CHECK(contains(run({binary(), "run", "--from-url", "https://cmux-a-b-1.cmux.app"}, user.environment).err, "-- COMMAND"));
  CHECK(user.run({"true"}, {"--no-such-flag"}).exit == 2);
  CHECK(user.run({"true"}, {"--from-url", "https://example.org/"}).exit == 2);
  CHECK(user.run({"true"}, {"--from-url", "https://cmux-a-b-1.cmux.app", "--forward", "0"}).exit == 2);
  const Run nobody = user.run({"true"}, {"--instance", "nobody"});
  CHECK(nobody.exit == 3);
  CHECK(contains(nobody.err, "no instance 'nobody'"));
  const Run settings = user.run({"true"}, kRoute, {"CMUXPROXY_THREADS=none"});
  CHECK(settings.exit == 2);
  CHECK(contains(settings.err, "CMUXPROXY_THREADS"));
  CHECK(user.nothing_is_left());
}

TEST_CASE("run: a running instance is used, and has no context more when the command has ended") {
  Workspace workspace;
  Proxy proxy({"--domains", "cmux.test"}, &workspace);
  Strings argv{binary(), "run", "--instance", proxy.instance, "--forward", "3000:0"};
  argv.insert(argv.end(), kRoute.begin(), kRoute.end());
  argv.insert(argv.end(), {"--", "sh", "-c", "curl -sS http://localhost:3000/; \"$0\" ctx list --json", binary()});
  const Run done = run(argv, proxy.environment());
  INFO(done.out << done.err);
  REQUIRE(done.exit == 0);
  CHECK(done.out.starts_with("workspace abc scope base port 3000"));
  const auto listed = boost::json::parse(done.out.substr(done.out.find('{'))).at("contexts").as_array();
  REQUIRE(listed.size() == 1);
  CHECK(text_in(listed[0].as_object(), "label") == "run sh");
  // On Linux at once; elsewhere the instance looks for the end of a process five times a second.
  CHECK(eventually([&] { return proxy.cli({"ctx", "list", "--json"}).json().at("contexts").as_array().empty(); }));
  CHECK_FALSE(fs::exists(proxy.home / "runtime" + "/default.json"));
}

TEST_CASE("run: whatever the command leaves, or however it ends, no context, instance or listener stays") {
  const std::string script = GENERATE("sleep 300 & echo $!; exec sleep 300",                      // leaves a child behind
                                      "setsid sleep 300 & echo $!; exec sleep 300",               // ... a daemon
                                      "trap '' TERM HUP INT; echo 0; while :; do sleep 1; done",  // does not go when asked
                                      "echo 0; kill -STOP $$; sleep 300");                        // is stopped
  Strings flags = kRoute;
  if (GENERATE(false, true)) flags.emplace_back("--transparent");
  User user;
  Process shell;
  shell.start(user.argv({"sh", "-c", fmt::format("echo $CMUXPROXY_INSTANCE $http_proxy; {}", script)}, flags), user.environment);
  const std::string first = shell.read_line();
  const pid_t left = std::stoi(shell.read_line());
  const std::string instance = first.substr(0, first.find(' '));
  const auto record = boost::json::parse(read_file(fmt::format("{}/{}.json", user.runtime, instance))).as_object();
  const auto pid = static_cast<pid_t>(number_in(record, "pid"));
  CHECK(runs(pid));
  CHECK(shell.stop(SIGKILL) == -SIGKILL);
  CHECK(user.nothing_is_left());
  CHECK(eventually([&] { return !runs(pid); }));
  const Run refused = run({"curl", "-sS", "-x", first.substr(first.find(' ') + 1), "http://localhost:3000/"});
  CHECK(refused.exit == 7);  // nobody listens
  if (left > 0) kill(left, SIGKILL);
}

TEST_CASE("run: an instance that dies under it is an error of the command's connections, and the command goes on") {
  Strings flags = kRoute;
  if (GENERATE(false, true)) flags.emplace_back("--transparent");
  User user;
  Process shell;
  shell.start(
      user.argv({"sh", "-c", "echo $CMUXPROXY_INSTANCE; read -r line; curl -sS http://localhost:3000/; echo curl $?; exit 9"},
                flags),
      user.environment, Process::Stdin::pipe);
  const std::string name = shell.read_line();
  const auto record = boost::json::parse(read_file(fmt::format("{}/{}.json", user.runtime, name))).as_object();
  const auto instance = static_cast<pid_t>(number_in(record, "pid"));
  kill(instance, SIGKILL);
  REQUIRE(eventually([&] { return !runs(instance); }));
  shell.close_stdin();
  CHECK(shell.read_line() == "curl 7");
  CHECK(shell.wait() == 9);
  CHECK(fs::exists(fmt::format("{}/{}.json", user.runtime, name)));
  CHECK(user.run({"true"}).exit == 0);  // ... takes away what is left of it
  CHECK(user.nothing_is_left());
}

TEST_CASE("run inside run: the inner context counts, on the same instance") {
  User user;
  const Run done = user.run({binary(), "run", "--from-url", "https://cmux-xyz-base-3000.cmux.test", "--", "sh", "-c",
                             "curl -sS http://localhost:3000/; curl -sS https://localhost:3000/; echo $CMUXPROXY_INSTANCE"});
  INFO(done.err);
  CHECK(done.exit == 0);
  CHECK(done.out.starts_with("workspace xyz scope base port 3000\nworkspace xyz scope base port 3000\nrun-"));
  CHECK(user.nothing_is_left());
}
