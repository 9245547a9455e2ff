// Asio's sockets of whatever address family, and their endpoints made of ours. Private to net/dial, net/listener and net/lookup.
#pragma once

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <cstring>

#include "net/address.hpp"

namespace cmux::net {

using AsioProtocol = boost::asio::generic::stream_protocol;
using AsioSocket = AsioProtocol::socket;
using AsioAcceptor = boost::asio::basic_socket_acceptor<AsioProtocol>;

inline AsioProtocol::endpoint to_asio(const Endpoint& endpoint) { return {&endpoint.storage, endpoint.size}; }

template <class AsioEndpoint>
Endpoint from_asio(const AsioEndpoint& endpoint) {
  Endpoint out;
  out.size = static_cast<socklen_t>(endpoint.size());
  std::memcpy(&out.storage, endpoint.data(), endpoint.size());
  return out;
}

}  // namespace cmux::net
