// Conversation: the messages of a WebSocket (RFC 6455) as they were read from a copy of its bytes. The tunnel itself does not
// wait for that, and goes on whatever is wrong with them.
//
// What is compressed (permessage-deflate, RFC 7692) is unpacked here as it comes, since each message builds on those before it;
// bounded by a budget that all of a worker's connections share, so that it takes a small part of the worker's time at the most.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "base/loop.hpp"

struct z_stream_s;

namespace cmux::inspect {

enum class Kind : std::uint8_t { text, binary, ping, pong, close, broken };
std::string_view name_of(Kind kind);

struct Message {
  std::uint64_t number = 0;  // from 1 on, both ways together
  std::chrono::system_clock::time_point at;
  bool from_client = false;
  Kind kind = Kind::text;
  std::uint64_t size = 0;  // bytes; of a compressed one that was unpacked, of what it says
  std::string data;        // its first ones
  std::string_view note;   // what is wrong or special; a constant
};

class Conversation {
 public:
  static constexpr std::size_t kMostBytes = 4 * 1024 * 1024;  // that are kept; the oldest go first

  void add(Message message);
  const std::deque<Message>& messages() const { return messages_; }
  std::uint64_t count() const { return count_; }
  std::size_t bytes() const { return bytes_ + unpacking; }

  std::size_t unpacking = 0;  // bytes that unpacking takes, while it is open

 private:
  std::deque<Message> messages_;
  std::uint64_t count_ = 0;
  std::size_t bytes_ = 0;
};

// What may be unpacked: so much a second.
class UnpackBudget {
 public:
  static constexpr std::size_t kBytes = 8 * 1024 * 1024;  // a second
  // Takes what there is, `wanted` at the most.
  std::size_t take(std::size_t wanted);
  void give_back(std::size_t bytes) { left_ += bytes; }

 private:
  Clock::time_point since_{};
  std::size_t left_ = 0;
};

// Reads one direction's frames.
class FrameReader {
 public:
  static constexpr std::size_t kMostUnpacked = 1024 * 1024;  // of a message; past that its direction is not unpacked any more

  // `deflate`: permessage-deflate was agreed on. `kept`: bytes of a message, at the most.
  FrameReader(bool from_client, bool deflate, std::size_t kept, UnpackBudget& budget);
  ~FrameReader();
  FrameReader(const FrameReader&) = delete;
  // Adds the messages that these complete.
  void read(std::string_view bytes, Conversation& into);

 private:
  void read_payload(std::string_view bytes);
  void begin_frame(Conversation& into);
  void end_frame(Conversation& into);
  void unpack(std::string_view bytes);
  void give_up(std::string_view note);
  void fail(std::string_view why, Conversation& into);

  const bool from_client_, deflate_;
  const std::size_t kept_;
  UnpackBudget& budget_;
  std::string head_;  // of the frame that begins
  bool in_payload_ = false, broken_ = false, masked_ = false, final_ = false, control_ = false;
  unsigned char mask_[4] = {};
  std::uint64_t left_ = 0, at_ = 0;  // of the frame's payload
  Message message_, control_message_;
  bool open_ = false;        // message_ goes on
  bool compressed_ = false;  // ... and is
  bool unpacks_ = true;      // no message could not be unpacked so far
  std::size_t unpacked_ = 0;
  std::string_view why_not_;
  std::unique_ptr<z_stream_s, void (*)(z_stream_s*)> stream_;
};

}  // namespace cmux::inspect
