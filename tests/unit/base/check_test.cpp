#include "base/check.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <string>

#include "base/buffer.hpp"

namespace cmux {
namespace {

struct End {
  int status = 0;
  std::string said;
};

// What becomes of a process that does so.
template <class Work>
End apart(Work work) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGABRT, SIG_DFL);
    dup2(ends[1], STDERR_FILENO);
    work();
    _exit(0);
  }
  close(ends[1]);
  End end;
  char bytes[256];
  for (ssize_t count = 0; (count = read(ends[0], bytes, sizeof bytes)) > 0;)
    end.said.append(bytes, static_cast<std::size_t>(count));
  close(ends[0]);
  waitpid(child, &end.status, 0);
  return end;
}

struct Counted {
  int size = 0, looked = 0;
  void invariants() { ++looked; }
};

}  // namespace

TEST_CASE("check: a promise that is kept costs nothing and says nothing") {
  const End end = apart([] { CMUX_CHECK(1 + 1 == 2, "numbers add up"); });
  CHECK(WIFEXITED(end.status));
  CHECK(end.said.empty());
}

TEST_CASE("check: a broken promise ends the program, and says which one it was and where") {
  const int line = __LINE__ + 1;
  const End end = apart([] { CMUX_CHECK(1 + 1 == 3, "numbers add up"); });
  CHECK(WIFSIGNALED(end.status));
  CHECK(WTERMSIG(end.status) == SIGABRT);
  CAPTURE(end.said);
  CHECK(end.said.starts_with("cmuxproxy: a bug: numbers add up: broken at "));
  CHECK(end.said.find("check_test.cpp:" + std::to_string(line) + ".") != std::string::npos);
  CHECK(end.said.find('\n') == end.said.size() - 1);
}

TEST_CASE("check: a buffer gives no more than it has") {
  const End end = apart([] {
    Buffer buffer;
    buffer.append("abc");
    buffer.consume(4);
  });
  CHECK(WIFSIGNALED(end.status));
  CHECK(end.said.find("no more is consumed than there is") != std::string::npos);
}

TEST_CASE("check: invariants are looked at where somebody wants to know") {
  Counted counted;
  CHECK(invariants_wanted);  // tests do
  CMUX_INVARIANTS(counted);
  CHECK(counted.looked == 1);
  invariants_wanted = false;
  CMUX_INVARIANTS(counted);
  CHECK(counted.looked == 1);
  invariants_wanted = true;
}

}  // namespace cmux
