#include "gateway/fleet.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "gateway/labels.hpp"

namespace cmux::gateway::fleet {
namespace {

using redis::Command;
using redis::Reply;

constexpr std::string_view kRound = "1000";  // of a walk, and of changes: how many at once, roughly

// An id belongs to who holds its lease: whoever says something else has to wait until that ends.
constexpr std::string_view kTake = R"(
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then return string.sub(held, 1, 300) end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if not held then redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[4], '*', 'machine', ARGV[3]) end
return '')";
constexpr std::string_view kGive = R"(
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', 'machine', ARGV[2])
end
return '')";

std::string key_of(const std::string& id) { return std::string(kMachine) + id; }

Error strange(std::string_view what) {
  return make_error(Errc::malformed, fmt::format("it answers {} with something else than Redis does", what));
}

// "1764536400", "1.7645364e+09", "inf".
std::optional<WallTime> time_of(const std::string& score) {
  char* end = nullptr;
  const double seconds = std::strtod(score.c_str(), &end);
  if (end == score.c_str() || *end != '\0' || !(seconds >= 0)) return std::nullopt;
  constexpr double kMost = 9e9;  // what a clock of nanoseconds can hold
  return seconds > kMost ? kNever : wall_time(static_cast<std::int64_t>(seconds));
}

// The two parts of a walk's answer.
bool is_scan(const Reply& reply) {
  return reply.kind == Reply::Kind::list && reply.items.size() == 2 && reply.items[0].kind == Reply::Kind::text &&
         reply.items[1].kind == Reply::Kind::list;
}

void add_once(std::vector<std::string>& to, const std::string& one) {
  if (std::find(to.begin(), to.end(), one) == to.end()) to.push_back(one);
}

}  // namespace

Command take_lease(const std::string& id, const std::string& url, milliseconds lease) {
  return {"EVAL",
          std::string(kTake),
          "2",
          key_of(id),
          std::string(kChanges),
          url,
          fmt::format("{}", lease.count()),
          id,
          fmt::format("{}", kMostChanges)};
}

Command give_lease(const std::string& id, const std::string& url) {
  return {"EVAL", std::string(kGive), "2", key_of(id), std::string(kChanges), url, id, fmt::format("{}", kMostChanges)};
}

void ask_machine(std::vector<Command>& out, const std::string& id) {
  out.push_back({"GETRANGE", key_of(id), "0", fmt::format("{}", kLongestUrl)});
  out.push_back({"PTTL", key_of(id)});
}

Result<std::optional<Lease>> read_machine(const Reply& url, const Reply& left) {
  if (url.kind == Reply::Kind::error) return redis::explained(url);
  if (url.kind != Reply::Kind::text || left.kind != Reply::Kind::number) return strange("GETRANGE and PTTL");
  constexpr std::int64_t kGone = -2;
  if (url.text.empty() || left.number == kGone) return std::optional<Lease>();
  if (url.text.size() > kLongestUrl)
    return make_error(Errc::too_large, fmt::format("its URL has more than {} characters", kLongestUrl));
  auto machine = parse_machine(url.text);
  if (!machine) return machine.error();
  Lease out{std::move(*machine), url.text, {}};
  if (left.number >= 0) out.left = milliseconds(left.number);
  return std::optional(std::move(out));
}

Command scan_machines(const std::string& cursor) {
  return {"SCAN", cursor, "MATCH", std::string(kMachine) + "*", "COUNT", std::string(kRound)};
}

Command scan_revoked(const std::string& cursor) { return {"ZSCAN", std::string(kRevoked), cursor, "COUNT", std::string(kRound)}; }

Result<Scanned> read_machines(const Reply& reply) {
  if (!is_scan(reply)) return strange("SCAN");
  Scanned out{reply.items[0].text, {}};
  for (const Reply& key : reply.items[1].items) {
    if (!key.text.starts_with(kMachine)) continue;
    std::string id = key.text.substr(kMachine.size());
    if (is_id(id)) out.ids.push_back(std::move(id));
  }
  return out;
}

Result<ScannedRevoked> read_revoked(const Reply& reply) {
  if (!is_scan(reply)) return strange("ZSCAN");
  ScannedRevoked out{reply.items[0].text, {}};
  const auto& items = reply.items[1].items;
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    const auto until = time_of(items[i + 1].text);
    if (until && is_token_id(items[i].text)) out.ids.emplace_back(items[i].text, *until);
  }
  return out;
}

void revoke(std::vector<Command>& out, const std::string& token_id, WallTime until) {
  out.push_back({"ZADD", std::string(kRevoked), until == kNever ? "inf" : fmt::format("{}", seconds_of(until)), token_id});
  out.push_back({"XADD", std::string(kChanges), "MAXLEN", "~", fmt::format("{}", kMostChanges), "*", "revoked", token_id});
}

Command forget_revoked(WallTime before) {
  return {"ZREMRANGEBYSCORE", std::string(kRevoked), "-inf", fmt::format("({}", seconds_of(before))};
}

Command ask_revoked(const std::string& token_id) { return {"ZSCORE", std::string(kRevoked), token_id}; }

std::optional<WallTime> read_until(const Reply& score) {
  return score.kind == Reply::Kind::text ? time_of(score.text) : std::nullopt;
}

Command last_change() { return {"XREVRANGE", std::string(kChanges), "+", "-", "COUNT", "1"}; }

std::string read_last_change(const Reply& reply) {
  if (reply.items.empty() || reply.items[0].items.empty()) return "0-0";
  return reply.items[0].items[0].text;
}

Command next_changes(const std::string& last, milliseconds patience) {
  return {"XREAD", "COUNT", std::string(kRound), "BLOCK", fmt::format("{}", patience.count()), "STREAMS", std::string(kChanges),
          last};
}

// [[key, [[number, [name, value, …]], …]]], or nothing.
Changes read_changes(const Reply& reply) {
  Changes out;
  if (reply.items.size() != 1 || reply.items[0].items.size() != 2) return out;
  for (const Reply& entry : reply.items[0].items[1].items) {
    if (entry.items.size() != 2) continue;
    out.last = entry.items[0].text;
    const auto& words = entry.items[1].items;
    for (std::size_t i = 0; i + 1 < words.size(); i += 2) {
      const std::string& id = words[i + 1].text;
      if (words[i].text == "machine" && is_id(id)) add_once(out.machines, id);
      if (words[i].text == "revoked" && is_token_id(id)) add_once(out.tokens, id);
    }
  }
  return out;
}

}  // namespace cmux::gateway::fleet
