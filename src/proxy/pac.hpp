// The PAC file of a context's own port (proxy auto-configuration): sends loopback hosts, and others that the route names, to that
// port and everything else where it says. The context's planner answers with it.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace cmux::proxy {

struct Pac {
  std::uint16_t port = 0;
  std::span<const std::string> hosts;    // globs, '*' and '?', in lower case: names beyond loopback
  std::span<const std::string> domains;  // more cmux domains, never rewritten
};
// JavaScript as old as the engines that run it. Takes for loopback exactly what policy::is_loopback_target() does.
std::string pac_script(const Pac& pac);

}  // namespace cmux::proxy
