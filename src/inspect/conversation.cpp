#include "inspect/conversation.hpp"

#define ZLIB_CONST
#include <zlib.h>

#include <algorithm>
#include <array>

namespace cmux::inspect {
namespace {

constexpr std::size_t kUnpacking = 48 * 1024;  // about what zlib takes for a stream
constexpr std::uint8_t kContinuation = 0, kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10;

void end_stream(z_stream_s* stream) {
  inflateEnd(stream);
  delete stream;
}

std::size_t taken_by(const Message& message) { return sizeof message + message.data.capacity(); }

}  // namespace

std::string_view name_of(Kind kind) {
  constexpr std::array<std::string_view, 6> kNames{"text", "binary", "ping", "pong", "close", "broken"};
  return kNames[static_cast<std::size_t>(kind)];
}

void Conversation::add(Message message) {
  message.number = ++count_;
  message.at = std::chrono::system_clock::now();
  bytes_ += taken_by(message);
  messages_.push_back(std::move(message));
  while (bytes_ > kMostBytes && messages_.size() > 1) {
    bytes_ -= taken_by(messages_.front());
    messages_.pop_front();
  }
}

std::size_t UnpackBudget::take(std::size_t wanted) {
  const auto now = Loop::current().now();
  if (now - since_ >= std::chrono::seconds(1)) since_ = now, left_ = kBytes;
  const std::size_t taken = std::min(wanted, left_);
  left_ -= taken;
  return taken;
}

FrameReader::FrameReader(bool from_client, bool deflate, std::size_t kept, UnpackBudget& budget)
    : from_client_(from_client), deflate_(deflate), kept_(kept), budget_(budget), stream_(nullptr, end_stream) {}

FrameReader::~FrameReader() = default;

void FrameReader::fail(std::string_view why, Conversation& into) {
  broken_ = true;
  Message message;
  message.from_client = from_client_;
  message.kind = Kind::broken;
  message.note = why;
  into.add(std::move(message));
  stream_ = nullptr;
  message_ = {}, head_ = {};
}

// RFC 6455 section 5.2.
void FrameReader::read(std::string_view bytes, Conversation& into) {
  while (!bytes.empty() && !broken_) {
    if (in_payload_) {
      const auto piece = bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size())));
      read_payload(piece);
      bytes.remove_prefix(piece.size());
      if (left_ == 0) end_frame(into);
      continue;
    }
    head_ += bytes.front();
    bytes.remove_prefix(1);
    if (head_.size() < 2) continue;
    const unsigned second = static_cast<unsigned char>(head_[1]);
    const std::size_t length = (second & 0x7f) == 127 ? 8 : (second & 0x7f) == 126 ? 2 : 0;
    if (head_.size() < 2 + length + (second & 0x80 ? 4 : 0)) continue;
    begin_frame(into);
    head_.clear();
    if (in_payload_ && left_ == 0) end_frame(into);
  }
}

void FrameReader::begin_frame(Conversation& into) {
  const unsigned first = static_cast<unsigned char>(head_[0]), second = static_cast<unsigned char>(head_[1]);
  const unsigned opcode = first & 0x0f;
  final_ = first & 0x80;
  masked_ = second & 0x80;
  control_ = opcode >= kClose;
  at_ = 0;
  left_ = second & 0x7f;
  std::size_t place = 2;
  if (left_ >= 126) {
    const std::size_t length = left_ == 127 ? 8 : 2;
    left_ = 0;
    for (std::size_t i = 0; i < length; ++i) left_ = left_ << 8 | static_cast<unsigned char>(head_[place++]);
  }
  for (std::size_t i = 0; masked_ && i < 4; ++i) mask_[i] = static_cast<unsigned char>(head_[place++]);
  const bool packed = first & 0x40;
  if (masked_ != from_client_) return fail(masked_ ? "a server's frame is masked" : "a client's frame is not masked", into);
  if (left_ >> 63) return fail("a frame's length is negative", into);
  if (first & 0x30 || (packed && !deflate_)) return fail("a frame uses an extension that was not agreed on", into);
  if (control_) {
    if (opcode > kPong) return fail("a frame has an unknown opcode", into);
    if (!final_ || left_ > 125 || packed) return fail("a control frame is fragmented, too long or compressed", into);
    control_message_ = {};
    control_message_.kind = opcode == kClose ? Kind::close : opcode == kPing ? Kind::ping : Kind::pong;
  } else if (opcode == kContinuation) {
    if (!open_) return fail("a continuation of no message", into);
    if (packed) return fail("a continuation says that it is compressed", into);
  } else {
    if (opcode > kBinary) return fail("a frame has an unknown opcode", into);
    if (open_) return fail("a message begins within another", into);
    message_ = {};
    message_.kind = opcode == kText ? Kind::text : Kind::binary;
    open_ = true;
    compressed_ = packed;
    unpacked_ = 0;
    if (compressed_ && !unpacks_) message_.note = why_not_;
  }
  in_payload_ = true;
}

void FrameReader::read_payload(std::string_view bytes) {
  left_ -= bytes.size();
  Message& message = control_ ? control_message_ : message_;
  const bool unpacking = !control_ && compressed_ && unpacks_;
  if (!unpacking) message.size += bytes.size();
  const std::size_t room = message.data.size() < kept_ ? kept_ - message.data.size() : 0;
  if (!unpacking) bytes = bytes.substr(0, room);
  std::array<char, 4096> block;
  while (!bytes.empty()) {
    std::string_view piece = bytes.substr(0, block.size());
    bytes.remove_prefix(piece.size());
    if (masked_) {
      for (std::size_t i = 0; i < piece.size(); ++i)
        block[i] = static_cast<char>(static_cast<unsigned char>(piece[i]) ^ mask_[(at_ + i) % 4]);
    }
    const std::string_view plain = masked_ ? std::string_view(block.data(), piece.size()) : piece;
    at_ += piece.size();
    if (unpacking) unpack(plain);
    else message.data.append(plain);
  }
}

// RFC 7692 section 7.2.2. What is not kept is unpacked too: the next message builds on it.
void FrameReader::unpack(std::string_view bytes) {
  if (!unpacks_) return;
  if (!stream_) {
    stream_.reset(new z_stream_s{});
    if (inflateInit2(stream_.get(), -15) != Z_OK) return give_up("compressed; there is no memory to unpack it");
  }
  std::array<char, 16 * 1024> out;
  stream_->next_in = reinterpret_cast<const Bytef*>(bytes.data());
  stream_->avail_in = static_cast<uInt>(bytes.size());
  while (true) {
    const std::size_t room = budget_.take(out.size());
    if (room == 0) return give_up("compressed; more came than is unpacked in a second");
    stream_->next_out = reinterpret_cast<Bytef*>(out.data());
    stream_->avail_out = static_cast<uInt>(room);
    const int outcome = inflate(stream_.get(), Z_SYNC_FLUSH);
    const std::size_t got = room - stream_->avail_out;
    budget_.give_back(stream_->avail_out);
    unpacked_ += got;
    message_.size += got;
    if (message_.data.size() < kept_) message_.data.append(out.data(), std::min(got, kept_ - message_.data.size()));
    if (unpacked_ > kMostUnpacked) return give_up("it unpacks to more than is unpacked here");
    if (outcome == Z_STREAM_END) inflateReset(stream_.get());
    else if (outcome != Z_OK && outcome != Z_BUF_ERROR) return give_up("compressed, and cannot be unpacked");
    if (stream_->avail_out > 0 && (stream_->avail_in == 0 || got == 0)) return;
  }
}

void FrameReader::give_up(std::string_view note) {
  message_.note = note;
  unpacks_ = false;
  why_not_ = "compressed; one before it could not be unpacked";
  stream_ = nullptr;
}

void FrameReader::end_frame(Conversation& into) {
  in_payload_ = false;
  if (!control_ && !final_) return;
  Message& message = control_ ? control_message_ : message_;
  if (!control_) {
    if (compressed_ && unpacks_) unpack(std::string_view("\x00\x00\xff\xff", 4));
    if (compressed_ && unpacks_) message.note = "compressed; unpacked here";
    open_ = false;
  }
  message.from_client = from_client_;
  message.data.shrink_to_fit();
  into.unpacking = stream_ ? 2 * kUnpacking : into.unpacking;
  into.add(std::move(message));
}

}  // namespace cmux::inspect
