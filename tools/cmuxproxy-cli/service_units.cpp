#include "service_units.hpp"

#include <fmt/format.h>

namespace cmux::cli {
namespace {

constexpr const char* kSocket = R"([Unit]
Description=cmuxproxy: localhost of remote workspaces
Documentation=man:cmuxproxy(1)

[Socket]
# Clients, and the commands of cmuxproxy. Whoever comes first starts the instance.
ListenStream=127.0.0.1:39385
ListenStream=%t/cmuxproxy/default.socket
SocketMode=0600
DirectoryMode=0700

[Install]
WantedBy=sockets.target
)";

// What follows ExecStart= needs no root, so that it holds in a user's manager too.
constexpr const char* kService = R"([Unit]
Description=cmuxproxy: localhost of remote workspaces
Documentation=man:cmuxproxy(1)
Requires=cmuxproxy.socket
After=cmuxproxy.socket

[Service]
Type=exec
ExecStart={} serve
ExecReload=/bin/kill -HUP $MAINPID
# Above its drain-timeout, 5s unless settings say more.
TimeoutStopSec=30
LimitNOFILE=524288
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

[Install]
Also=cmuxproxy.socket
)";

constexpr const char* kAgent = R"(<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>{label}</string>
  <key>ProgramArguments</key>
  <array>
    <string>{program}</string>
    <string>serve</string>
  </array>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <dict>
    <key>SuccessfulExit</key>
    <false/>
  </dict>
  <key>ProcessType</key>
  <string>Interactive</string>
  <key>StandardErrorPath</key>
  <string>{log}</string>
</dict>
</plist>
)";

// In a unit: one word, whatever is in it (systemd.syntax(7), systemd.service(5)).
std::string unit_word(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '%' || c == '$') out += c;
    out += c;
  }
  return out + "\"";
}

std::string xml(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
  return out;
}

}  // namespace

std::vector<Unit> systemd_units(const std::string& program) {
  const bool plain = program.find_first_of(" \t\"'\\%$;") == std::string::npos;
  return {{kSocketUnit, kSocket}, {kServiceUnit, fmt::format(kService, plain ? program : unit_word(program))}};
}

Unit launchd_agent(const std::string& program, const std::string& log) {
  return {fmt::format("{}.plist", kLaunchdLabel),
          fmt::format(kAgent, fmt::arg("label", kLaunchdLabel), fmt::arg("program", xml(program)), fmt::arg("log", xml(log)))};
}

}  // namespace cmux::cli
