#include "inspect/conversation.hpp"

#include <zlib.h>

#include <catch2/catch.hpp>

using namespace cmux;
using namespace cmux::inspect;

namespace {

std::string frame(unsigned first, std::string_view payload, bool masked) {
  std::string out(1, static_cast<char>(first));
  const unsigned mask = masked ? 0x80 : 0;
  if (payload.size() < 126) {
    out += static_cast<char>(mask | payload.size());
  } else if (payload.size() < 65536) {
    out += static_cast<char>(mask | 126);
    out += static_cast<char>(payload.size() >> 8), out += static_cast<char>(payload.size());
  } else {
    out += static_cast<char>(mask | 127);
    for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(static_cast<std::uint64_t>(payload.size()) >> shift);
  }
  constexpr std::string_view kMask = "\x01\x7f\x55\xaa";
  if (masked) out += kMask;
  for (std::size_t i = 0; i < payload.size(); ++i) out += static_cast<char>(masked ? payload[i] ^ kMask[i % 4] : payload[i]);
  return out;
}

// As permessage-deflate has it, with the context taken over from one to the next.
class Packer {
 public:
  Packer() { deflateInit2(&stream_, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY); }
  ~Packer() { deflateEnd(&stream_); }
  std::string pack(std::string text) {
    std::string out(text.size() + 1000, '\0');
    stream_.next_in = reinterpret_cast<Bytef*>(text.data());
    stream_.avail_in = static_cast<uInt>(text.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(out.size());
    deflate(&stream_, Z_SYNC_FLUSH);
    out.resize(out.size() - stream_.avail_out - 4);
    return out;
  }

 private:
  z_stream stream_{};
};

struct Reading {
  explicit Reading(bool client = false, bool deflate = false, std::size_t kept = 1000) : reader(client, deflate, kept, budget) {}
  const Message& last() const { return conversation.messages().back(); }
  Loop loop;
  UnpackBudget budget;
  Conversation conversation;
  FrameReader reader;
};

}  // namespace

TEST_CASE("conversation: messages of all kinds, whole, fragmented, between each other, and byte by byte") {
  for (const bool client : {false, true}) {
    for (const std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{100'000}}) {
      Reading one(client, false, 100'000);
      const std::string large(70'000, 'x');
      const std::string bytes = frame(0x81, "hi", client) + frame(0x02, "a", client) + frame(0x89, "p", client) +
                                frame(0x00, "b", client) + frame(0x80, "c", client) + frame(0x82, std::string(300, 'm'), client) +
                                frame(0x81, large, client) + frame(0x81, "", client) + frame(0x8a, "q", client) +
                                frame(0x88,
                                      "\x03\xe8"
                                      "bye",
                                      client);
      for (std::size_t at = 0; at < bytes.size(); at += step)
        one.reader.read(std::string_view(bytes).substr(at, step), one.conversation);
      const auto& all = one.conversation.messages();
      REQUIRE(all.size() == 8);
      const std::vector<std::pair<Kind, std::string>> wanted{{Kind::text, "hi"},
                                                             {Kind::ping, "p"},
                                                             {Kind::binary, "abc"},
                                                             {Kind::binary, std::string(300, 'm')},
                                                             {Kind::text, large},
                                                             {Kind::text, ""},
                                                             {Kind::pong, "q"},
                                                             {Kind::close,
                                                              "\x03\xe8"
                                                              "bye"}};
      for (std::size_t i = 0; i < all.size(); ++i) {
        CHECK(all[i].kind == wanted[i].first);
        CHECK(all[i].data == wanted[i].second);
        CHECK(all[i].size == wanted[i].second.size());
        CHECK(all[i].from_client == client);
        CHECK(all[i].number == i + 1);
        CHECK(all[i].note.empty());
      }
    }
  }
}

TEST_CASE("conversation: what is compressed is unpacked, one message upon the other") {
  Reading one(true, true);
  Packer packer;
  for (int i = 0; i < 3; ++i) {
    const std::string packed = packer.pack("the same text again and again");
    one.reader.read(frame(0x41, packed.substr(0, 3), true), one.conversation);
    one.reader.read(frame(0x80, packed.substr(3), true), one.conversation);
    CHECK(one.last().data == "the same text again and again");
    CHECK(one.last().size == 29);
    CHECK(one.last().note == "compressed; unpacked here");
  }
  one.reader.read(frame(0x81, "plain", true), one.conversation);
  CHECK(one.last().data == "plain");
  CHECK(one.last().note.empty());
  CHECK(one.conversation.unpacking > 0);
}

TEST_CASE("conversation: a compressed bomb is unpacked so far, and what comes after it is shown as it came") {
  Reading one(false, true);
  Packer packer;
  one.reader.read(frame(0xc1, packer.pack(std::string(50 * 1024 * 1024, 'a')), false), one.conversation);
  CHECK(one.last().note == "it unpacks to more than is unpacked here");
  CHECK(one.last().data == std::string(1000, 'a'));
  CHECK(one.last().size <= FrameReader::kMostUnpacked + 16 * 1024);
  const std::string next = packer.pack("more");
  one.reader.read(frame(0xc1, next, false), one.conversation);
  CHECK(one.last().data == next);
  CHECK(one.last().note == "compressed; one before it could not be unpacked");
}

TEST_CASE("conversation: many bombs take no more than what may be unpacked in a second") {
  Reading one(false, true);
  std::uint64_t unpacked = 0;
  const std::size_t bombs = 100;
  for (std::size_t i = 0; i < bombs; ++i) {
    Packer packer;
    FrameReader reader(false, true, 10, one.budget);
    reader.read(frame(0xc1, packer.pack(std::string(1'000'000, 'a')), false), one.conversation);
    unpacked += one.last().size;
  }
  CHECK(unpacked <= UnpackBudget::kBytes + bombs * 1100);  // and what came as it is
  CHECK(one.last().note.starts_with("compressed; more came"));
}

TEST_CASE("conversation: what is broken is said once, and nothing of that side is read any more") {
  struct Row {
    std::string bytes;
    std::string_view why;
  };
  const std::vector<Row> rows = {
      {frame(0x83, "x", false), "a frame has an unknown opcode"},
      {frame(0x8b, "x", false), "a frame has an unknown opcode"},
      {frame(0x91, "x", false), "a frame uses an extension that was not agreed on"},
      {frame(0xc1, "x", false), "a frame uses an extension that was not agreed on"},
      {frame(0x80, "x", false), "a continuation of no message"},
      {frame(0x01, "x", false) + frame(0x81, "x", false), "a message begins within another"},
      {frame(0x09, "x", false), "a control frame is fragmented, too long or compressed"},
      {frame(0x89, std::string(126, 'x'), false), "a control frame is fragmented, too long or compressed"},
      {frame(0x81, "x", true), "a server's frame is masked"},
      {std::string("\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 10), "a frame's length is negative"},
  };
  for (const Row& row : rows) {
    Reading one;
    one.reader.read(row.bytes + frame(0x81, "after", false), one.conversation);
    one.reader.read(frame(0x81, "after", false), one.conversation);
    REQUIRE(one.conversation.messages().size() == 1);
    CHECK(one.last().kind == Kind::broken);
    CHECK(one.last().note == row.why);
  }
  Reading client(true);
  client.reader.read(frame(0x81, "x", false), client.conversation);
  CHECK(client.last().note == "a client's frame is not masked");
}

TEST_CASE("conversation: of a huge message the first bytes are kept, of many the last ones") {
  Reading one;
  const std::string head("\x82\x7f\x00\x00\x00\x02\x00\x00\x00\x00", 10);  // 8 GB
  one.reader.read(head, one.conversation);
  const std::string block(64 * 1024, 'z');
  for (int i = 0; i < 1000; ++i) one.reader.read(block, one.conversation);
  CHECK(one.conversation.messages().empty());
  CHECK(one.conversation.bytes() == 0);

  Reading many(false, false, 64 * 1024);
  for (int i = 0; i < 1000; ++i) many.reader.read(frame(0x81, block, false), many.conversation);
  CHECK(many.conversation.bytes() <= Conversation::kMostBytes);
  CHECK(many.conversation.count() == 1000);
  CHECK(many.last().number == 1000);
  CHECK(many.conversation.messages().front().number > 900);
}
