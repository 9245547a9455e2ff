// Two machines in one: the test's own process, the proxy and its clients in one network namespace, a workspace in another, and a
// pair of virtual Ethernet devices between them. Nothing of it is seen outside, and it goes with its processes.
#pragma once

#include "support.hpp"

namespace e2e {

// Is this process in a namespace that it may change? If not, runs the current test again in one, as a process of its own, and
// CHECKs that it passes; where the system allows nobody here to make namespaces, FAILs and says what would. The test's name has
// no comma.
bool in_namespace();

// The workspace's machine. Create it in a namespace of one's own.
class Machine {
 public:
  static constexpr const char* kAddress = "10.83.0.2";

  Machine();

  // Starts a fixture there, listening on kAddress, and returns its ready line.
  boost::json::object start(Process& process, std::string_view program, const Strings& options = {}) const;

  // From now on what the machine sends reaches nobody, and nobody is told: no error, no ICMP message, no lost carrier. It goes to
  // an Ethernet address that is not there. What is sent to the machine still arrives.
  void drop_replies() const;
  void heal() const;

 private:
  void on_machine(const Strings& command) const;

  Process holder_;  // of the namespace
};

}  // namespace e2e
