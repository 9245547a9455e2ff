// An instance that belongs to the process that started it (--owner-pid).
#include <fmt/format.h>

#include <filesystem>

#include "support.hpp"

using namespace e2e;
namespace fs = std::filesystem;

TEST_CASE("owner-pid: the instance stops gracefully when that process ends, however it ends") {
  const int signal = GENERATE(SIGTERM, SIGKILL);
  Workspace workspace;
  Process owner;
  owner.start({"/bin/sleep", "600"});
  Proxy proxy({"--owner-pid", fmt::format("{}", owner.pid())}, &workspace);
  const Context context = proxy.routed();
  Client busy = proxy.connect();
  busy.send(request_text("GET", "http://localhost:3000/slow?head=800", context));
  REQUIRE(eventually([&] { return workspace.requests() == 1; }));
  CHECK(owner.stop(signal) == -signal);
  CHECK(busy.read_response().status == 200);
  CHECK(proxy.process().wait() == 0);
  CHECK_FALSE(fs::exists(proxy.instance_path()));
  CHECK(proxy.process().stderr_text().find(fmt::format("process {} has ended", owner.pid())) != std::string::npos);
}

TEST_CASE("owner-pid: an owner that nobody has waited for yet has ended") {
  Process owner;
  owner.start({"/bin/sleep", "600"});
  Proxy proxy({"--owner-pid", fmt::format("{}", owner.pid())});
  owner.signal(SIGKILL);  // and stays a zombie
  CHECK(proxy.process().wait() == 0);
}

TEST_CASE("owner-pid: without such a process, nothing starts") {
  TempDir home;
  Process gone;
  gone.start({"/bin/true"});
  gone.wait();
  const Strings environment{"CMUXPROXY_RUNTIME_DIR=" + home / "run", "CMUXPROXY_STATE_DIR=" + home / "state"};
  const Run failed =
      run({binary(), "serve", "--listen", "127.0.0.1:0", "--owner-pid", fmt::format("{}", gone.pid())}, environment);
  CHECK(failed.exit == 1);
  CHECK(failed.err.find(fmt::format("owner-pid: no process {} runs", gone.pid())) != std::string::npos);
  CHECK(fs::is_empty(home / "run"));
  for (const char* bad : {"0", "-1", "self", "4294967296"})
    CHECK(run({binary(), "serve", "--check", "--owner-pid", bad}, environment).exit == 2);
}
