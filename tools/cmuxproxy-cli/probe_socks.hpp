// A SOCKS5 client's part of the negotiation (RFC 1928, RFC 1929), for `probe --socks`.
#pragma once

#include "admin/http_socket.hpp"
#include "net/address.hpp"

namespace cmux::cli {

// Asks the proxy at the other end of `socket` for a tunnel. How long it may take is the socket's to say.
Task<Result<void>> open_socks(admin::HttpSocket& socket, const net::Authority& target, const std::string& username,
                              const std::string& password);

}  // namespace cmux::cli
