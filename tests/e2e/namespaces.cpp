#include "namespaces.hpp"

#include <filesystem>

namespace e2e {
namespace {

constexpr const char* kInside = "CMUX_E2E_NAMESPACE";
constexpr const char* kNearAddress = "10.83.0.1";
constexpr const char* kNear = "02:00:00:00:00:01";
constexpr const char* kFar = "02:00:00:00:00:02";
constexpr const char* kNobody = "02:00:00:00:00:99";

Strings joined(Strings first, const Strings& rest) {
  first.insert(first.end(), rest.begin(), rest.end());
  return first;
}

void must(const Strings& command) {
  const Run done = run(command);
  if (done.exit != 0) FAIL(fmt::format("{}\nexit {}: {}", fmt::join(command, " "), done.exit, done.err));
}

}  // namespace

bool in_namespace() {
  if (std::getenv(kInside)) return true;
  // Root needs no user namespace, which some systems forbid; others need one to be root in.
  const Strings ways[] = {{"unshare", "--net", "--"}, {"unshare", "--user", "--map-root-user", "--net", "--"}};
  std::string reasons;
  for (const Strings& way : ways) {
    const Run allowed = run(joined(way, {"true"}));
    if (allowed.exit != 0) {
      reasons += fmt::format("  {}: {}", fmt::join(way, " "), allowed.err);
      continue;
    }
    const Strings again{std::filesystem::read_symlink("/proc/self/exe").string(), Catch::getResultCapture().getCurrentTestName(),
                        "--warn", "NoTests"};
    const Run done = run(joined(way, again), {fmt::format("{}=1", kInside)}, {}, 15min);
    INFO(done.out << done.err);
    CHECK(done.exit == 0);
    return false;
  }
  FAIL("THIS MACHINE ALLOWS NO NETWORK NAMESPACE, without which this cannot be tested:\n"
       << reasons << "Run it as root (in a container: with CAP_SYS_ADMIN and CAP_NET_ADMIN), or allow user namespaces: "
       << "sysctl kernel.unprivileged_userns_clone=1 (Debian), kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu)");
  return false;
}

Machine::Machine() {
  must({"ip", "link", "set", "lo", "up"});
  holder_.start({"unshare", "--net", "--", "sh", "-c", "ip link set lo up && echo ready && read -r end"}, {},
                Process::Stdin::pipe);
  REQUIRE(holder_.read_line() == "ready");
  must({"ip", "link", "add", "near", "address", kNear, "type", "veth", "peer", "name", "far", "address", kFar, "netns",
        fmt::format("{}", holder_.pid())});
  must({"ip", "address", "add", fmt::format("{}/24", kNearAddress), "dev", "near"});
  must({"ip", "link", "set", "near", "up"});
  on_machine({"ip", "address", "add", fmt::format("{}/24", kAddress), "dev", "far"});
  on_machine({"ip", "link", "set", "far", "up"});
  // Nobody asks for Ethernet addresses by ARP: whose questions go unanswered is told that there is no way.
  must({"ip", "neighbour", "replace", kAddress, "lladdr", kFar, "nud", "permanent", "dev", "near"});
  heal();
}

boost::json::object Machine::start(Process& process, std::string_view program, const Strings& options) const {
  const Strings argv{
      "nsenter", fmt::format("--net=/proc/{}/ns/net", holder_.pid()), "--", fixture(program), "--exit-with-stdin", "--bind",
      kAddress};
  process.start(joined(argv, options), {}, Process::Stdin::pipe);
  return boost::json::parse(process.read_line()).as_object();
}

void Machine::drop_replies() const {
  on_machine({"ip", "neighbour", "replace", kNearAddress, "lladdr", kNobody, "nud", "permanent", "dev", "far"});
}

void Machine::heal() const {
  on_machine({"ip", "neighbour", "replace", kNearAddress, "lladdr", kNear, "nud", "permanent", "dev", "far"});
}

void Machine::on_machine(const Strings& command) const {
  must(joined({"nsenter", fmt::format("--net=/proc/{}/ns/net", holder_.pid()), "--"}, command));
}

}  // namespace e2e
