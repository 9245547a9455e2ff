#include "websocket.hpp"

#include <random>

namespace cmux::cli {

std::string client_frame(Opcode opcode, std::string_view payload) {
  std::string out;
  out += static_cast<char>(0x80 | static_cast<unsigned>(opcode));
  out += static_cast<char>(0x80 | payload.size());
  std::random_device random;
  const std::uint32_t mask = random();
  for (unsigned i = 0; i < 4; ++i) out += static_cast<char>(mask >> (8 * i));
  for (std::size_t i = 0; i < payload.size(); ++i)
    out += static_cast<char>(payload[i] ^ static_cast<char>(mask >> (8 * (i % 4))));
  return out;
}

std::optional<Frame> take_frame(std::string& bytes, bool& bad) {
  constexpr std::uint64_t kMost = 64 * 1024;
  const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(bytes[at]); };
  if (bytes.size() < 2) return std::nullopt;
  std::uint64_t size = byte(1) & 0x7f;
  bad = (byte(1) & 0x80) != 0;  // RFC 6455 section 5.1: a server does not mask
  const std::size_t extra = size == 126 ? 2 : size == 127 ? 8 : 0;
  if (bad || bytes.size() < 2 + extra) return std::nullopt;
  if (extra != 0) size = 0;
  for (std::size_t i = 0; i < extra; ++i) size = size << 8 | byte(2 + i);
  bad = size > kMost;
  if (bad || bytes.size() < 2 + extra + size) return std::nullopt;
  Frame frame;
  frame.opcode = byte(0) & 0x0f;
  frame.payload = bytes.substr(2 + extra, static_cast<std::size_t>(size));
  bytes.erase(0, 2 + extra + static_cast<std::size_t>(size));
  return frame;
}

}  // namespace cmux::cli
