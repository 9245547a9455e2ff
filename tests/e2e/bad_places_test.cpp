// Folders that cannot be written to, no HOME, and standard streams that take nothing: what is said, and that the rest goes on.
#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>

#include "support.hpp"

namespace e2e {
namespace {

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// Where root cannot write, either.
constexpr const char* kNowhere = "/proc/cmuxproxy";

// Serves with that environment, asks it once, and stops it. What it has logged.
std::string serve_and_stop(const Strings& environment, int error = -1) {
  Process process;
  process.start({binary(), "serve", "--json", "--listen", "127.0.0.1:0"}, environment, Process::Stdin::none, error);
  const auto ready = boost::json::parse(process.read_line()).as_object();
  Client client(static_cast<std::uint16_t>(ready.at("port").as_int64()));
  CHECK(client.ask("GET http://localhost:3000/ HTTP/1.1\r\nHost: localhost:3000\r\n\r\n").status == 407);
  CHECK(process.stop() == 0);
  return error < 0 ? process.stderr_text() : "";
}

}  // namespace

TEST_CASE("bad places: a runtime folder that cannot be made, with the variable that names another") {
  const TempDir home;
  const std::string state = "CMUXPROXY_STATE_DIR=" + (home / "state");
  for (const Strings& place :
       {Strings{std::string("CMUXPROXY_RUNTIME_DIR=") + kNowhere}, Strings{std::string("XDG_RUNTIME_DIR=") + kNowhere},
        Strings{std::string("HOME=") + kNowhere, "XDG_RUNTIME_DIR="}}) {
    Strings environment = place;
    environment.push_back(state);
    const Run refused = run({binary(), "serve", "--listen", "127.0.0.1:0"}, environment);
    CHECK(refused.exit == 1);
    INFO(refused.err);
    CHECK(has(refused.err, kNowhere));
    CHECK(has(refused.err, "CMUXPROXY_RUNTIME_DIR names another folder"));
  }
  const Run none = run({binary(), "serve", "--listen", "127.0.0.1:0"}, {"HOME=", "XDG_RUNTIME_DIR=", state});
  CHECK(none.exit == 1);
  CHECK(has(none.err, "set CMUXPROXY_RUNTIME_DIR, XDG_RUNTIME_DIR or HOME"));
  CHECK(run({binary(), "ctx", "list"}, {"HOME=", "XDG_RUNTIME_DIR="}).exit == 3);
}

TEST_CASE("bad places: without a state folder all works but TLS, and says which variable helps") {
  const TempDir home;
  const std::string runtime = "CMUXPROXY_RUNTIME_DIR=" + (home / "run"), state = std::string("CMUXPROXY_STATE_DIR=") + kNowhere;
  const std::string log = serve_and_stop({runtime, state});
  CHECK(has(log, "no TLS towards clients"));
  CHECK(has(log, "CMUXPROXY_STATE_DIR names another folder"));
  CHECK(has(serve_and_stop({runtime, "HOME=", "XDG_STATE_HOME="}), "set CMUXPROXY_STATE_DIR, XDG_STATE_HOME or HOME"));
  for (const Strings& command :
       {Strings{"ca", "pem"}, Strings{"ca", "install"}, Strings{"serve", "--detach", "--listen", "127.0.0.1:0"}}) {
    Strings whole{binary()};
    whole.insert(whole.end(), command.begin(), command.end());
    const Run refused = run(whole, {runtime, state});
    CHECK(refused.exit == 1);
    CHECK(has(refused.err, "CMUXPROXY_STATE_DIR"));
  }
}

TEST_CASE("bad places: a full disk, as a file system of one page") {
  const TempDir home;
  // In a mount namespace of its own, where everybody may have a small file system.
  Strings command{"unshare", "--mount"};
  if (geteuid() != 0) command.insert(command.end(), {"--user", "--map-root-user"});
  command.insert(command.end(),
                 {"sh", "-c",
                  "mount -t tmpfs -o size=4k,mode=0700 full \"$HOME\" && cat /dev/zero > \"$HOME/filler\" 2>/dev/null; "
                  "exec \"$CMUX\" ca pem"});
  const Run full = run(command, {"HOME=" + home.path, "XDG_STATE_HOME=", "CMUX=" + binary()});
  INFO(full.err);
  CHECK(full.exit == 1);
  CHECK(has(full.err, "No space left on device"));
  CHECK(has(full.err, "CMUXPROXY_STATE_DIR names another folder"));
}

TEST_CASE("bad places: full and closed standard streams: commands fail, the data path goes on") {
  const TempDir home;
  const Strings environment{"CMUXPROXY_RUNTIME_DIR=" + (home / "run"), "CMUXPROXY_STATE_DIR=" + (home / "state")};
  const auto shell = [&](const std::string& command) {
    Strings with = environment;
    with.push_back("CMUX=" + binary());
    return run({"sh", "-c", command}, with).exit;
  };
  for (const char* command :
       {"version", "ca pem", "completion bash", "serve --check", "--help", "run --help", "version --json"}) {
    INFO(command);
    CHECK(shell(fmt::format("\"$CMUX\" {} >/dev/full", command)) == 1);
  }
  CHECK(shell("\"$CMUX\" version >&-") == 0);  // nobody is there to miss it
  CHECK(shell("\"$CMUX\" no-such-command 2>/dev/full") == 2);
  CHECK(shell("\"$CMUX\" no-such-command 2>&-") == 2);
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  REQUIRE(full >= 0);
  serve_and_stop(environment, full);
  close(full);
}

}  // namespace e2e
