#include "admin/inspector_sessions.hpp"

#include "policy/credentials.hpp"

namespace cmux::admin {

std::string InspectorSessions::add(std::deque<Secret>& list, Clock::time_point until) {
  if (list.size() >= kMost) list.pop_front();
  list.push_back({policy::random_hex(32), until});
  return list.back().text;
}

std::string InspectorSessions::make_key(Clock::time_point now) { return add(keys_, now + kKeyTime); }

std::optional<std::string> InspectorSessions::redeem(std::string_view key, Clock::time_point now) {
  for (auto each = keys_.begin(); each != keys_.end(); ++each) {
    if (!policy::equal_secrets(each->text, key)) continue;
    const bool good = now < each->until;
    keys_.erase(each);
    if (!good) return std::nullopt;
    return add(sessions_, now + kSessionTime);
  }
  return std::nullopt;
}

bool InspectorSessions::knows(std::string_view session, Clock::time_point now) const {
  bool found = false;
  for (const Secret& each : sessions_) found = (policy::equal_secrets(each.text, session) && now < each.until) || found;
  return found;
}

}  // namespace cmux::admin
