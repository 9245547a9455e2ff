// serve --detach and status --wait: an instance in the background.
#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>

#include "support.hpp"

using namespace e2e;
namespace fs = std::filesystem;

namespace {

// Folders of a test's own; whatever instance is left at the end is killed.
struct Home {
  TempDir folder;
  Strings environment{"CMUXPROXY_RUNTIME_DIR=" + folder / "run", "CMUXPROXY_STATE_DIR=" + folder / "state", "HOME=" + folder.path,
                      "XDG_CONFIG_HOME=" + folder / "config"};
  ~Home() {
    if (pid > 0) kill(pid, SIGKILL);
  }
  Run cli(Strings arguments) const {
    arguments.insert(arguments.begin(), binary());
    return run(arguments, environment);
  }
  Run detach(Strings more = {}) {
    Strings all{"serve", "--detach", "--json", "--listen", "127.0.0.1:0"};
    all.insert(all.end(), more.begin(), more.end());
    const Run started = cli(all);
    if (started.exit == 0) pid = static_cast<pid_t>(number_in(started.json().as_object(), "pid"));
    return started;
  }
  std::string log(std::string_view name = "default.log") const { return folder / "state/log/" + std::string(name); }
  pid_t pid = -1;
};

mode_t mode_of(const std::string& path) {
  struct stat status {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  return status.st_mode & 0777;
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("serve --detach: returns when it is ready, with its ready document; the log is private") {
  Home home;
  const Run started = home.detach({"--access-log"});
  INFO(started.err);
  REQUIRE(started.exit == 0);
  const auto ready = started.json().as_object();
  CHECK(text_in(ready, "event") == "ready");
  const Run status = home.cli({"status", "--json"});
  CHECK(status.exit == 0);
  CHECK(number_in(status.json().as_object(), "pid") == home.pid);
  CHECK(getsid(home.pid) == home.pid);  // a terminal that closes does not end it
  for (const int number : {0, 1, 2}) {
    const fs::path at = fmt::format("/proc/{}/fd/{}", home.pid, number);
    std::error_code unreadable;  // it hides its memory, and its descriptors with it, from all but root
    const fs::path leads = fs::read_symlink(at, unreadable);
    if (!unreadable) CHECK(leads == (number == 0 ? "/dev/null" : home.log()));
  }
  Client(static_cast<std::uint16_t>(number_in(ready, "port"))).ask("GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n");
  CHECK(eventually([&] { return contains(read_file(home.log()), "access GET http://localhost/ 407"); }));
  CHECK(mode_of(home.log()) == 0600);
  CHECK(mode_of(fs::path(home.log()).parent_path()) == 0700);
  CHECK(home.cli({"stop"}).exit == 0);
  home.pid = -1;
  CHECK(fs::is_empty(home.folder / "run"));
}

TEST_CASE("serve --detach: the readable line is the child's, and --ready-fd is written to") {
  Home home;
  const Run started = run(
      {"/bin/sh", "-c", "\"$0\" serve --detach --listen 127.0.0.1:0 --ready-fd 5 5>\"$HOME/ready\"", binary()}, home.environment);
  INFO(started.err);
  REQUIRE(started.exit == 0);
  CHECK(contains(started.out, "(default) is ready: proxy 127.0.0.1:"));
  const auto ready = boost::json::parse(read_file(home.folder / "ready")).as_object();
  home.pid = static_cast<pid_t>(number_in(ready, "pid"));
  CHECK(home.cli({"stop"}).exit == 0);
  home.pid = -1;
}

TEST_CASE("serve --detach: what cannot start says why, with the exit code of serve, and leaves a running one's log alone") {
  Home home;
  REQUIRE(home.detach().exit == 0);
  const Run second = home.cli({"serve", "--detach", "--listen", "127.0.0.1:0"});
  CHECK(second.exit == 1);
  CHECK(second.out.empty());
  CHECK(contains(second.err, fmt::format("already running, with pid {}", home.pid)));
  CHECK_FALSE(contains(read_file(home.log()), "already running"));
  const Run usage = home.cli({"serve", "--detach", "--threads", "none"});
  CHECK(usage.exit == 2);
  CHECK(contains(usage.err, "--threads"));
  CHECK(home.cli({"serve", "--detach", "--check"}).exit == 0);
}

TEST_CASE("serve --detach: warnings of the start are in the log, which is appended to") {
  Home home;
  fs::create_directories(home.folder / "state/log");
  write_file(home.log(), "of yesterday\n");
  REQUIRE(chmod(home.log().c_str(), 0644) == 0);
  const Run started = home.detach({"--insecure-upstream"});
  REQUIRE(started.exit == 0);
  CHECK(eventually([&] { return contains(read_file(home.log()), "insecure-upstream"); }));
  CHECK(read_file(home.log()).starts_with("of yesterday\n"));
  CHECK(mode_of(home.log()) == 0600);
}

TEST_CASE("serve --detach: a log that is too large becomes the older of two") {
  Home home;
  fs::create_directories(home.folder / "state/log");
  write_file(home.log(), std::string(8 * 1024 * 1024 + 1, 'x'));
  REQUIRE(home.detach({"--access-log"}).exit == 0);
  CHECK(eventually([&] { return fs::exists(home.log("default.log.1")) && fs::exists(home.log()); }));
  CHECK(fs::file_size(home.log()) < 1024 * 1024);
}

TEST_CASE("status --wait: an instance that comes is waited for, and none that does not come") {
  Home home;
  const Run nobody = home.cli({"status", "--wait", "50ms"});
  CHECK(nobody.exit == 3);
  CHECK(contains(nobody.err, "cmuxproxy serve"));
  CHECK(home.cli({"status", "--wait", "soon"}).exit == 2);
  CHECK(home.cli({"status", "--wait", ""}).exit == 2);
  Process waiting;
  waiting.start({binary(), "status", "--wait", "60s", "--json"}, home.environment);
  REQUIRE(home.detach().exit == 0);
  CHECK(waiting.wait() == 0);
  CHECK(number_in(boost::json::parse(waiting.read_line()).as_object(), "pid") == home.pid);
}
