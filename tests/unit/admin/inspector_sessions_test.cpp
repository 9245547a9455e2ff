#include "admin/inspector_sessions.hpp"

#include <catch2/catch.hpp>

using namespace cmux;
using namespace cmux::admin;

TEST_CASE("inspector sessions: a key works once and for a minute, a session for a day, and of each there are 32") {
  using Sessions = InspectorSessions;
  Sessions sessions;
  const auto now = Clock::time_point{} + std::chrono::hours(1);
  const std::string key = sessions.make_key(now);
  CHECK(key.size() == 32);
  CHECK_FALSE(sessions.redeem("", now));
  CHECK_FALSE(sessions.redeem(key.substr(1), now));
  const auto session = sessions.redeem(key, now + Sessions::kKeyTime - milliseconds(1));
  REQUIRE(session);
  CHECK(*session != key);
  CHECK_FALSE(sessions.redeem(key, now));
  const std::string late = sessions.make_key(now);
  CHECK_FALSE(sessions.redeem(late, now + Sessions::kKeyTime));
  CHECK_FALSE(sessions.redeem(late, now));  // and it is gone

  CHECK(sessions.knows(*session, now));
  CHECK(sessions.knows(*session, now + Sessions::kSessionTime));
  CHECK_FALSE(sessions.knows(*session, now + Sessions::kKeyTime + Sessions::kSessionTime));
  CHECK_FALSE(sessions.knows(key, now));
  CHECK_FALSE(sessions.knows("", now));

  const std::string first = sessions.make_key(now);
  for (std::size_t i = 0; i < Sessions::kMost; ++i) sessions.make_key(now);
  CHECK_FALSE(sessions.redeem(first, now));
  for (std::size_t i = 0; i < Sessions::kMost; ++i) CHECK(sessions.redeem(sessions.make_key(now), now));
  CHECK_FALSE(sessions.knows(*session, now));
}
