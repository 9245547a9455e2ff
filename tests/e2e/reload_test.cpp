// Settings that are read again while the instance runs: SIGHUP, or a change of the file.
#include <filesystem>

#include "support.hpp"

namespace e2e {
namespace {

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

struct Reloaded {
  explicit Reloaded(const std::string& text, const Strings& more = {}) {
    write_file(config, text);
    Strings flags{"--config", config};
    flags.insert(flags.end(), more.begin(), more.end());
    proxy.emplace(flags);
  }
  // Once the log has all of these, behind what it had.
  void says(const Strings& parts) {
    const bool came = eventually([&] {
      const std::string log = proxy->process().stderr_text().substr(seen);
      return std::all_of(parts.begin(), parts.end(), [&](const std::string& part) { return contains(log, part); });
    });
    INFO(proxy->process().stderr_text().substr(seen));
    CHECK(came);
    seen = proxy->process().stderr_text().size();
  }
  void write(const std::string& text, const Strings& parts) {
    write_file(config, text);
    proxy->process().signal(SIGHUP);
    says(parts);
  }
  int status(const Context& context, std::string_view url) { return proxy->get(context, url).status; }

  TempDir folder;
  std::string config = folder / "config.toml";
  std::optional<Proxy> proxy;
  std::size_t seen = 0;
};

}  // namespace

TEST_CASE("reload: what needs no new listener holds from then on, for requests on open connections too") {
  Workspace first, second;
  const auto resolve = [](const Workspace& workspace) {
    return fmt::format("resolve = [\"*.cmux.test=127.0.0.1:{}\"]\nupstream-ca = \"{}/ca.crt\"\n", workspace.https_port(), pki());
  };
  Reloaded stage(resolve(first));
  const Context context = stage.proxy->routed();
  Client client = stage.proxy->connect();
  const std::string request = request_text("GET", "http://localhost:3000/echo", context);
  CHECK(client.ask(request).status == 200);

  stage.write(resolve(first) + "access-log = true\nvia = true\n", {"changed are via, access-log"});
  CHECK(contains(client.ask(request).body, "1.1 cmuxproxy"));
  stage.says({"access GET http://localhost:3000/echo 200"});

  // Another host's trust and place: nothing goes to the first one any more.
  std::filesystem::copy_file(pki() + "/ca.crt", stage.folder / "own.crt");
  const std::int64_t before = first.requests();
  stage.write(fmt::format("resolve = [\"*.cmux.test=127.0.0.1:{}\"]\nupstream-ca = \"own.crt\"\n", second.https_port()),
              {"upstream-ca", "resolve", "access-log", "via"});
  CHECK(client.ask(request).status == 200);
  CHECK(first.requests() == before);
  CHECK(second.requests() == 1);

  // Another file of that name.
  const std::string own =
      fmt::format("resolve = [\"*.cmux.test=127.0.0.1:{}\"]\nupstream-ca = \"own.crt\"\n", second.https_port());
  stage.write(own, {"nothing has changed"});
  write_file(stage.folder / "own.crt", "no certificate");
  stage.write(own, {"settings not changed", "upstream-ca: expected a file of certificates (PEM)"});
  CHECK(client.ask(request).status == 200);
  std::filesystem::copy_file(pki() + "/selfsigned.crt", stage.folder / "own.crt",
                             std::filesystem::copy_options::overwrite_existing);
  stage.write(own, {"changed are upstream-ca\n"});
  CHECK(client.ask(request).status == 502);  // which nobody vouches for now
  stage.write(resolve(second), {"changed are upstream-ca\n"});
  CHECK(client.ask(request).status == 200);

  stage.write(fmt::format("resolve = [\"*.cmux.test=127.0.0.1:{}\"]\n", second.https_port()), {"upstream-ca"});
  CHECK(client.ask(request).status == 502);

  stage.write(resolve(second) + "max-url = \"1k\"\nnever-route = [\"localhost\"]\n", {"never-route", "max-url"});
  CHECK(stage.status(context, "http://localhost:3000/" + std::string(2'000, 'x')) == 414);  // a new connection
  CHECK(stage.status(context, "http://localhost:1/") == 502);  // where it says: this machine, and nobody is there
}

TEST_CASE("reload: HTTP/2 and interception with clients, from the next connection on") {
  Reloaded stage("");
  const auto preface = [&] {
    Client client = stage.proxy->connect();
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    return client.read_exactly(5);
  };
  CHECK(preface() != "HTTP/");
  stage.write("http2 = false\n", {"changed are http2"});
  CHECK(preface() == "HTTP/");
}

TEST_CASE("reload: with anything wrong all stays as it was, and all that is wrong is told") {
  Reloaded stage("max-url = \"1k\"\n");
  const Context context = stage.proxy->context();
  stage.write("max-url = \"2k\"\nlog-levle = \"warn\"\nthreads = \"many\"\n",
              {":2: log-levle: unknown key (did you mean log-level?)", ":3: threads: expected a number from 1 to 64, or auto"});
  CHECK(stage.status(context, "http://127.0.0.1:1/" + std::string(1'500, 'x')) == 414);
  stage.write("port-attempts = 3\nmax-url = \"2k\"\n", {"changed are max-url\n", "need a restart: port-attempts\n"});
  CHECK(stage.status(context, "http://127.0.0.1:1/" + std::string(1'500, 'x')) == 502);
  stage.write("max-url = \"2k\"\n", {"nothing has changed"});
  std::filesystem::remove(stage.config);
  stage.proxy->process().signal(SIGHUP);
  stage.says({"settings not changed", "cannot be read"});
  CHECK(stage.status(context, "http://127.0.0.1:1/") == 502);
}

TEST_CASE("reload: with watch-config the file's change is enough, and a line of JSON is one whatever the format was") {
  Reloaded stage("watch-config = true\nrefused-timeout = \"0\"\n");
  const Context context = stage.proxy->context();
  write_file(stage.config, "watch-config = true\nlog-format = \"json\"\nrefused-timeout = \"0\"\n");
  stage.says({"\"message\":\"settings read again: changed are log-format\""});
  write_file(stage.config, "watch-config = false\n");
  stage.says({"changed are log-format, watch-config, refused-timeout"});
}

TEST_CASE("serve --check says all that is wrong, a line each") {
  TempDir folder;
  write_file(folder / "config.toml", "drain-timeuot = \"5s\"\nthreads = 0\n");
  const Run checked =
      run({binary(), "serve", "--check", "--config", folder / "config.toml", "--max-url", "1"}, {"CMUXPROXY_VIA=perhaps"});
  CHECK(checked.exit == 2);
  CHECK(checked.out.empty());
  for (const char* const part : {":1: drain-timeuot: unknown key (did you mean drain-timeout?)", ":2: threads: expected",
                                 "CMUXPROXY_VIA: expected true or false", "--max-url: expected a size"})
    CHECK(contains(checked.err, part));
}

}  // namespace e2e
