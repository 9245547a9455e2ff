// run --transparent: a namespace in which localhost is the workspace's. Which programs it serves: run_test.cpp, raw_tcp_test.cpp.
#include <grp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "namespaces.hpp"
#include "run_user.hpp"

using namespace e2e;
namespace fs = std::filesystem;

namespace {

const Strings kTransparent{"--from-url", "https://cmux-abc-base-3000.cmux.test", "--transparent"};
constexpr const char* kNoProxy = "unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY; ";

Run in_shell(const User& user, const std::string& script, const Strings& flags = kTransparent) {
  return user.run({"sh", "-c", kNoProxy + script, binary()}, flags);
}

}  // namespace

TEST_CASE("run --transparent: the dev server sees the client's own name for it; pages of other hosts get nothing") {
  User user;
  const Run done = in_shell(user,
                            "for host in localhost 127.0.0.1 app.localhost; do curl -sS http://$host:3000/echo; done;"
                            "curl -sS -o /dev/null -w '%{http_code} ' -H 'Host: evil.example:3000' http://localhost:3000/;"
                            "curl -sS -o /dev/null -w '%{http_code} ' -H 'Host: localhost' http://localhost:3000/;"
                            "curl -sS http://localhost:80/");
  INFO(done.out << done.err);
  CHECK(done.exit == 0);
  for (const char* const seen : {"localhost:3000", "127.0.0.1:3000", "app.localhost:3000"})
    CHECK(contains(done.out, fmt::format("\"X-Cmux-Host-Override\",\"{}\"", seen)));
  CHECK(contains(done.out, "421 200 workspace abc scope base port 80"));
  CHECK(user.nothing_is_left());
}

TEST_CASE("run --transparent: in it the instance is reached as outside, by its commands and by more runs") {
  User user;
  const std::string inner = " run --from-url https://cmux-xyz-base-3000.cmux.test ";
  const Run done =
      in_shell(user, "\"$0\" ctx list --json; \"$0\"" + inner + "-- curl -sS http://localhost:3000/; \"$0\"" + inner +
                         "--transparent -- sh -c '" + kNoProxy + "curl -sS http://localhost:3000/; ls /proc/self/ns'");
  INFO(done.out << done.err);
  CHECK(done.exit == 0);
  CHECK(contains(done.out, R"("transparent": true)") != contains(done.out, R"("transparent":true)"));
  const std::string answer = "workspace xyz scope base port 3000\n";
  CHECK(contains(done.out, answer + answer));
  CHECK(user.nothing_is_left());
}

TEST_CASE("run --transparent: other addresses are reached and queries for names answered; by IPv6 where there is a way") {
  if (!in_namespace()) return;
  for (const Strings& command : {Strings{"link", "set", "lo", "up"}, Strings{"address", "add", "10.83.0.9/32", "dev", "lo"},
                                 Strings{"-6", "address", "add", "fd83::9/128", "dev", "lo"}}) {
    Strings all{"ip"};
    all.insert(all.end(), command.begin(), command.end());
    REQUIRE(run(all).exit == 0);
  }
  const std::string world = source("tests/e2e/python/world.py");
  Process server;
  server.start({"python3", world, "serve", "10.83.0.9", "fd83::9"}, {}, Process::Stdin::pipe);
  REQUIRE(server.read_line() == "ready");
  User user;
  const Strings ask{"python3", world, "ask", "10.83.0.9", "fd83::9"};
  const std::string ipv4 = "tcp world 10.83.0.9\nudp QUERY 0 from 10.83.0.9 QUERY 1 from 10.83.0.9 QUERY 2 from 10.83.0.9\n";
  const Run without = user.run(ask, kTransparent);
  INFO(without.err);
  CHECK(without.out == ipv4 + "fd83::9 ENETUNREACH\n");
  REQUIRE(run({"ip", "-6", "route", "add", "default", "dev", "lo"}).exit == 0);
  CHECK(user.run(ask, kTransparent).out ==
        ipv4 + "tcp world fd83::9\nudp QUERY 0 from fd83::9 QUERY 1 from fd83::9 QUERY 2 from fd83::9\n");
  CHECK(user.nothing_is_left());
}

TEST_CASE("run --transparent: an ordinary user needs no rights and keeps his number") {
  User user;
  const std::string program = user.folder / "cmuxproxy";
  fs::copy_file(binary(), program);  // where the tests' is, he may not look
  write_file(user.folder / "ca.crt", read_file(pki() + "/ca.crt"));
  Strings argv{program,
               "run",
               "--from-url",
               kTransparent[1],
               "--transparent",
               "--",
               "sh",
               "-c",
               std::string(kNoProxy) + "id -u; id -g; grep CapEff /proc/self/status; curl -sS http://localhost:3000/"};
  std::string number = std::to_string(geteuid()), group = std::to_string(getegid());
  if (geteuid() == 0) {
    number = group = "12345";
    REQUIRE(chown(user.folder.path.c_str(), 12345, 12345) == 0);
    argv.insert(argv.begin(), {"setpriv", "--reuid", number, "--regid", group, "--clear-groups"});
  }
  Strings environment = user.environment;
  environment.push_back("CMUXPROXY_UPSTREAM_CA=" + user.folder / "ca.crt");
  const Run done = run(argv, environment);
  INFO(done.err);
  CHECK(done.out == number + "\n" + group + "\nCapEff:\t0000000000000000\nworkspace abc scope base port 3000\n");
  CHECK(user.nothing_is_left());
}

TEST_CASE("run --transparent: where namespaces are forbidden it says what would allow them, and what does without") {
  User user;
  Strings argv{
      "unshare", "--user", "--map-root-user",
      "sh",      "-c",     "echo 0 > /proc/sys/user/max_net_namespaces; echo 0 > /proc/sys/user/max_user_namespaces; exec \"$@\"",
      "sh"};
  const Strings command = user.argv({"true"}, kTransparent);
  argv.insert(argv.end(), command.begin(), command.end());
  const Run done = run(argv, user.environment);
  INFO(done.out << done.err);
  CHECK(done.exit == 1);
  CHECK(contains(done.err, "sysctl -w user.max_user_namespaces"));
  CHECK(contains(done.err, "--forward"));
  CHECK(user.nothing_is_left());
}

TEST_CASE("run --transparent: its connections end with its context, and what the command left behind reaches nothing") {
  Workspace workspace;
  Proxy proxy({"--domains", "cmux.test"}, &workspace);
  const auto get = [&] { return proxy.cli({"ctx", "list", "--json"}); };
  get();
  CHECK(proxy.get(proxy.routed(), "http://localhost:3000/").status == 200);  // there is a connection in the pool
  CHECK(proxy.cli({"ctx", "release", "--all"}).exit == 0);
  const std::size_t before = proxy.process().fds();
  Process shell;
  Strings argv{binary(), "run", "--instance", proxy.instance};
  argv.insert(argv.end(), kTransparent.begin(), kTransparent.end());
  // The left one waits for the end of its parent, and tries then.
  const std::string script = std::string(kNoProxy) +
                             "(while kill -0 $$ 2>/dev/null; do sleep 0.02; done; curl -sS --max-time 20 http://localhost:3000/;"
                             " echo $?) & curl -sS http://localhost:3000/";
  argv.insert(argv.end(), {"--", "sh", "-c", script});
  shell.start(argv, proxy.environment());
  CHECK(shell.read_line() == "workspace abc scope base port 3000");
  CHECK(shell.wait() == 0);
  const std::string code = shell.read_line();  // of a connection that was refused, or reset
  CHECK((code == "7" || code == "56" || code == "52"));
  CHECK(eventually([&] { return get().json().at("contexts").as_array().empty() && proxy.process().fds() <= before; }));
}

TEST_CASE("transparent: what comes on the Unix socket is looked at, and a context stands without it") {
  Proxy proxy;
  const auto create = [&](const std::string& path) {
    return proxy.api("POST", "/v1/contexts", boost::json::serialize(boost::json::object{{"transparent", path}}));
  };
  CHECK(create(proxy.home / "nobody").status == 400);
  CHECK(create(std::string(300, 'p')).status == 400);
  const std::string path = proxy.home / "hand";
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  REQUIRE(path.size() < sizeof at.sun_path);
  path.copy(at.sun_path, path.size());
  REQUIRE(bind(listener, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
  REQUIRE(listen(listener, 4) == 0);
  for (const char* const said : {"", "s", "nonsense"}) {
    const Response made = create(path);
    CHECK(made.status == 201);
    const int instance = accept(listener, nullptr, nullptr);
    const std::string_view text(said);
    CHECK(send(instance, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
    shutdown(instance, SHUT_WR);
    char byte = 0;
    CHECK(recv(instance, &byte, 1, 0) <= 0);  // and not "k"
    close(instance);
    CHECK(proxy.api("GET", "/v1/contexts/" + text_in(made.json(), "id")).status == 200);
  }
  close(listener);
  CHECK(eventually([&] { return contains(proxy.process().stderr_text(), "gets no connections from its namespace"); }));
}
