#include "app/fleet.hpp"

#include <fmt/format.h>

#include <functional>

#include "app/gateway_parts.hpp"
#include "gateway/fleet.hpp"

namespace cmux::app {
namespace {

namespace fleet = gateway::fleet;
using gateway::WallTime;

WallTime wall_now() { return std::chrono::system_clock::now(); }

Task<void> work_with(const redis::Url& url, upstream::Dialler& dialler,
                     const std::function<Task<Result<void>>(redis::Connection&)>& work, Result<void>& outcome) {
  auto opened = co_await redis::Connection::open(dialler, url);
  if (opened) outcome = co_await work(**opened);
  else outcome = opened.error();
}

Result<void> with_store(const StoreFlags& flags, const std::function<Task<Result<void>>(redis::Connection&)>& work) {
  auto url = store_url(flags);
  if (!url) return url.error();
  Loop loop;
  net::Resolver resolver;
  upstream::DiallerOptions options = store_options(flags);
  options.dial.timeout = options.tls_timeout = redis::Link::kConnect;
  upstream::Dialler dialler(resolver, std::make_shared<const upstream::DiallerOptions>(std::move(options)));
  Result<void> outcome;
  loop.run(work_with(*url, dialler, work, outcome));
  if (outcome) return outcome;
  return make_error(outcome.error().code, fmt::format("{}: {}", url->text(), outcome.error().detail));
}

Task<Result<void>> revoke_in(redis::Connection& store, const gateway::Revoked& tokens) {
  redis::Command count{"ZCARD", std::string(fleet::kRevoked)};
  auto counted = co_await store.ask(std::move(count));
  if (!counted) co_return counted.error();
  if (static_cast<std::size_t>(counted->number) + tokens.size() > gateway::kMostRevoked)
    co_return make_error(Errc::limit, fmt::format("there are {} revoked tokens already, and {} can be: rotate the keys",
                                                  counted->number, gateway::kMostRevoked));
  std::vector<redis::Command> commands;
  for (const auto& [id, until] : tokens) fleet::revoke(commands, id, until);
  // Those that would let nobody in anyway make room.
  commands.push_back(fleet::forget_revoked(wall_now()));
  auto replies = co_await store.ask_all(std::move(commands));
  if (!replies) co_return replies.error();
  for (const redis::Reply& reply : *replies)
    if (reply.kind == redis::Reply::Kind::error) co_return redis::explained(reply);
  co_return Result<void>{};
}

Task<Result<void>> list_machines(redis::Connection& store, FleetListing& out) {
  std::string cursor = "0";
  int rounds = 0;
  do {
    redis::Command command = fleet::scan_machines(cursor);
    auto reply = co_await store.ask(std::move(command));
    if (!reply) co_return reply.error();
    auto scanned = fleet::read_machines(*reply);
    if (!scanned) co_return scanned.error();
    cursor = scanned->cursor;
    std::vector<redis::Command> commands;
    for (const std::string& id : scanned->ids) fleet::ask_machine(commands, id);
    auto replies = co_await store.ask_all(std::move(commands));
    if (!replies) co_return replies.error();
    for (std::size_t i = 0; i < scanned->ids.size(); ++i) {
      const auto lease = fleet::read_machine((*replies)[2 * i], (*replies)[2 * i + 1]);
      if (!lease) out.machines[scanned->ids[i]] = {{}, {}, lease.error().detail};
      else if (*lease) out.machines[scanned->ids[i]] = {(*lease)->url, (*lease)->left, {}};
    }
    if (++rounds > fleet::kMostRounds || out.machines.size() > gateway::kMostMachines)
      co_return make_error(Errc::too_large,
                           fmt::format("there are more than {} machines, or too many keys", gateway::kMostMachines));
  } while (cursor != "0");
  co_return Result<void>{};
}

Task<Result<void>> list_in(redis::Connection& store, FleetListing& out) {
  auto listed = co_await list_machines(store, out);
  if (!listed) co_return listed;
  std::string cursor = "0";
  int rounds = 0;
  do {
    redis::Command command = fleet::scan_revoked(cursor);
    auto reply = co_await store.ask(std::move(command));
    if (!reply) co_return reply.error();
    auto scanned = fleet::read_revoked(*reply);
    if (!scanned) co_return scanned.error();
    cursor = scanned->cursor;
    for (const auto& [id, until] : scanned->ids)
      if (until > wall_now()) out.revoked[id] = until;
    if (++rounds > fleet::kMostRounds || out.revoked.size() > gateway::kMostRevoked)
      co_return make_error(Errc::too_large, fmt::format("more than {} tokens are revoked", gateway::kMostRevoked));
  } while (cursor != "0");
  co_return Result<void>{};
}

}  // namespace

Result<void> revoke_in_store(const StoreFlags& flags, gateway::Revoked tokens) {
  return with_store(flags, [&](redis::Connection& store) { return revoke_in(store, tokens); });
}

Result<FleetListing> list_store(const StoreFlags& flags) {
  FleetListing out;
  auto listed = with_store(flags, [&](redis::Connection& store) { return list_in(store, out); });
  if (!listed) return listed.error();
  return out;
}

}  // namespace cmux::app
