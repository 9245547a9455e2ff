// The command line: exit codes, what goes to which stream, and what it prints.
#include "support.hpp"

namespace e2e {
namespace {

const Strings kRoute{"--morph-id", "abc", "--scope", "base", "--domain-suffix", "cmux.test"};

Strings operator+(Strings left, const Strings& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

Run cmuxproxy(const Strings& arguments) {
  static const TempDir home;
  return run(Strings{binary()} + arguments, {"CMUXPROXY_RUNTIME_DIR=" + (home / "run"), "HOME=" + home.path});
}

// Exactly one JSON document and a line end.
boost::json::object document(const Run& run) {
  REQUIRE(run.out.ends_with("\n"));
  CHECK(std::count(run.out.begin(), run.out.end(), '\n') == 1);
  return run.json().as_object();
}

Strings keys(const boost::json::object& object) {
  Strings out;
  for (const auto& field : object) out.emplace_back(field.key().data(), field.key().size());
  return out;
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("cli: every command has --help with an example, on standard output") {
  for (const Strings& command : {Strings{},
                                 {"run"},
                                 {"serve"},
                                 {"ctx"},
                                 {"ctx", "create"},
                                 {"ctx", "list"},
                                 {"ctx", "show"},
                                 {"ctx", "update"},
                                 {"ctx", "release"},
                                 {"probe"},
                                 {"status"},
                                 {"stop"},
                                 {"version"}}) {
    const Run help = cmuxproxy(command + Strings{"--help"});
    INFO(help.out << help.err);
    CHECK(help.exit == 0);
    CHECK(help.err.empty());
    CHECK(has(help.out, "Example"));
    std::string line = "  cmuxproxy";
    for (const std::string& word : command) line += " " + word;
    CHECK(has(help.out, line));
  }
}

TEST_CASE("cli: version") {
  const Run text = cmuxproxy({"version"});
  CHECK(text.exit == 0);
  CHECK(text.out == "cmuxproxy " CMUXPROXY_VERSION "\n");
  const Run json = cmuxproxy({"version", "--json"});
  CHECK(document(json).at("version") == CMUXPROXY_VERSION);
  CHECK(has(cmuxproxy({"--version"}).out, CMUXPROXY_VERSION));
}

TEST_CASE("cli: usage errors are exit 2, and say what is wrong and what is allowed") {
  struct Row {
    Strings arguments;
    const char* named;
    const char* allowed;
  };
  for (const Row& row : {
           Row{{"ctx", "create", "--no-such-flag"}, "--no-such-flag", "--morph-id"},
           Row{{"ctx", "list", "--morph-id", "a"}, "--morph-id", "--instance"},
           Row{{"ctx", "create", "--format", "yaml"}, "yaml", "curl"},
           Row{{"ctx", "create", "--json", "--format", "env"}, "--format env", "--json"},
           Row{{"ctx", "create", "--ttl", "soon"}, "--ttl", "soon"},
           Row{{"ctx", "create", "--ttl", "0"}, "--ttl", "above 0"},
           Row{{"ctx", "create", "--ttl", ""}, "--ttl", "empty"},
           Row{{"ctx", "create", "--owner-pid", ""}, "--owner-pid", "empty"},
           Row{{"ctx", "create", "--label", ""}, "--label", "empty"},
           Row{{"ctx", "create", "--morph-id", ""}, "--morph-id", "empty"},
           Row{{"ctx", "create", "--scope", ""}, "--scope", "empty"},
           Row{{"ctx", "create", "--from-url", ""}, "--from-url", "empty"},
           Row{{"ctx", "create", "--preset", ""}, "--preset", "empty"},
           Row{{"ctx", "create", "--token", ""}, "--token", "empty"},
           Row{{"ctx", "create", "--host", ""}, "--host", "empty"},
           Row{{"ctx", "create", "--host-override", ""}, "--host-override", "empty"},
           Row{{"ctx", "update", "ctx-0-1", "--from-url", ""}, "--from-url", "empty"},
           Row{{"ctx", "update", "ctx-0-1"}, "--no-route", "--from-url"},
           Row{{"ctx", "update", "ctx-0-1", "--no-route", "--morph-id", "a"}, "--no-route", "--from-url"},
           Row{{"ctx", "update"}, "id", "--from-url"},
           Row{{"probe", "http://localhost/", "--scope", ""}, "--scope", "empty"},
           Row{{"probe", "http://localhost/", "--ctx", ""}, "--ctx", "empty"},
           Row{{"ctx", "create", "--dedicated-port", ""}, "--dedicated-port", "0 to 65535"},
           Row{{"ctx", "create", "--forward", ""}, "--forward", "1 to 65535"},
           Row{{"serve", "--check", "--config", ""}, "--config", "empty"},
           Row{{"serve", "--check", "--owner-pid", ""}, "--owner-pid", "1 to"},
           Row{{"probe", "http://localhost:3000/", "--count", "0"}, "--count", "1"},
           Row{{"serve", "--thread", "2"}, "--thread", "--threads"},
           Row{{"serve", "--log-level", "loud"}, "loud", "debug"},
           Row{{"ctx", "create", "--morph-id", "a", "--morph-id", "b"}, "--morph-id: given 2 times", "one value"},
           Row{{"serve", "--check", "--threads", "1", "--threads", "1", "--threads", "1"},
               "--threads: given 3 times",
               "one value"},
           Row{{"serve", "--check", "--threads"}, "--threads: its value is missing", "N|auto"},
           Row{{"serve", "--check", "--access-log=false"}, "--access-log: takes no value", "--access-log"},
           Row{{"status", "--json=maybe"}, "--json: takes no value", "--json"},
           Row{{"nonsense"}, "nonsense", "serve"},
           Row{{"sreve"}, "sreve", "did you mean serve?"},
           Row{{"ctx", "craete"}, "craete", "did you mean create?"},
           Row{{"run", "--form-url=https://a", "--", "true"}, "--form-url", "did you mean --from-url?"},
           Row{{}, "", "serve"},
       }) {
    const Run refused = cmuxproxy(row.arguments);
    INFO(row.named << " | " << refused.out << refused.err);
    CHECK(refused.exit == 2);
    CHECK(refused.out.empty());
    CHECK(has(refused.err, row.named));
    CHECK(has(refused.err, row.allowed));
  }
  Proxy proxy;
  for (const Row& row : {
           Row{{"ctx", "create", "--morph-id", "Bad_Id", "--scope", "base", "--domain-suffix", "cmux.test"},
               "--morph-id",
               "lower-case"},
           Row{{"probe", "gopher://localhost/"}, "gopher", "http"},
           Row{{"ctx", "create", "--morph-id", "abc"}, "--", ""},
           Row{{"ctx", "create", "--from-url", "https://example.org/"}, "--from-url", ""},
           Row{{"ctx", "create", "--owner-pid", "0"}, "--owner-pid", ""},
           Row{{"ctx", "create", "--from-url", "https://example.org/"}, "--from-url", "<id>-<port>.app.github.dev"},
           Row{{"ctx", "create", "--from-url", "https://cmux-a-b-1.cmux.app.evil.com"}, "--from-url", "no known domain"},
           Row{{"ctx", "create", "--from-url", "https://u:pw@cmux-a-b-1.cmux.app"}, "--from-url", "user info"},
           Row{{"ctx", "create", "--preset", "gitlab"}, "--preset", "codespaces"},
           Row{{"ctx", "create", "--direct"}, "--direct", "route"},
           Row{{"ctx", "create", "--token", "t"}, "--token", "preset"},
           Row{{"ctx", "create", "--token", "env:NO_SUCH_VARIABLE"}, "--token", "NO_SUCH_VARIABLE"},
           Row{Strings{"ctx", "create"} + kRoute + Strings{"--host-override", "maybe"}, "--host-override", "auto, on, off"},
           Row{Strings{"ctx", "create"} + kRoute + Strings{"--host-override", "on\r\nX: y"}, "--host-override", "auto, on, off"},
           Row{Strings{"ctx", "create"} + kRoute + Strings{"--host-header"}, "--host-header", "template"},
           Row{Strings{"ctx", "create"} + kRoute + Strings{"--host", "*.internal"}, "--host", "cmuxProxyOrigin"},
           Row{{"ctx", "create", "--cmux-proxy-origin", "http://h", "--host", "*"}, "--host", "*.internal"},
           Row{{"ctx", "create", "--cmux-proxy-origin", "http://h", "--host", "*.com"}, "--host", "*.internal"},
           Row{Strings{"ctx", "create"} + kRoute + Strings{"--header", "no colon"}, "--header", ""},
           Row{{"ctx", "release"}, "--all", "--web-contents-id"},
           Row{{"ctx", "release", "--all", "ctx-0-0123456789abcdef"}, "--all", "ids"},
       }) {
    const Run refused = proxy.cli(row.arguments);
    INFO(row.named << " | " << refused.out << refused.err);
    CHECK(refused.exit == 2);
    CHECK(refused.out.empty());
    CHECK(has(refused.err, row.named));
    CHECK(has(refused.err, row.allowed));
  }
  CHECK(proxy.cli({"ctx", "list", "--json"}).json().at("contexts").as_array().empty());
}

TEST_CASE("cli: without an instance everything is exit 3") {
  for (const Strings& command : {Strings{"status"},
                                 {"stop"},
                                 {"ctx", "create"},
                                 {"ctx", "list"},
                                 {"ctx", "show", "ctx-0-1"},
                                 {"ctx", "release", "--all"},
                                 {"ctx", "update", "ctx-0-1", "--no-route"},
                                 {"probe"},
                                 {"probe", "http://localhost:3000/"}}) {
    for (const Strings& json : {Strings{}, {"--json"}}) {
      const Run refused = cmuxproxy(command + json);
      INFO(command.front() << ": " << refused.out << refused.err);
      CHECK(refused.exit == 3);
      CHECK(refused.out.empty());
      CHECK(has(refused.err, "cmuxproxy serve"));
    }
  }
}

TEST_CASE("cli: serve that cannot be is exit 1") {
  Proxy proxy;
  const Run second = run({binary(), "serve", "--listen", "127.0.0.1:0", "--instance", proxy.instance}, proxy.environment());
  CHECK(second.exit == 1);
  CHECK(second.out.empty());
  CHECK(has(second.err, std::to_string(proxy.process().pid())));
  const Run busy = run(
      {binary(), "serve", "--listen", fmt::format("127.0.0.1:{}", proxy.port()), "--port-attempts", "1", "--instance", "other"},
      proxy.environment());
  CHECK(busy.exit == 1);
  CHECK(has(busy.err, std::to_string(proxy.port())));
}

TEST_CASE("cli: ctx create in every format") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Run json =
      proxy.cli(Strings{"ctx", "create", "--json", "--web-contents-id", "7", "--label", "my view", "--ttl", "1h"} + kRoute);
  const auto context = document(json);
  CHECK(json.err.empty());
  CHECK(keys(context) == Strings{"id", "username", "password", "webContentsId", "route", "proxyUrl", "proxy", "dedicatedPort",
                                 "forwards", "autoForward", "transparent", "label", "createdAt", "expiresAt", "ownerPid", "usage",
                                 "socksUrl", "pacUrl", "lastTunnelFailure"});
  const std::string username = text_in(context, "username"), password = text_in(context, "password");
  CHECK_THAT(text_in(context, "id"), Catch::Matches("ctx-7-[0-9a-f]{16}"));
  CHECK_THAT(username, Catch::Matches("wc-7-[0-9a-f]{8}"));
  CHECK_THAT(password, Catch::Matches("[0-9a-f]{24}"));
  CHECK(number_in(context, "webContentsId") == 7);
  CHECK(text_in(context, "proxy") == fmt::format("127.0.0.1:{}", proxy.port()));
  CHECK(text_in(context, "proxyUrl") == fmt::format("http://{}:{}@127.0.0.1:{}", username, password, proxy.port()));
  CHECK(text_in(context, "socksUrl") == fmt::format("socks5h://{}:{}@127.0.0.1:{}", username, password, proxy.port()));
  CHECK(context.at("pacUrl").is_null());
  CHECK(boost::json::serialize(context.at("route")) == R"({"morphId":"abc","scope":"base","domainSuffix":"cmux.test"})");
  CHECK(text_in(context, "label") == "my view");
  CHECK_THAT(text_in(context, "expiresAt"), Catch::Matches("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z"));
  CHECK(text_in(context, "expiresAt") > text_in(context, "createdAt"));
  CHECK(boost::json::serialize(context.at("forwards")) == "[]");
  CHECK(context.at("dedicatedPort").is_null());
  CHECK(keys(document(proxy.cli({"ctx", "create", "--format", "json"}))) == keys(context));

  const Run text = proxy.cli(Strings{"ctx", "create", "--format", "text"} + kRoute);
  for (const char* const part : {"id ", "proxyUrl ", "curl "}) CHECK(has(text.out, part));

  const Run curl = proxy.cli(Strings{"ctx", "create", "--format", "curl"} + kRoute);
  CHECK(curl.out.starts_with("curl "));
  CHECK(std::count(curl.out.begin(), curl.out.end(), '\n') == 1);

  // What a shell makes of the variables.
  const Run env = proxy.cli(Strings{"ctx", "create", "--format", "env"} + kRoute);
  const Run used =
      run({"/bin/sh", "-c", env.out + "curl -s http://localhost:3000/; curl -s http://127.0.0.1:3001/; echo $CMUXPROXY_CONTEXT"},
          {"NO_PROXY=localhost"});
  CHECK_THAT(used.out,
             Catch::Matches("workspace abc scope base port 3000\nworkspace abc scope base port 3001\nctx-0-[0-9a-f]{16}\n"));
}

TEST_CASE("cli: ctx list and show hide secrets") {
  Proxy proxy;
  const Context context = proxy.context(kRoute + Strings{"--header", "X-Token: s3cret-value", "--label", "one"});
  const Run list = proxy.cli({"ctx", "list", "--json"}), show = proxy.cli({"ctx", "show", context.id, "--json"});
  const Run list_text = proxy.cli({"ctx", "list"}), show_text = proxy.cli({"ctx", "show", context.id});
  for (const Run* const each : {&list, &show, &list_text, &show_text}) {
    INFO(each->out << each->err);
    CHECK(each->exit == 0);
    CHECK(has(each->out, context.id));
    CHECK_FALSE(has(each->out + each->err, "s3cret-value"));
    CHECK_FALSE(has(each->out + each->err, context.password));
  }
  CHECK(has(show.out, "X-Token"));
  const auto contexts = document(list).at("contexts").as_array();
  REQUIRE(contexts.size() == 1);
  boost::json::object shown = document(show);
  CHECK(shown.at("listening").is_null());  // the far end is asked for that, and is not there
  shown.erase("listening");
  CHECK(contexts[0] == shown);
  CHECK(proxy.cli({"ctx", "list"}).err.empty());
  const Run unknown = proxy.cli({"ctx", "show", "ctx-0-0123456789abcdef", "--json"});
  CHECK(unknown.exit == 4);
  CHECK(unknown.out.empty());
  CHECK(has(unknown.err, "ctx-0-0123456789abcdef"));
  CHECK(proxy.cli({"ctx", "show", "../status"}).exit == 4);
}

TEST_CASE("cli: ctx update") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.context(kRoute + Strings{"--header", "X-Token: s3cret-value"});
  const Run changed = proxy.cli({"ctx", "update", context.id, "--from-url", "https://cmux-other-web2-3000.cmux.app",
                                 "--domain-suffix", "cmux.test", "--json"});
  CHECK(changed.exit == 0);
  CHECK(changed.err.empty());
  // The new route is whole: nothing of the old one is left in it.
  CHECK(boost::json::serialize(document(changed).at("route")) ==
        R"({"morphId":"other","scope":"web2","domainSuffix":"cmux.test"})");
  CHECK_FALSE(document(changed).contains("password"));
  CHECK(proxy.get(context, "http://localhost:3000/").body == "workspace other scope web2 port 3000\n");

  const Run text = proxy.cli(Strings{"ctx", "update", context.id} + kRoute);
  CHECK(text.exit == 0);
  CHECK(has(text.out, R"({"morphId":"abc","scope":"base","domainSuffix":"cmux.test"})"));
  const Run none = proxy.cli({"ctx", "update", context.id, "--no-route"});
  CHECK(none.exit == 0);
  CHECK(has(none.out, "no route: localhost is this machine"));
  CHECK(proxy.cli({"ctx", "show", context.id, "--json"}).json().at("route").is_null());
  const Run unknown = proxy.cli(Strings{"ctx", "update", "ctx-0-0123456789abcdef"} + kRoute);
  CHECK(unknown.exit == 4);
  CHECK(has(unknown.err, "ctx-0-0123456789abcdef"));
  CHECK(proxy.cli(Strings{"ctx", "update", "../status"} + kRoute).exit == 4);
  const Run refused = proxy.cli({"ctx", "update", context.id, "--morph-id", "Bad_Id"});
  CHECK(refused.exit == 2);
  CHECK(has(refused.err, "--morph-id"));
}

TEST_CASE("cli: what has no route says so, and what may surprise is said at creation") {
  Proxy proxy;
  const std::string no_route = "no route: localhost is this machine";
  CHECK(has(proxy.cli({"ctx", "create"}).out, no_route));
  CHECK(has(proxy.cli({"ctx", "list"}).out, no_route));
  const Context plain = proxy.context();
  CHECK(has(proxy.cli({"ctx", "show", plain.id}).out, no_route));

  const Strings dashed{"--morph-id", "my-vm", "--scope", "base", "--domain-suffix", "cmux.test"};
  const Run warned = proxy.cli(Strings{"ctx", "create", "--json"} + dashed);
  CHECK(warned.exit == 0);
  CHECK(has(warned.err, "warning: morphId my-vm holds a dash"));
  CHECK(document(warned).at("warnings").as_array().size() == 1);
  CHECK(has(proxy.cli(Strings{"ctx", "update", plain.id} + dashed).err, "warning: morphId my-vm"));
  const Run direct = proxy.cli(Strings{"ctx", "create", "--json", "--direct"} + dashed);
  CHECK(direct.err.empty());
  CHECK_FALSE(document(direct).contains("warnings"));
}

TEST_CASE("cli: a token may come from a variable") {
  Proxy proxy;
  Strings environment = proxy.environment();
  environment.emplace_back("MY_TOKEN=t0k-value");
  const Run made = run({binary(), "ctx", "create", "--preset", "codespaces", "--morph-id", "my-space", "--token", "env:MY_TOKEN",
                        "--json", "--instance", proxy.instance},
                       environment);
  INFO(made.err);
  CHECK(boost::json::serialize(document(made).at("route").at("headers")) == R"({"X-Github-Token":"t0k-value"})");
  CHECK_FALSE(has(proxy.cli({"ctx", "list", "--json"}).out, "t0k-value"));
}

TEST_CASE("cli: ctx release") {
  Proxy proxy;
  const auto count = [&] { return proxy.cli({"ctx", "list", "--json"}).json().at("contexts").as_array().size(); };
  const Context one = proxy.context(), two = proxy.context(), view = proxy.context({"--web-contents-id", "9"}),
                other = proxy.context();
  const Run some = proxy.cli({"ctx", "release", one.id, "ctx-0-0000000000000000", two.id, "--json"});
  CHECK(some.exit == 4);
  const auto done = document(some);
  CHECK(done.at("released") == boost::json::array{one.id, two.id});
  CHECK(done.at("unknown") == boost::json::array{"ctx-0-0000000000000000"});
  CHECK(count() == 2);
  CHECK(proxy.cli({"ctx", "release", one.id}).exit == 4);

  CHECK(document(proxy.cli({"ctx", "release", "--web-contents-id", "9", "--json"})).at("released") ==
        boost::json::array{view.id});
  CHECK(proxy.cli({"ctx", "release", "--web-contents-id", "9"}).exit == 0);  // none left is as wanted
  CHECK(count() == 1);
  CHECK(has(proxy.cli({"ctx", "release", "--all"}).out, other.id));
  CHECK(count() == 0);
  CHECK(document(proxy.cli({"ctx", "release", "--all", "--json"})).at("released").as_array().empty());
}

TEST_CASE("cli: status and stop") {
  Proxy proxy;
  const auto status = document(proxy.cli({"status", "--json"}));
  CHECK(text_in(status, "instance") == proxy.instance);
  CHECK(number_in(status, "pid") == proxy.process().pid());
  CHECK(text_in(status, "proxy") == fmt::format("127.0.0.1:{}", proxy.port()));
  CHECK(text_in(status, "admin") == proxy.admin);
  CHECK(has(proxy.cli({"status"}).out, proxy.instance));
  CHECK_FALSE(has(proxy.cli({"status"}).out, proxy.token));

  const Run stopped = proxy.cli({"stop", "--json"});
  CHECK(stopped.exit == 0);
  CHECK(document(stopped).at("stopped") == true);
  CHECK(proxy.process().wait() == 0);
  CHECK(access(proxy.instance_path().c_str(), F_OK) != 0);
  CHECK(proxy.cli({"status"}).exit == 3);
  CHECK(proxy.cli({"stop"}).exit == 3);
}

TEST_CASE("cli: stop waits for what is under way") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  Client client = proxy.connect();
  client.send(request_text("GET", "http://localhost:3000/slow?pieces=4&body=200", context));
  client.read_until("a slow piece");
  CHECK(proxy.cli({"stop"}).exit == 0);  // returns when the process has ended
  const std::string rest = client.read_all_until_close();
  std::size_t pieces = 0;
  for (std::size_t at = 0; (at = rest.find("a slow piece", at)) != std::string::npos; ++at) ++pieces;
  CHECK(pieces == 3);
}

}  // namespace e2e
