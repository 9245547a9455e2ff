// Netlink: the three things that a namespace's network is told, without a program such as ip(8) or nft(8), which not every
// machine has: its loopback device is up, every address is on it, and TCP connections go to one port. Linux alone; needs
// CAP_NET_ADMIN in the namespace. Throws std::system_error.
#pragma once

#include <cstdint>

namespace cmux::cli {

void raise_loopback();
// Every address of the family (AF_INET, AF_INET6) counts as this machine's own.
void own_every_address(int family);
// Every TCP connection is accepted by the listeners on 127.0.0.1 and [::1] that have this port, whose sockets are transparent
// (IP_TRANSPARENT) and whose connections tell by their local address where they were addressed (nft's tproxy).
void divert_tcp(std::uint16_t port);

}  // namespace cmux::cli
