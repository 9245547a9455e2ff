// What a fleet's store (a database of a Redis) holds, and the commands about it. Pure.
//
//   cmux:machine:<id>   text: the URL of that machine's gateway, for as long as its lease lasts
//   cmux:revoked        sorted set: ids of tokens, each with the second from which it may be forgotten
//   cmux:changes        stream: "machine" <id> or "revoked" <id>: look at that again
//
// A machine has a key of its own, so that Redis' ACLs can keep each machine to its own. What the stream says is a hint, and never
// believed.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/machines.hpp"
#include "gateway/revoked.hpp"
#include "redis/connection.hpp"

namespace cmux::gateway::fleet {

inline constexpr std::string_view kMachine = "cmux:machine:", kRevoked = "cmux:revoked", kChanges = "cmux:changes";
constexpr std::size_t kLongestUrl = 300;  // of a machine's gateway
constexpr int kMostChanges = 10'000;      // that the stream keeps; who has missed more reads all

// --- a machine's ---

// Takes the lease, or goes on with it. The answer is empty, or else who has it: another URL.
redis::Command take_lease(const std::string& id, const std::string& url, milliseconds lease);
// Gives it back, where it is still ours.
redis::Command give_lease(const std::string& id, const std::string& url);

// --- one machine ---

// Two answers: at most kLongestUrl + 1 bytes of the URL, and what is left of the lease.
void ask_machine(std::vector<redis::Command>& out, const std::string& id);
struct Lease {
  Machine machine;
  std::string url;
  std::optional<milliseconds> left;  // nothing: it does not end
};
// Nothing: it is not there. Errors say what is wrong with what is.
Result<std::optional<Lease>> read_machine(const redis::Reply& url, const redis::Reply& left);

// --- all of them ---

constexpr int kMostRounds = 10'000;  // of a walk: ten times what one takes at the most

// One round of a walk: the answer is the next cursor, "0" at the end, and ids.
redis::Command scan_machines(const std::string& cursor);
redis::Command scan_revoked(const std::string& cursor);
struct Scanned {
  std::string cursor;
  std::vector<std::string> ids;
};
Result<Scanned> read_machines(const redis::Reply& reply);  // without ids that no machine can have
struct ScannedRevoked {
  std::string cursor;
  std::vector<std::pair<std::string, WallTime>> ids;
};
Result<ScannedRevoked> read_revoked(const redis::Reply& reply);

// --- tokens ---

// Two answers.
void revoke(std::vector<redis::Command>& out, const std::string& token_id, WallTime until);
redis::Command forget_revoked(WallTime before);  // that would let nobody in by then
redis::Command ask_revoked(const std::string& token_id);
std::optional<WallTime> read_until(const redis::Reply& score);  // nothing: it is not revoked

// --- changes ---

redis::Command last_change();
std::string read_last_change(const redis::Reply& reply);
redis::Command next_changes(const std::string& last, milliseconds patience);
struct Changes {
  std::string last;
  std::vector<std::string> machines, tokens;  // each once
};
Changes read_changes(const redis::Reply& reply);

}  // namespace cmux::gateway::fleet
