// The log on a standard error that is not read, or not there: programs that start an instance often do not care for it.
#include <fcntl.h>

#include <filesystem>
#include <future>

#include "support.hpp"

namespace e2e {
namespace {

// As small as pipes get, and never read unless a test does.
struct SmallPipe {
  SmallPipe() {
    if (pipe2(ends, O_CLOEXEC) != 0 || fcntl(ends[1], F_SETPIPE_SZ, 4096) < 0) FAIL("pipe: " << std::strerror(errno));
  }
  ~SmallPipe() {
    for (const int end : ends) ::close(end);
  }
  SmallPipe(const SmallPipe&) = delete;
  // From the beginning on until `text` comes.
  std::string read_until(std::string_view text) {
    std::string out;
    while (out.find(text) == std::string::npos) {
      pollfd wanted{ends[0], POLLIN, 0};
      if (poll(&wanted, 1, static_cast<int>(kPatience.count())) <= 0) FAIL("only this is said: " << out);
      char block[4096];
      out.append(block, static_cast<std::size_t>(std::max<ssize_t>(0, ::read(ends[0], block, sizeof block))));
    }
    return out;
  }
  // What is there now.
  std::string read_some() {
    pollfd wanted{ends[0], POLLIN, 0};
    char block[4096];
    if (poll(&wanted, 1, 0) <= 0) return {};
    return {block, static_cast<std::size_t>(std::max<ssize_t>(0, ::read(ends[0], block, sizeof block)))};
  }
  int ends[2];
};

// How many lines the log itself says are missing in it.
std::int64_t told_lost(std::string_view log) {
  constexpr std::string_view kGap = " log lines were dropped";
  std::int64_t sum = 0;
  for (std::size_t at = log.find(kGap); at != std::string_view::npos; at = log.find(kGap, at + 1))
    sum += std::atoll(log.data() + log.rfind(' ', at - 1));
  return sum;
}

std::int64_t dropped_lines(const Proxy& proxy) {
  const std::string text = proxy.api("GET", "/metrics").body;
  constexpr std::string_view kName = "\ncmuxproxy_log_lines_dropped_total ";
  const std::size_t at = text.find(kName);
  if (at == std::string::npos) FAIL("no such metric in " << text);
  return std::atoll(text.c_str() + at + kName.size());
}

// More of its access log than any buffer on the way holds.
void chatter(const Proxy& proxy, const Context& context) {
  const std::string path(20'000, 'p');
  Client client = proxy.connect();
  for (int i = 0; i < 300; ++i) {
    INFO(i);
    REQUIRE(client.ask(request_text("GET", "http://127.0.0.1:1/" + path, context)).status == 502);
  }
}

}  // namespace

TEST_CASE("log: an instance whose standard error is not read serves on, says what it dropped, and stops") {
  const std::string how = GENERATE("stop", "SIGTERM");
  SmallPipe error;
  Proxy proxy({"--access-log", "--refused-timeout", "0"}, nullptr, error.ends[1]);
  const Context context = proxy.context();
  chatter(proxy, context);
  CHECK(dropped_lines(proxy) > 0);
  CHECK(proxy.cli({"status"}).exit == 0);
  if (how == "stop") CHECK(proxy.cli({"stop"}).exit == 0);
  else proxy.process().signal(SIGTERM);
  CHECK(proxy.process().wait() == 0);
}

TEST_CASE("log: a standard error that is read late gets what was kept, and is told how much was not") {
  SmallPipe error;
  Proxy proxy({"--access-log", "--refused-timeout", "0"}, nullptr, error.ends[1]);
  chatter(proxy, proxy.context());
  CHECK(dropped_lines(proxy) > 0);
  // In one gap or in several: lines of the last requests may have been dropped behind the first.
  std::string told;
  CHECK(eventually([&] {
    told += error.read_some();
    return told_lost(told) == dropped_lines(proxy);
  }));
  // And what comes then reaches who reads, to the last line.
  auto rest = std::async(std::launch::async, [&] { return error.read_until("stopping"); });
  CHECK(proxy.process().stop() == 0);
  rest.get();
}

TEST_CASE("log: the ready line waits for its reader, and nobody for it") {
  SmallPipe out;
  const std::string filler(4096, '.');
  REQUIRE(::write(out.ends[1], filler.data(), filler.size()) == 4096);
  TempDir home;
  const std::string runtime = home / "run";
  Process process;
  // The pipe is standard error of the shell, and standard output of the instance.
  process.start({"/bin/sh", "-c", "exec \"$@\" 1>&2 2>/dev/null", "sh", binary(), "serve", "--json", "--listen", "127.0.0.1:0",
                 "--instance", "late"},
                {"CMUXPROXY_RUNTIME_DIR=" + runtime, "CMUXPROXY_STATE_DIR=" + home / "state"}, Process::Stdin::none, out.ends[1]);
  const Strings environment{"CMUXPROXY_RUNTIME_DIR=" + runtime, "CMUXPROXY_STATE_DIR=" + home / "state"};
  CHECK(eventually([&] { return run({binary(), "status", "--instance", "late"}, environment).exit == 0; }));
  const std::string said = out.read_until("\n");
  CHECK(said.starts_with(filler + "{\"event\":\"ready\""));
  CHECK(process.stop() == 0);
}

TEST_CASE("log: descriptors 0 to 2 that are closed are opened on /dev/null, before a socket can get their number") {
  TempDir home;
  const Strings environment{"CMUXPROXY_RUNTIME_DIR=" + home / "run", "CMUXPROXY_STATE_DIR=" + home / "state"};
  Process process;
  process.start({"/bin/sh", "-c", "exec \"$@\" 0<&- 1>&- 2>&-", "sh", binary(), "serve", "--dumpable", "--listen", "127.0.0.1:0",
                 "--instance", "closed"},
                environment);
  REQUIRE(eventually([&] { return run({binary(), "status", "--instance", "closed"}, environment).exit == 0; }));
  for (const int number : {0, 1, 2})
    CHECK(std::filesystem::read_symlink(fmt::format("/proc/{}/fd/{}", process.pid(), number)) == "/dev/null");
  CHECK(process.stop() == 0);
  CHECK(run({"/bin/sh", "-c", "exec \"$0\" version >&- 2>&- <&-", binary()}, environment).exit == 0);
}

TEST_CASE("log: releasing all contexts is one line") {
  Proxy proxy;
  for (int i = 0; i < 5; ++i) proxy.context();
  CHECK(proxy.cli({"ctx", "release", "--all"}).exit == 0);
  const Context single = proxy.context();
  CHECK(proxy.cli({"ctx", "release", single.id}).exit == 0);
  CHECK(proxy.process().stop() == 0);
  const std::string log = proxy.process().stderr_text();
  CHECK(log.find("released 5 contexts: it was released\n") != std::string::npos);
  CHECK(log.find(fmt::format("released context {}: it was released\n", single.id)) != std::string::npos);
  std::size_t lines = 0;
  for (std::size_t at = 0; (at = log.find("released", at)) != std::string::npos; at = log.find('\n', at)) ++lines;
  CHECK(lines == 2);
}

}  // namespace e2e
