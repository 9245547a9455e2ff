// Ports: which TCP ports of this machine somebody listens on. Linux tells by /proc/net/tcp and tcp6, where those that listen
// stand first, so that open connections cost nothing; other systems are not asked, and it says so.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace cmux::gateway {

struct Listening {
  std::string address;  // "127.0.0.1", "0.0.0.0", "::1"
  std::uint16_t port = 0;
  auto operator<=>(const Listening&) const = default;
};

// Errc::unsupported where the system does not tell, Errc::system where it fails.
Result<std::vector<Listening>> listening();

// What stands in such a file, up to the first line that is none of somebody who listens. Pure.
std::vector<Listening> parse_proc_net(std::string_view text);

// The ports that a connection to that address of this machine reaches ("localhost": 127.0.0.1 or ::1), in order, each once.
std::vector<std::uint16_t> ports_at(const std::vector<Listening>& all, std::string_view address);

}  // namespace cmux::gateway
