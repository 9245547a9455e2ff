// Follower: a fleet as one gateway knows it: machines that have registered themselves, and tokens that were revoked. Reads all of
// the store at the start of each connection and every few seconds, follows the changes in between, and hands out snapshots.
//
// What is known stays: while the store cannot be reached, everything; when it has lost something, a revoked token until its end,
// which is written back, and a machine for a while in which it may come back. On the main thread's loop.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "gateway/fleet.hpp"
#include "redis/link.hpp"

namespace cmux::gateway {

class Follower {
 public:
  struct Snapshot {
    std::shared_ptr<const MachineTable> machines;  // null: nothing has been read yet
    RevokedPtr revoked;
  };
  // Called at the first one, and whenever one differs from the last.
  using Changed = std::function<void(const Snapshot&)>;
  Follower(redis::Url url, upstream::DiallerOptions options, Changed changed);

  void start() { link_.start(); }
  Task<void> close() { return link_.close(); }
  redis::Link& link() { return link_; }

  struct Facts {
    std::size_t machines = 0, revoked = 0;
    std::size_t refused = 0;       // machines that the last reading of all found to be nonsense, or too many
    std::optional<WallTime> read;  // all of the store, last
  };
  const Facts& facts() const { return facts_; }

  static constexpr milliseconds kAgain{5'000};         // between two readings of all
  static constexpr milliseconds kGrace{30'000};        // for machines to come back that the store has lost
  static constexpr milliseconds kSettle{50};           // between two snapshots
  static constexpr std::size_t kMostKeys = 1'000'000;  // of the database

 private:
  struct Known {
    Machine machine;
    std::string url;
    Clock::time_point ends;     // its lease
    Clock::time_point seen_at;  // last
    unsigned seen = 0;          // ... in the reading of that number
  };
  struct KnownToken {
    WallTime until;
    unsigned seen = 0;
  };
  Task<Result<void>> follow(redis::Connection& connection);
  Task<Result<void>> read_all(redis::Connection& connection);
  Task<Result<void>> read_machines(redis::Connection& connection);
  Task<Result<void>> read_revoked(redis::Connection& connection);
  Task<Result<void>> look_at(redis::Connection& connection, fleet::Changes changes);
  Task<Result<void>> ask_machines(redis::Connection& connection, std::vector<std::string> ids, bool changed);
  Task<void> write_back(redis::Connection& connection);
  void take(const std::string& id, Result<std::optional<fleet::Lease>> lease, bool changed);
  void take_token(const std::string& id, WallTime until);
  void forget();
  void publish();

  redis::Link link_;
  const Changed changed_;
  std::map<std::string, Known> machines_;
  std::map<std::string, KnownToken, std::less<>> tokens_;
  bool machines_changed_ = true, tokens_changed_ = true;
  Snapshot last_, before_;  // before_: so that it is freed here, and not on a worker's thread
  Facts facts_;
  std::string last_change_;
  unsigned reading_ = 0;  // its number
  std::size_t refused_ = 0;
  std::string refused_example_, told_example_;
  Clock::time_point connected_;
};

}  // namespace cmux::gateway
