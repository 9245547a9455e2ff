// Network: a range of addresses: "10.0.0.0/8", "::1". Pure.
#pragma once

#include <string_view>

#include "net/address.hpp"

namespace cmux::gateway {

struct Network {
  net::Endpoint address;
  unsigned bits = 0;  // of the address, that must be the same
  bool holds(const net::Endpoint& endpoint) const;
};
Result<Network> parse_network(std::string_view text);

}  // namespace cmux::gateway
