// An instance's life: its file, its name, its ports, and what signals do (SPEC 7).
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "rows.hpp"
#include "support.hpp"

using namespace e2e;
using namespace std::string_literals;
namespace fs = std::filesystem;

namespace {

// A `serve` that is expected to end by itself.
Run serve(const Strings& environment, const Strings& flags) {
  Strings argv{binary(), "serve", "--json", "--admin", "127.0.0.1:0"};
  argv.insert(argv.end(), flags.begin(), flags.end());
  return run(argv, environment, {}, 15s);
}

// Starts one in a folder of the caller's, says its ready line, and stops it.
boost::json::object serve_briefly(const Strings& environment, const Strings& flags) {
  Process process;
  Strings argv{binary(), "serve", "--json", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"};
  argv.insert(argv.end(), flags.begin(), flags.end());
  process.start(argv, environment);
  const auto ready = boost::json::parse(process.read_line()).as_object();
  CHECK(process.stop() == 0);
  return ready;
}

struct Folder {
  TempDir home;
  std::string runtime = home / "run";
  Strings environment = {"CMUXPROXY_RUNTIME_DIR=" + runtime, "CMUXPROXY_STATE_DIR=" + home / "state", "HOME=" + home.path};
};

mode_t mode_of(const std::string& path) {
  struct stat status {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  return status.st_mode & 0777;
}

bool accepts(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool connected = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return connected;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("instance file: what is in it, who can read it, and that it goes") {
  Proxy proxy;
  const std::string path = proxy.instance_path();
  const auto record = boost::json::parse(read_file(path)).as_object();
  CHECK(number_in(record, "pid") == proxy.process().pid());
  CHECK(text_in(record, "proxy") == text_in(proxy.ready, "proxy"));
  CHECK(text_in(record, "admin") == proxy.admin);
  CHECK(text_in(record, "token").size() >= 32);
  CHECK(mode_of(path) == 0600);
  CHECK(mode_of(fs::path(path).parent_path()) == 0700);
  CHECK(proxy.process().stop(SIGTERM) == 0);
  CHECK(fs::is_empty(fs::path(path).parent_path()));
  CHECK(proxy.cli({"status"}).exit == 3);
}

TEST_CASE("a second instance of the same name fails, naming the first one's pid, and leaves it alone") {
  Proxy proxy;
  const std::string before = read_file(proxy.instance_path());
  const Run second = serve(proxy.environment(), {"--listen", "127.0.0.1:0", "--instance", proxy.instance});
  CHECK(second.exit == 1);
  CHECK(second.out == "");
  CHECK(contains(second.err, fmt::format("{}", proxy.process().pid())));
  CHECK(contains(second.err, proxy.instance));
  CHECK(read_file(proxy.instance_path()) == before);
  CHECK(proxy.cli({"status"}).exit == 0);
  // Another name beside it is fine.
  CHECK(text_in(serve_briefly(proxy.environment(), {"--instance", "another"}), "instance") == "another");
  CHECK(proxy.cli({"status"}).exit == 0);
}

TEST_CASE("a stale instance file is replaced") {
  Folder folder;
  fs::create_directories(folder.runtime);
  const std::string path = folder.runtime + "/default.json";
  Process gone;
  gone.start({"/bin/true"});
  gone.wait();
  const auto record = [](int pid) {
    return fmt::format(R"({{"pid":{},"proxy":"127.0.0.1:1","admin":"http://127.0.0.1:2","token":"old"}})", pid);
  };
  const std::vector<std::pair<std::string, std::string>> contents = {
      {"of a process that has ended", record(gone.pid())},
      {"of a number that another process has now", record(getpid())},
      {"empty", ""},
      {"garbage", "\x01not json"},
  };
  for (const auto& [name, content] : contents)
    each(name, [&] {
      write_file(path, content);
      serve_briefly(folder.environment, {});
      CHECK_FALSE(fs::exists(path));
    });
  each("of one that was killed", [&] {
    Process killed;
    killed.start({binary(), "serve", "--json", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, folder.environment);
    killed.read_line();
    CHECK(killed.stop(SIGKILL) == -SIGKILL);
    CHECK(fs::exists(path));
    CHECK(run({binary(), "status"}, folder.environment).exit == 3);
    serve_briefly(folder.environment, {});
    CHECK_FALSE(fs::exists(path));
  });
}

TEST_CASE("a runtime directory that cannot be written to is a clear error") {
  Folder folder;
  const std::string file = folder.home / "file";
  write_file(file, "in the way");
  // Permissions do not hold root back: a file in the place of a folder, and a file system without files, do.
  for (const std::string& place : {file, file + "/below", "/proc/cmuxproxy"s, "/proc/self/fd/run"s})
    each(place, [&] {
      const Run failed = serve({"CMUXPROXY_RUNTIME_DIR=" + place, "HOME=" + folder.home.path}, {"--listen", "127.0.0.1:0"});
      CHECK(failed.exit == 1);
      CHECK(failed.out == "");
      INFO(failed.err);
      CHECK(contains(failed.err, place));
      CHECK((contains(failed.err, "ot a directory") || contains(failed.err, "o such file") || contains(failed.err, "ermission")));
    });
  each("the variable is not set, and there is no home", [&] {
    const Run failed = run({"/usr/bin/env", "-u", "HOME", "-u", "XDG_RUNTIME_DIR", binary(), "serve", "--listen", "127.0.0.1:0"});
    CHECK(failed.exit == 1);
    CHECK(contains(failed.err, "CMUXPROXY_RUNTIME_DIR"));
  });
}

TEST_CASE("a busy port: the next one, up to --port-attempts") {
  Proxy first;
  const std::string busy = fmt::format("127.0.0.1:{}", first.port());
  if (first.port() > 65000) return;  // no room behind it
  each("the next one", [&] {
    Proxy second({"--listen", busy});
    CHECK(second.port() > first.port());
    CHECK(second.port() < first.port() + 50);
    CHECK(text_in(second.ready, "proxy") == fmt::format("127.0.0.1:{}", second.port()));
    CHECK(second.get(second.context(), fmt::format("http://127.0.0.1:{}/", second.port())).status == 508);  // it does serve there
  });
  each("one attempt only", [&] {
    Folder folder;
    const Run failed = serve(folder.environment, {"--listen", busy, "--port-attempts", "1"});
    CHECK(failed.exit == 1);
    CHECK(contains(failed.err, busy));
    CHECK(contains(failed.err, "in use"));
    CHECK((!fs::exists(folder.runtime) || fs::is_empty(folder.runtime)));
  });
  each("a busy admin port is an error: nobody would look for it elsewhere", [&] {
    Folder folder;
    const Run failed = run({binary(), "serve", "--listen", "127.0.0.1:0", "--admin", busy}, folder.environment, {}, 15s);
    CHECK(failed.exit == 1);
    CHECK(contains(failed.err, busy));
  });
}

TEST_CASE("an address that is not loopback needs --allow-remote") {
  Folder folder;
  const Run failed = serve(folder.environment, {"--listen", "0.0.0.0:0"});
  CHECK(failed.exit == 2);
  CHECK(contains(failed.err, "--allow-remote"));
}

TEST_CASE("SIGTERM and SIGINT: what is under way ends well, nothing new is accepted, the file goes, exit 0") {
  const int signal = GENERATE(SIGTERM, SIGINT);
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  Client busy = proxy.connect(), body = proxy.connect(), idle = proxy.connect(), silent = proxy.connect();
  busy.send(request_text("GET", "http://localhost:3000/slow?head=1500", context));
  body.send(request_text("GET", "http://localhost:3000/slow?body=300&pieces=5", context));
  body.read_until("\r\n\r\n");
  CHECK(idle.ask(request_text("GET", "http://localhost:3000/", context)).status == 200);
  REQUIRE(eventually([&] { return workspace.requests() == 3; }));
  proxy.process().signal(signal);
  CHECK(idle.read_all_until_close() == "");
  CHECK(silent.read_all_until_close() == "");
  CHECK(eventually([&] { return contains(proxy.process().stderr_text(), "stopping"); }));
  CHECK_FALSE(accepts(proxy.port()));
  const Response late = busy.read_response();
  CHECK(late.status == 200);
  CHECK(late.header("Connection") == "close");
  CHECK(body.read_all_until_close().size() >= 5 * 24);
  CHECK(proxy.process().wait() == 0);
  CHECK_FALSE(fs::exists(proxy.instance_path()));
}

// A signal that a worker's thread took was seen late, and by the thread sanitizer's build not at all.
TEST_CASE("SIGTERM right after the ready line ends the instance, every time") {
  for (int i = 0; i < 20; ++i) {
    CAPTURE(i);
    Proxy proxy;
    proxy.process().signal(SIGTERM);
    CHECK(proxy.process().wait() == 0);
  }
}

TEST_CASE("SIGTERM: after --drain-timeout what is left is closed") {
  Workspace workspace;
  Proxy proxy({"--drain-timeout", "300ms"}, &workspace);
  const Context context = proxy.routed();
  Client hanging = proxy.connect(), inside = tunnel(proxy, context, "localhost:3000");
  hanging.send(request_text("GET", "http://localhost:3000/hang", context));
  REQUIRE(eventually([&] { return workspace.requests() == 1; }));
  const auto start = std::chrono::steady_clock::now();
  CHECK(proxy.process().stop(SIGTERM) == 0);
  CHECK(std::chrono::steady_clock::now() - start > 250ms);
  CHECK(std::chrono::steady_clock::now() - start < 5s);
  CHECK(hanging.closed_by_peer());
  CHECK(inside.closed_by_peer());
  CHECK_FALSE(fs::exists(proxy.instance_path()));
  CHECK(eventually([&] { return aborted(workspace) == 1; }));
}

TEST_CASE("a second SIGTERM stops at once") {
  Workspace workspace;
  Proxy proxy({"--drain-timeout", "1h"}, &workspace);
  Client hanging = proxy.connect();
  hanging.send(request_text("GET", "http://localhost:3000/hang", proxy.routed()));
  REQUIRE(eventually([&] { return workspace.requests() == 1; }));
  proxy.process().signal(SIGTERM);
  REQUIRE(eventually([&] { return contains(proxy.process().stderr_text(), "stopping"); }));
  CHECK(hanging.silent(200ms));
  CHECK(proxy.process().running());
  const auto start = std::chrono::steady_clock::now();
  CHECK(proxy.process().stop(SIGTERM) == 0);
  CHECK(std::chrono::steady_clock::now() - start < 3s);
  CHECK(hanging.closed_by_peer());
  CHECK_FALSE(fs::exists(proxy.instance_path()));
}

TEST_CASE("SIGHUP: rereads the configuration, and keeps running and serving") {
  Workspace workspace;
  TempDir folder;
  const std::string config = folder / "config.toml";
  write_file(config, "log-level = \"warn\"\n");
  Proxy proxy({"--config", config}, &workspace);
  const Context context = proxy.routed();
  Client client = proxy.connect();
  const std::string request = request_text("GET", "http://localhost:3000/", context);
  CHECK(client.ask(request).status == 200);
  const auto says = [&](const std::string& text) {
    return eventually([&] { return contains(proxy.process().stderr_text(), text); });
  };

  write_file(config, "log-level = \"info\"\n");
  proxy.process().signal(SIGHUP);
  CHECK(says("read again"));
  CHECK(client.ask(request).status == 200);  // on the same connection

  write_file(config, "log-level = \"info\"\ndrain-timeuot = \"5s\"\n");
  proxy.process().signal(SIGHUP);
  CHECK(says("drain-timeuot"));
  CHECK(says(":2:"));
  CHECK(client.ask(request).status == 200);
  CHECK(proxy.process().running());
}
