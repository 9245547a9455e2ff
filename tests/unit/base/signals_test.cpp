#include "base/signals.hpp"

#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

#include "base/run.hpp"

using namespace cmux;

namespace {

Task<void> take_until(Signals& signals, std::size_t count, std::vector<int>& taken) {
  std::function<void(int)> take = [&](int number) {
    taken.push_back(number);
    if (taken.size() == count) signals.close();
    else kill(getpid(), SIGUSR2);
  };
  kill(getpid(), SIGUSR1);
  co_await signals.run(std::move(take));
}

}  // namespace

TEST_CASE("signals call back on the loop, those from before it ran too") {
  Loop loop;
  Signals signals{SIGUSR1, SIGUSR2};
  std::vector<int> taken;
  run(loop, take_until(signals, 3, taken));
  CHECK(taken == std::vector<int>{SIGUSR1, SIGUSR2, SIGUSR2});
}

TEST_CASE("closed to be ignored, signals have no effect any more: not even those that were blocked meanwhile") {
  Loop loop;
  Signals signals{SIGUSR1};
  signals.close_ignoring();
  kill(getpid(), SIGUSR1);
  struct sigaction now {};
  sigaction(SIGUSR1, nullptr, &now);
  CHECK(now.sa_handler == SIG_IGN);
  signal(SIGUSR1, SIG_DFL);
}

TEST_CASE("threads that were started while signals are blocked take none") {
  sigset_t inside, outside;
  pthread_sigmask(SIG_SETMASK, nullptr, &outside);
  {
    const SignalsBlocked blocked;
    std::thread([&] { pthread_sigmask(SIG_SETMASK, nullptr, &inside); }).join();
  }
  CHECK(sigismember(&inside, SIGTERM) == 1);
  sigset_t after;
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  CHECK(sigismember(&after, SIGTERM) == sigismember(&outside, SIGTERM));
}
