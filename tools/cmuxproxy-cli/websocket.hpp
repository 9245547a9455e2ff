// The little of RFC 6455 that a probe needs: one short text frame there, frames back. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cmux::cli {

enum class Opcode : std::uint8_t { text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

// A whole frame as a client sends it, masked. At most 125 bytes.
std::string client_frame(Opcode opcode, std::string_view payload);

struct Frame {
  std::uint8_t opcode = 0;
  std::string payload;
};
// Takes the first whole frame off the front of `bytes`; nothing while more is needed. A frame above 64 KB sets `bad`.
std::optional<Frame> take_frame(std::string& bytes, bool& bad);

}  // namespace cmux::cli
