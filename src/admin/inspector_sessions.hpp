// InspectorSessions: how a browser gets in. A key of the command line's works once and not for long, in exchange for a session,
// which is a cookie's value. Pure but for the system's randomness; bounded.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/loop.hpp"

namespace cmux::admin {

class InspectorSessions {
 public:
  static constexpr milliseconds kKeyTime{60'000};
  static constexpr milliseconds kSessionTime{24 * 3600 * 1000};
  static constexpr std::size_t kMost = 32;  // keys, and sessions: the oldest goes

  std::string make_key(Clock::time_point now);
  // A new session; nothing where the key is none, was used, or is too old.
  std::optional<std::string> redeem(std::string_view key, Clock::time_point now);
  bool knows(std::string_view session, Clock::time_point now) const;

 private:
  struct Secret {
    std::string text;
    Clock::time_point until;
  };
  static std::string add(std::deque<Secret>& list, Clock::time_point until);
  std::deque<Secret> keys_, sessions_;
};

}  // namespace cmux::admin
