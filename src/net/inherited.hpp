// Sockets that listen already, handed over by whoever started this process: systemd's socket activation, sd_listen_fds(3). For
// start-up, on a thread that has a loop.
#pragma once

#include <memory>

#include "net/listener.hpp"

namespace cmux::net {

struct Inherited {
  std::unique_ptr<Listener> tcp, local;  // over TCP, and a Unix socket; null: none
};

// Those that LISTEN_PID and LISTEN_FDS tell of. Takes the variables out of the environment: they are nobody else's business.
// Errc::config for what is no listening socket, and for more than one of a kind.
Result<Inherited> inherited_listeners();

}  // namespace cmux::net
