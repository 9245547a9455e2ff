// How a connection ends whose peer may still be sending: closing a socket that holds unread bytes resets it, and the reset may
// overtake what was said last (RFC 9112 section 9.6).
#pragma once

#include "net/transport.hpp"

namespace cmux::net {

// Says the end, and drops what comes until the peer has said its own, for a short time and up to a bound. The transport is to be
// closed afterwards. `in` is used, and left in any state.
Task<void> linger(Transport& transport, Buffer& in);

}  // namespace cmux::net
