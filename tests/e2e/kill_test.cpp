// Any process of `run`, `run --transparent` and `browser`, killed at any time: none of the others stays, and no file.
// CMUX_E2E_TRIALS says how often; CMUX_E2E_SEED repeats a run that failed.
#include <algorithm>
#include <fstream>
#include <random>
#include <sstream>
#include <thread>

#include "run_user.hpp"

using namespace e2e;
namespace fs = std::filesystem;

namespace {

unsigned number(const char* variable, unsigned otherwise) {
  const char* const text = std::getenv(variable);
  return text ? static_cast<unsigned>(std::stoul(text)) : otherwise;
}

// All that have this user's runtime folder in their environment, or are the instance of such a one: it hides its memory.
std::vector<pid_t> processes_of(const User& user, pid_t command) {
  std::vector<pid_t> found;
  std::error_code failed;
  for (const auto& each : fs::directory_iterator("/proc", failed)) {
    const pid_t pid = std::atoi(each.path().filename().c_str());
    if (pid <= 0) continue;
    const auto text = [&](const char* name) {
      std::ostringstream out;  // which takes it for empty where the process ends meanwhile
      out << std::ifstream(each.path() / name, std::ios::binary).rdbuf();
      return out.str();
    };
    if (contains(text("environ"), "CMUXPROXY_RUNTIME_DIR=" + user.runtime) ||
        contains(text("cmdline"), fmt::format("--owner-pid{}{}{}", '\0', command, '\0')))
      found.push_back(pid);
  }
  return found;
}

}  // namespace

TEST_CASE("killed at any time, any of its processes, run and browser leave nothing") {
  const unsigned seed = number("CMUX_E2E_SEED", std::random_device{}()), trials = number("CMUX_E2E_TRIALS", 24);
  std::mt19937 random(seed);
  const auto below = [&](std::size_t limit) { return random() % limit; };
  User user;
  const std::string browser = user.folder / "fake-browser";
  write_file(browser, "#!/bin/sh\nexec sleep 300\n");
  fs::permissions(browser, fs::perms::owner_all);
  for (unsigned trial = 0; trial < trials; ++trial) {
    Strings flags = kFromUrl;
    if (trial % 3 == 1) flags.emplace_back("--transparent");
    Strings argv = user.argv({"sleep", "300"}, flags);
    if (trial % 3 == 2) argv = {binary(), "browser", "--browser", browser, kFromUrl[0], kFromUrl[1]};
    Process command;
    command.start(argv, user.environment);
    std::this_thread::sleep_for(milliseconds(below(250)));  // style: any time is what it is about
    std::vector<pid_t> all = processes_of(user, command.pid());
    std::sort(all.begin(), all.end());
    INFO(fmt::format("seed {}, trial {}, {} of {}", seed, trial, fmt::join(argv, " "), fmt::join(all, " ")));
    if (!all.empty()) kill(all[below(all.size())], SIGKILL);
    if (below(2) == 0) std::this_thread::sleep_for(milliseconds(below(50)));  // style: or both at once
    command.stop(SIGKILL);
    REQUIRE(eventually([&] { return processes_of(user, command.pid()).empty(); }));
  }
  // What nobody was left to remove goes with the next of its kind.
  CHECK(user.run({"true"}).exit == 0);
  CHECK(run({binary(), "browser", "--browser", "/bin/true", kFromUrl[0], kFromUrl[1]}, user.environment).exit == 0);
  CHECK(user.nothing_is_left());
  CHECK(fs::is_empty(user.state + "/browser"));
  for (const auto& each : fs::directory_iterator(user.folder.path))
    CHECK((each.path() == user.runtime || each.path() == user.state || each.path() == browser));
}
