#include "gateway/follower.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.hpp"

namespace cmux::gateway {
namespace {

constexpr milliseconds kListen{1'000};  // for the next change, before the store must say that there is none
constexpr int kShare = 5;               // reading all takes one part of so many of the time

Error endless() { return make_error(Errc::malformed, "it lets a walk through its keys never end"); }

WallTime wall_now() { return std::chrono::system_clock::now(); }

}  // namespace

Follower::Follower(redis::Url url, upstream::DiallerOptions options, Changed changed)
    : link_("the fleet's store", std::move(url), std::move(options),
            [this](redis::Connection& connection) { return follow(connection); }),
      changed_(std::move(changed)) {}

Task<Result<void>> Follower::follow(redis::Connection& connection) {
  connected_ = Clock::now();
  while (true) {
    const auto began = Clock::now();
    auto read = co_await read_all(connection);
    if (!read) co_return read;
    link_.up();
    publish();
    const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - began);
    const auto next = Clock::now() + std::max(kAgain, kShare * took);
    while (Clock::now() < next) {
      const auto left = std::chrono::duration_cast<milliseconds>(next - Clock::now());
      const milliseconds patience = std::clamp(left, milliseconds(1), kListen);
      redis::Command command = fleet::next_changes(last_change_, patience);
      auto reply = co_await connection.ask(std::move(command), patience);
      if (!reply) co_return reply.error();
      fleet::Changes changes = fleet::read_changes(*reply);
      if (changes.last.empty()) continue;
      last_change_ = changes.last;
      auto looked = co_await look_at(connection, std::move(changes));
      if (!looked) co_return looked;
      publish();
      co_await link_.rest(kSettle);
    }
  }
}

// What changes meanwhile is looked at again behind it.
Task<Result<void>> Follower::read_all(redis::Connection& connection) {
  std::vector<redis::Command> commands;
  commands.push_back({"DBSIZE"});
  commands.push_back({"ZCARD", std::string(fleet::kRevoked)});
  commands.push_back(fleet::last_change());
  auto replies = co_await connection.ask_all(std::move(commands));
  if (!replies) co_return replies.error();
  for (const redis::Reply& reply : *replies)
    if (reply.kind == redis::Reply::Kind::error) co_return redis::explained(reply);
  const auto keys = static_cast<std::size_t>((*replies)[0].number), revoked = static_cast<std::size_t>((*replies)[1].number);
  if (keys > kMostKeys)
    co_return make_error(Errc::too_large,
                         fmt::format("its database holds {} keys: a fleet needs one of its own (redis://…/1)", keys));
  if (revoked > kMostRevoked)
    co_return make_error(Errc::too_large, fmt::format("{} tokens are revoked, and {} can be: rotate the keys, and remove {}",
                                                      revoked, kMostRevoked, fleet::kRevoked));
  last_change_ = fleet::read_last_change((*replies)[2]);
  ++reading_;
  auto done = co_await read_revoked(connection);
  if (done) done = co_await read_machines(connection);
  if (!done) co_return done;
  co_await write_back(connection);
  forget();
  facts_.read = wall_now();
  co_return Result<void>{};
}

Task<Result<void>> Follower::read_revoked(redis::Connection& connection) {
  std::string cursor = "0";
  int rounds = 0;
  do {
    if (++rounds > fleet::kMostRounds) co_return endless();
    redis::Command command = fleet::scan_revoked(cursor);
    auto reply = co_await connection.ask(std::move(command));
    if (!reply) co_return reply.error();
    auto scanned = fleet::read_revoked(*reply);
    if (!scanned) co_return scanned.error();
    for (const auto& [id, until] : scanned->ids) take_token(id, until);
    cursor = std::move(scanned->cursor);
  } while (cursor != "0");
  co_return Result<void>{};
}

Task<Result<void>> Follower::read_machines(redis::Connection& connection) {
  refused_ = 0;
  refused_example_.clear();
  std::string cursor = "0";
  int rounds = 0;
  do {
    if (++rounds > fleet::kMostRounds) co_return endless();
    redis::Command command = fleet::scan_machines(cursor);
    auto reply = co_await connection.ask(std::move(command));
    if (!reply) co_return reply.error();
    auto scanned = fleet::read_machines(*reply);
    if (!scanned) co_return scanned.error();
    auto asked = co_await ask_machines(connection, std::move(scanned->ids), false);
    if (!asked) co_return asked;
    cursor = std::move(scanned->cursor);
  } while (cursor != "0");
  facts_.refused = refused_;
  if (refused_ > 0 && refused_example_ != told_example_)
    log::warn("{} machines in the fleet's store are not taken, such as {}", refused_, refused_example_);
  told_example_ = refused_example_;
  co_return Result<void>{};
}

Task<Result<void>> Follower::ask_machines(redis::Connection& connection, std::vector<std::string> ids, bool changed) {
  if (ids.empty()) co_return Result<void>{};
  std::vector<redis::Command> commands;
  for (const std::string& id : ids) fleet::ask_machine(commands, id);
  auto replies = co_await connection.ask_all(std::move(commands));
  if (!replies) co_return replies.error();
  for (std::size_t i = 0; i < ids.size(); ++i)
    take(ids[i], fleet::read_machine((*replies)[2 * i], (*replies)[2 * i + 1]), changed);
  co_return Result<void>{};
}

Task<Result<void>> Follower::look_at(redis::Connection& connection, fleet::Changes changes) {
  std::vector<redis::Command> commands;
  for (const std::string& id : changes.tokens) commands.push_back(fleet::ask_revoked(id));
  if (!commands.empty()) {
    auto replies = co_await connection.ask_all(std::move(commands));
    if (!replies) co_return replies.error();
    for (std::size_t i = 0; i < changes.tokens.size(); ++i)
      if (const auto until = fleet::read_until((*replies)[i])) take_token(changes.tokens[i], *until);
  }
  co_return co_await ask_machines(connection, std::move(changes.machines), true);
}

// `changed`: somebody said so, and a machine that is not there has left.
void Follower::take(const std::string& id, Result<std::optional<fleet::Lease>> lease, bool changed) {
  const auto refuse = [&](std::string_view why) {
    ++refused_;
    if (refused_example_.empty()) refused_example_ = fmt::format("{}: {}", id, why);
  };
  if (!lease) return refuse(lease.error().detail);
  if (!*lease) {
    if (changed && machines_.erase(id) > 0) machines_changed_ = true;
    return;
  }
  if (machines_.size() >= kMostMachines && !machines_.contains(id))
    return refuse(fmt::format("there are more than {}", kMostMachines));
  Known& known = machines_[id];
  if (known.url != (*lease)->url) {
    machines_changed_ = true;
    known.machine = std::move((*lease)->machine);
    known.url = std::move((*lease)->url);
  }
  known.seen_at = Clock::now();
  known.ends = (*lease)->left ? known.seen_at + *(*lease)->left : Clock::time_point::max();
  known.seen = reading_;
}

void Follower::take_token(const std::string& id, WallTime until) {
  if (until <= wall_now() || (tokens_.size() >= kMostRevoked && !tokens_.contains(id))) return;
  const auto [known, fresh] = tokens_.try_emplace(id);
  tokens_changed_ = tokens_changed_ || fresh;
  known->second = {std::max(until, known->second.until), reading_};
}

// What the store has lost of the tokens. Where it may not be written to, that is no reason to know less.
Task<void> Follower::write_back(redis::Connection& connection) {
  constexpr std::size_t kAtOnce = 1'000;
  std::vector<redis::Command> commands;
  for (const auto& [id, known] : tokens_)
    if (known.seen != reading_ && known.until > wall_now() && commands.size() < kAtOnce) fleet::revoke(commands, id, known.until);
  if (commands.empty()) co_return;
  const std::size_t count = commands.size() / 2;
  auto replies = co_await connection.ask_all(std::move(commands));
  if (!replies) co_return;  // which the next question will tell
  const redis::Reply& first = replies->front();
  if (first.kind == redis::Reply::Kind::error)
    log::debug("the fleet's store does not take back {} revoked tokens that it has lost: {}", count,
               redis::explained(first).detail);
  else log::warn("the fleet's store had lost {} revoked tokens: they were written back", count);
}

// Machines that are not in the store any more, and tokens that would let nobody in anyway.
void Follower::forget() {
  // Those that were not seen since the store was away could not go on with their leases either.
  const auto gone = [&, now = Clock::now()](const auto& one) {
    const Known& known = one.second;
    const auto until = known.seen_at < connected_ ? connected_ + kGrace : std::min(known.ends, known.seen_at + kGrace);
    return known.seen != reading_ && now >= until;
  };
  if (std::erase_if(machines_, gone) > 0) machines_changed_ = true;
  const auto over = [time = wall_now()](const auto& one) { return one.second.until <= time; };
  if (std::erase_if(tokens_, over) > 0) tokens_changed_ = true;
}

void Follower::publish() {
  if ((!machines_changed_ && !tokens_changed_) || link_.closing()) return;
  before_ = last_;
  if (std::exchange(machines_changed_, false)) {
    auto table = std::make_shared<MachineTable>();
    for (const auto& [id, known] : machines_) table->emplace_hint(table->end(), id, known.machine);
    last_.machines = std::move(table);
  }
  if (std::exchange(tokens_changed_, false)) {
    auto revoked = std::make_shared<Revoked>();
    for (const auto& [id, known] : tokens_) revoked->emplace_hint(revoked->end(), id, known.until);
    last_.revoked = std::move(revoked);
  }
  facts_.machines = last_.machines->size();
  facts_.revoked = last_.revoked->size();
  changed_(last_);
}

}  // namespace cmux::gateway
