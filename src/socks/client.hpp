// The client's side of SOCKS5: asks a server for a connection, before anything else is said.
#pragma once

#include "net/transport.hpp"
#include "socks/messages.hpp"

namespace cmux::socks {

// On success what follows on the transport is the target's. `login`: null for none. Errors of the side upstream say what the
// server answered. Has no limit in time; who has one aborts the transport.
Task<Result<void>> connect(net::Transport& transport, net::Authority target, const Login* login, milliseconds send_timeout);

}  // namespace cmux::socks
