// The texts by which a system's service manager starts an instance when it is first asked for.
#pragma once

#include <string>
#include <vector>

namespace cmux::cli {

struct Unit {
  std::string file;  // its name
  std::string text;
};

inline constexpr const char* kSocketUnit = "cmuxproxy.socket";
inline constexpr const char* kServiceUnit = "cmuxproxy.service";
inline constexpr const char* kLaunchdLabel = "dev.cmux.cmuxproxy";

// Of systemd's user manager: the socket, and the service that it starts. `program` is a path, or a name that systemd is to find.
std::vector<Unit> systemd_units(const std::string& program);
// Of launchd, which has no sockets for it: the instance runs from login on. `log`: the file that gets what it logs.
Unit launchd_agent(const std::string& program, const std::string& log);

}  // namespace cmux::cli
