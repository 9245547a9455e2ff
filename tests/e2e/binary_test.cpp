// What the program and its process look like from outside: hardening of a release build, and memory that nobody else reads.
#include <sys/stat.h>

#include <filesystem>

#include "support.hpp"

namespace e2e {
namespace {

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// The user that a process's files in /proc belong to. Root's, whoever runs it, where its memory is hidden (proc(5)).
uid_t owner_of(pid_t pid) {
  struct stat status {};
  REQUIRE(stat(fmt::format("/proc/{}/environ", pid).c_str(), &status) == 0);
  return status.st_uid;
}

}  // namespace

TEST_CASE("binary: a release is hardened") {
  const Run flags = run({"readelf", "-hldW", binary()});
  if (flags.exit != 0 || slow()) return;  // no binutils; a build for the sanitizers
  CHECK(has(flags.out, "DYN (Position-Independent Executable file)"));
  CHECK(has(flags.out, "GNU_RELRO"));
  CHECK(has(flags.out, "BIND_NOW"));
  const std::size_t stack = flags.out.find("GNU_STACK");
  REQUIRE(stack != std::string::npos);
  CHECK(has(flags.out.substr(stack, flags.out.find('\n', stack) - stack), " RW "));
  const Run symbols = run({"readelf", "-W", "--dyn-syms", binary()});
  CHECK(has(symbols.out, "__stack_chk_fail"));
  CHECK(has(symbols.out, "_chk@"));  // FORTIFY
#ifdef __x86_64__
  // Control-flow protection: functions begin with endbr64. The property note says nothing where the C library's own start files
  // have none.
  const Run code = run({"objdump", "-d", "--no-show-raw-insn", "--disassemble=main", binary()});
  CHECK(has(code.out, "endbr64"));
#endif
}

TEST_CASE("binary: the process's memory is hidden, unless it is asked not to be") {
  // Root's own process cannot be told apart: somebody else must run it.
  const bool root = geteuid() == 0;
  if (root && run({"setpriv", "--version"}).exit != 0) return;
  constexpr uid_t kNobody = 65534;
  const uid_t user = root ? kNobody : geteuid();
  for (const bool dumpable : {false, true}) {
    INFO(dumpable);
    TempDir home;
    const std::string copy = home / "cmuxproxy";
    std::filesystem::copy_file(binary(), copy);
    Strings argv;
    if (root) {
      REQUIRE(chown(home.path.c_str(), kNobody, kNobody) == 0);
      argv = {"setpriv", "--reuid", "65534", "--clear-groups"};
    }
    argv.insert(argv.end(), {copy, "serve", "--json", "--listen", "127.0.0.1:0"});
    if (dumpable) argv.emplace_back("--dumpable");
    Process process;
    process.start(argv, {"CMUXPROXY_RUNTIME_DIR=" + home / "run", "CMUXPROXY_STATE_DIR=" + home / "state", "HOME=" + home.path});
    CHECK(has(process.read_line(), "ready"));
    CHECK(owner_of(process.pid()) == (dumpable ? user : 0));
    CHECK(process.stop() == 0);
  }
}

}  // namespace e2e
