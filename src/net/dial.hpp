// Opening connections: resolve, race the addresses (RFC 8305), connect.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "net/resolver.hpp"
#include "net/socket.hpp"

namespace cmux::net {

struct DialOptions {
  milliseconds timeout{10'000};  // for all of it, the look-up of the name too; 0: none
  milliseconds patience{0};      // how long a refused connection is tried again
  // Is this one of our own listeners? Asked for every address before it is tried; true is Errc::loop.
  std::function<bool(const Endpoint&)> is_own;
  bool either_loopback = false;  // 127.0.0.1 is ::1, too, where nobody listens there: many a dev server takes localhost for that
};

// What it took, for the timing tables; zero where a step was not needed.
struct DialTiming {
  std::chrono::microseconds resolve{0}, connect{0};
};

// Connects to a name, in that client's share of the look-ups, or to a known endpoint. Errors carry who was tried and why it
// failed; all of them are retryable.
Task<Result<std::unique_ptr<SocketTransport>>> dial(Resolver& resolver, const std::string& host, std::uint16_t port,
                                                    const DialOptions& options, DialTiming* timing = nullptr,
                                                    std::string client = {});
Task<Result<std::unique_ptr<SocketTransport>>> dial(const Endpoint& endpoint, milliseconds timeout);

}  // namespace cmux::net
