// cmux-sim: runs seeds, each twice, each run in a process of its own that is forked from the same state: so a run that crashes
// ends alone, and addresses, which decide about orders here and there, are the same in both.
#include <openssl/rand.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>

#include "base/check.hpp"
#include "contract_test.hpp"
#include "seeds.hpp"
#include "world.hpp"

namespace sim {
namespace {

constexpr std::size_t kMostFailures = 20;

struct Failure {
  std::uint64_t seed;
  Report report;
  int signal;
  bool differs;
};

// What a lane of runs has found; shared with its parent.
struct Lane {
  Report run;
  std::uint64_t done, events;
  std::uint64_t marks[kMostMarks];
  std::size_t failed;
  Failure failures[kMostFailures];
};

Lane* shared_lane() {
  void* const memory = mmap(nullptr, sizeof(Lane), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::runtime_error("mmap");
  return static_cast<Lane*>(memory);
}

// --- randomness --------------------------------------------------------------------------------------------------------------

// OpenSSL's, so that keys, nonces and credentials are the seed's too.
Random secrets(1);
int random_bytes(unsigned char* into, int count) {
  for (int i = 0; i < count; ++i) into[i] = static_cast<unsigned char>(secrets.next() >> 32);
  return 1;
}
int random_status() { return 1; }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
void seed_openssl() {
  static const RAND_METHOD method{nullptr, random_bytes, nullptr, nullptr, random_bytes, random_status};
  RAND_set_rand_method(&method);
}
#pragma GCC diagnostic pop

// --- runs --------------------------------------------------------------------------------------------------------------------

void run_here(std::uint64_t seed) {
  secrets = Random(seed);
  Random random(seed);
  Kernel made(random.next());
  kernel = &made;
  {
    World world(random.next(), seed % 4 == 0, seed % 16 == 1);
    world.run();
  }
  kernel = nullptr;
}

// In a child. Its wait status.
int run_apart(std::uint64_t seed, Report& into) {
  into = {};
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);  // of this machine's time: a run takes milliseconds
    share_report(&into);
    run_here(seed);
    std::fflush(stdout);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

bool went_well(int status) { return WIFEXITED(status) && WEXITSTATUS(status) == 0; }

void run_seed(Lane& lane, std::uint64_t seed) {
  int status = run_apart(seed, lane.run);
  const Report first = lane.run;
  bool differs = false;
  if (went_well(status)) {
    status = run_apart(seed, lane.run);
    differs = went_well(status) && first.hash != lane.run.hash;
  }
  ++lane.done;
  lane.events += first.events;
  for (std::size_t i = 0; i < kMostMarks; ++i) lane.marks[i] += first.marks[i];
  if (went_well(status) && !differs) return;
  if (lane.failed < kMostFailures)
    lane.failures[lane.failed] = {seed, lane.run, WIFSIGNALED(status) ? WTERMSIG(status) : 0, differs};
  ++lane.failed;
}

std::string text_of(const Failure& failure) {
  const Report& report = failure.report;
  std::string what = failure.differs       ? "determinism: two runs of it differ"
                     : failure.signal != 0 ? fmt::format("crash: {}", strsignal(failure.signal))
                     : report.failed       ? fmt::format("{}: {}", report.oracle, report.text)
                                           : "crash: it has ended by itself; what it said is above";
  return fmt::format("seed {}: {}\n  again, with its trace: cmux-sim --seed {} --trace\n", failure.seed, what, failure.seed);
}

bool check_census(const std::array<std::uint64_t, kMostMarks>& marks) {
  bool complete = true;
  for (std::size_t i = 0; i < kMarks.size(); ++i) {
    if (marks[i] != 0) continue;
    const std::string_view reason = exemption(kMarks[i].name);
    if (!reason.empty()) continue;
    std::printf("census: %s was never reached\n", std::string(kMarks[i].name).c_str());
    complete = false;
  }
  return complete;
}

int run_many(const std::vector<std::uint64_t>& seeds, unsigned lanes, bool census, bool list) {
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::pair<Lane*, pid_t>> running;
  std::fflush(stdout);
  for (unsigned i = 0; i < lanes; ++i) {
    Lane* const lane = shared_lane();
    const pid_t process = fork();
    if (process == 0) {
      for (std::size_t next = i; next < seeds.size() && lane->failed < kMostFailures; next += lanes) run_seed(*lane, seeds[next]);
      _exit(0);
    }
    running.emplace_back(lane, process);
  }
  std::array<std::uint64_t, kMostMarks> marks{};
  std::uint64_t done = 0, events = 0;
  std::size_t failed = 0;
  for (const auto& [lane, process] : running) {
    int status = 0;
    waitpid(process, &status, 0);
    done += lane->done, events += lane->events, failed += lane->failed;
    for (std::size_t i = 0; i < kMostMarks; ++i) marks[i] += lane->marks[i];
    for (std::size_t i = 0; i < std::min(lane->failed, kMostFailures); ++i) std::printf("%s", text_of(lane->failures[i]).c_str());
    if (!went_well(status)) ++failed, std::printf("a lane of runs has crashed\n");
  }
  if (list)
    for (std::size_t i = 0; i < kMarks.size(); ++i)
      std::printf("%10llu  %-26s %s\n", static_cast<unsigned long long>(marks[i]), std::string(kMarks[i].name).c_str(),
                  std::string(kMarks[i].what).c_str());
  const bool complete = !census || check_census(marks);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf("%llu seeds twice, %llu system calls, %zu failed, %.1f s\n", static_cast<unsigned long long>(done),
              static_cast<unsigned long long>(events), failed, seconds);
  return failed == 0 && complete ? 0 : 1;
}

int run_one(std::uint64_t seed, bool trace) {
  Lane* const lane = shared_lane();
  run_seed(*lane, seed);
  if (trace) {
    tracing = true;
    const std::uint64_t hash = lane->run.hash;
    const int status = run_apart(seed, lane->run);
    if (went_well(status) && lane->run.hash != hash) std::printf("(this run differs from the one without --trace)\n");
  }
  for (std::size_t i = 0; i < lane->failed; ++i) std::printf("%s", text_of(lane->failures[i]).c_str());
  if (lane->failed == 0) std::printf("seed %llu passes\n", static_cast<unsigned long long>(seed));
  return lane->failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace sim

int main(int argc, char** argv) {
  cmux::invariants_wanted = true;
  // The same addresses in every process, where the system allows it.
  if (const int before = personality(0xffffffff); before >= 0 && (before & ADDR_NO_RANDOMIZE) == 0 &&
                                                  personality(static_cast<unsigned long>(before) | ADDR_NO_RANDOMIZE) >= 0)
    execv("/proc/self/exe", argv);

  CLI::App app("Whole workers on a simulated network and clock; one number, the seed, decides everything.");
  std::uint64_t count = 2000, from = 0, seed = 0;
  unsigned lanes = std::max(1u, std::thread::hardware_concurrency());
  bool trace = false, list = false;
  app.add_option("--seeds", count, "how many to run (2000, and those that have found something)");
  app.add_option("--from", from, "the first of them");
  app.add_option("--lanes", lanes, "how many to run at once");
  auto* const one = app.add_option("--seed", seed, "run this one alone");
  bool here = false, contract = false;
  app.add_flag("--trace", trace, "... and tell what happens");
  app.add_flag("--here", here, "... in this process, for a debugger");
  app.add_flag("--census", list, "say how often each fault struck and each outcome was reached");
  app.add_flag("--contract", contract, "instead: the same calls on the simulated and on the real sockets");
  CLI11_PARSE(app, argc, argv);

  static char buffer[1 << 16];
  std::setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
  if (contract) return sim::run_contract();
  sim::seed_openssl();
  sim::keys();
  cmux::net::Lookups::shared();
  if (here) return sim::tracing = trace, sim::run_here(seed), 0;
  if (one->count() > 0) return sim::run_one(seed, trace);
  std::vector<std::uint64_t> seeds;
  for (const sim::KeptSeed& kept : sim::kKeptSeeds) seeds.push_back(kept.seed);
  for (std::uint64_t i = 0; i < count; ++i) seeds.push_back(from + i);
  return sim::run_many(seeds, lanes, count >= 2000, list);
}
