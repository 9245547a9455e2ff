// WebSockets: a client, and frames by themselves for what no client would send or show.
#pragma once

#include "harness.hpp"

namespace e2e {

// A WebSocket on a socket, by Boost.Beast, which checks the handshake's answer and all frames. What goes wrong FAILs.
class WebSocket {
 public:
  // The handshake, on a connection to the server or on one that leads there.
  WebSocket(Client below, std::string_view host, std::string_view target, const Strings& fields = {});
  ~WebSocket();

  const Response& answer() const;
  void send(std::string_view message);
  std::string read();                          // the next message
  std::string echo(std::string_view message);  // both at once; as one frame, of any size
  void ping(std::string_view payload);
  const std::string& pong() const;  // the last one's payload; they are seen by reading
  unsigned close(unsigned code);    // the peer's code; the connection has ended then, in order
  bool is_reset();                  // how the peer ends it
  void abort();                     // RST

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// A frame as clients send it: masked.
inline std::string frame(unsigned opcode, std::string_view payload) {
  static constexpr std::string_view kMask = "\x01\x02\x03\x04";
  std::string out(1, static_cast<char>(0x80 | opcode));
  if (payload.size() < 126) {
    out += static_cast<char>(0x80 | payload.size());
  } else {
    out += static_cast<char>(0x80 | 127);
    for (int i = 7; i >= 0; --i) out += static_cast<char>(payload.size() >> (8 * i) & 255);
  }
  out += kMask;
  for (std::size_t i = 0; i < payload.size(); ++i) out += static_cast<char>(payload[i] ^ kMask[i % 4]);
  return out;
}

// As a server sends it, short.
inline std::string plain_frame(unsigned opcode, std::string_view payload) {
  return std::string{static_cast<char>(0x80 | opcode), static_cast<char>(payload.size())} + std::string(payload);
}

}  // namespace e2e
