#include "base/process.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <memory>

#include "base/loop.hpp"

using namespace cmux;

namespace {

// A child that lives until end(), and is a zombie from there until reap().
class Child {
 public:
  Child() {
    int ends[2];
    if (pipe(ends) != 0) throw std::runtime_error("pipe");
    pid_ = fork();
    if (pid_ == 0) {
      close(ends[1]);
      char byte;
      while (read(ends[0], &byte, 1) > 0) {}
      _exit(0);
    }
    close(ends[0]);
    hold_ = ends[1];
  }
  ~Child() { reap(); }
  pid_t pid() const { return pid_; }
  void end() {
    if (hold_ >= 0) close(hold_);
    hold_ = -1;
  }
  void await_zombie() {
    end();
    siginfo_t info{};
    waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);
  }
  void reap() {
    end();
    if (!reaped_) waitpid(pid_, nullptr, 0);
    reaped_ = true;
  }

 private:
  pid_t pid_;
  int hold_ = -1;
  bool reaped_ = false;
};

}  // namespace

TEST_CASE("process_runs tells the living from the dead") {
  CHECK(process_runs(getpid()));
  CHECK(process_runs(1));  // somebody else's
  Child child;
  CHECK(process_runs(child.pid()));
  child.await_zombie();
#if CMUX_LINUX
  CHECK_FALSE(process_runs(child.pid()));  // a zombie has ended
#endif
  child.reap();
  CHECK_FALSE(process_runs(child.pid()));
}

TEST_CASE("a process watch fires once when the process has ended") {
  struct Seen {
    unsigned first = 0, second = 0;
  } seen;
  Loop loop;
  Child child;
  auto gone = std::make_unique<ProcessWatch>(
      child.pid(), [](void* s) { ++static_cast<Seen*>(s)->first; }, &seen);
  ProcessWatch watch(
      child.pid(),
      [](void* s) {
        ++static_cast<Seen*>(s)->second;
        Loop::current().stop();
      },
      &seen);
  gone.reset();  // its watch has ended
#if CMUX_LINUX
  child.await_zombie();
#else
  child.reap();  // only Linux tells of a zombie
#endif
  loop.run();
  CHECK(seen.second == 1);
  CHECK(seen.first == 0);
}

TEST_CASE("a watch on a process that is gone already fires") {
  Loop loop;
  Child child;
  child.reap();
  bool fired = false;
  ProcessWatch watch(
      child.pid(), [](void* f) { *static_cast<bool*>(f) = true, Loop::current().stop(); }, &fired);
  CHECK_FALSE(fired);  // never within the constructor
  loop.run();
  CHECK(fired);
}
