// Record: what is told of one exchange, to whoever wants it: the access log, the events, and what is built on them. One is filled
// only while somebody wants it (Worker::observed); that it is not costs one test of a pointer.
//
// It holds no secrets: no field and no body of a message, and of a URL neither user info nor query, where tokens stand.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace cmux::proxy {

struct Record {
  std::chrono::system_clock::time_point began = std::chrono::system_clock::now();
  std::string context;  // id; empty before it is known whose the request is
  std::string method;   // empty where the request could not be read
  std::string url;      // of a CONNECT: host:port
  // What was connected to, as scheme://host:port; tcp:// for a tunnel to where its client said. Empty: nothing.
  std::string destination;
  std::string parent;        // the proxy that it went through, without credentials
  std::uint16_t status = 0;  // 0: the client was not answered
  // Of RFC 9209 where the proxy answered for the workspace, else of an Errc: why it broke off. With what people are told of it.
  std::string error, detail;
  std::string_view downstream, upstream;  // protocols: "http/1.1", "h2", "socks5", "tcp"; constants
  bool reused = false;                    // the connection upstream
  bool tunnel = false;                    // CONNECT or an upgrade that was taken; told of at its end
  unsigned retries = 0;
  std::uint64_t sent = 0, received = 0;  // bytes: of the request's body and the response's, or of the tunnel each way
  // From the beginning of the exchange; the first three are the connection's, where it is new.
  std::chrono::microseconds dns{0}, connect{0}, tls{0}, first_byte{0}, total{0};
};

}  // namespace cmux::proxy
