// Reply: what a Redis says, in RESP2, read by hiredis. Bounded: a reply is not taken past kMostBytes and kMostItems.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

struct redisReader;

namespace cmux::redis {

struct Reply {
  enum class Kind : std::uint8_t { nothing, text, number, list, error };
  Kind kind = Kind::nothing;
  std::string text;  // of an error, too
  std::int64_t number = 0;
  std::vector<Reply> items;
};

// What a refusal ("WRONGPASS …") means for people, and what to do about it.
Error explained(const Reply& refusal);
// The reply, or what a refusal means.
Result<Reply> good(Reply reply);

class Replies {
 public:
  Replies();
  ~Replies();
  Replies(const Replies&) = delete;

  void feed(std::string_view bytes);
  // The next whole one; nothing: more bytes are needed. An error stays.
  Result<std::optional<Reply>> next();

  static constexpr std::size_t kMostBytes = 8 * 1024 * 1024;
  static constexpr std::size_t kMostItems = 100'000;

 private:
  redisReader* const reader_;
  std::size_t waiting_ = 0;  // bytes that no whole reply has come of yet
  std::size_t items_ = 0;    // of the reply that is being read
};

}  // namespace cmux::redis
