// WebSocket frames as the tests write and expect them.
#pragma once

#include <string>
#include <string_view>

namespace e2e {

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
