// Downstream: a client's connection, from its first bytes on. They say which protocol it is; nothing else does.
#pragma once

#include "proxy/exchange.hpp"

namespace cmux::proxy {

enum class Protocol : std::uint8_t { unknown, http1, http2, tls, socks, raw };

inline constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";  // RFC 9113 section 3.4

// What the first bytes are. `unknown`: more of them must be seen. An HTTP/1 request line is METHOD SP and the start of a target;
// what can no longer become one of the known protocols is raw.
Protocol sniff(std::string_view first_bytes);

// Serves a client's connection to the proxy port.
Task<void> serve_connection(Worker& worker, std::unique_ptr<net::Transport> transport, Entrance& entrance);

// Serves a connection to a context's own port.
Task<void> serve_door(Worker& worker, std::unique_ptr<net::Transport> transport, const Door& door);

// Serves requests on a transport whose protocol, http1 or http2, is known.
Task<void> serve_requests(Worker& worker, std::unique_ptr<net::Transport> transport, Entrance& entrance, Protocol protocol);

// The TLS of a client that has said its first bytes: it ends here, with a certificate of the local CA for the
// host of entrance.tunnel, and what is inside it is served.
Task<void> serve_intercepted(Worker& worker, std::unique_ptr<net::Transport> transport, Entrance& entrance);

// Where its bytes come from: a client that has shown whose it is, or a port that anybody can connect to.
enum class Openness : std::uint8_t { own, forwarded, transparent };
// Serves what is inside a CONNECT to a loopback target of a routed context: requests, or bytes for the route's own tunnel.
// `record`: the CONNECT's, which a raw tunnel is told of in; null where nobody wants it.
Task<void> serve_tunnel(Worker& worker, std::unique_ptr<net::Transport> transport, SessionPtr session, net::Authority target,
                        inspect::Capture* record);
// ... or inside a connection to a forwarded port, or to one that a namespace has.
Task<void> serve_forwarded(Worker& worker, std::unique_ptr<net::Transport> transport, SessionPtr session, net::Authority target,
                           Openness open = Openness::forwarded);

}  // namespace cmux::proxy
