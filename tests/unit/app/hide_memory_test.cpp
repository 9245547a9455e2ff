#include "app/hide_memory.hpp"

#include <catch2/catch.hpp>

#ifdef __linux__
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

TEST_CASE("memory: hidden from core files and from other processes") {
  const pid_t child = fork();
  if (child == 0) {
    cmux::app::hide_memory();
    _exit(prctl(PR_GET_DUMPABLE));
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}
#endif
