// Connections of a namespace whose programs think that they speak to whomever they have addressed: `run --transparent`. The
// address is the local one of the connection that comes here (IP_TRANSPARENT, ip(7)).
//
// One to a loopback address is what a connection to a forwarded port is, and as little trusted, since browsers may run in there;
// only, the dev server is told the client's own name for it. Any other becomes a CONNECT to where it was addressed. So does one
// to the proxy's own listeners: the namespace has no other way to them, and they lead nowhere in there.
#pragma once

#include "proxy/session.hpp"
#include "proxy/worker.hpp"

namespace cmux::proxy {

// Not the door itself, which is also a proxy port.
bool is_elsewhere(const net::Endpoint& addressed, std::uint16_t own_port);

Task<void> serve_transparent(Worker& worker, std::unique_ptr<net::Transport> transport, SessionPtr session);

}  // namespace cmux::proxy
