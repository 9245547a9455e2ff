#include "policy/context.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/check.hpp"
#include "policy/credentials.hpp"

namespace cmux::policy {

namespace {

std::size_t bytes_of(const Context& context) {
  return sizeof context + context.label.size() + (context.route ? bytes_of(*context.route) : 0);
}

// Where ssh, mail, LDAP, SQL Server, Oracle, MQTT, MySQL, PostgreSQL, AMQP, VNC, Redis, Cassandra, Kafka, Memcached and MongoDB
// are found, which speak neither HTTP nor, to begin with, TLS. Of other ports there is no telling: most are web servers.
constexpr std::uint16_t kRawPorts[] = {22,   25,   110,  143,  389,  587,  1433, 1521,  1883, 2222,
                                       3306, 5432, 5672, 5900, 6379, 9042, 9092, 11211, 27017};

bool is_raw(const Forward& forward) {
  return std::find(std::begin(kRawPorts), std::end(kRawPorts), forward.port) != std::end(kRawPorts);
}

}  // namespace

std::vector<std::string> warnings_of(const Context& context) {
  if (!context.route) return {};
  std::vector<std::string> out = warnings_of(*context.route);
  const auto raw = std::find_if(context.forwards.begin(), context.forwards.end(), is_raw);
  if (raw == context.forwards.end()) return out;
  const auto destination = destination_of(*context.route, Scheme::http, "localhost", raw->port);
  if (destination && !destination->tunnels)
    out.push_back(fmt::format(
        "forwards: this route carries HTTP and TLS alone, and what is usual on port {} speaks neither: psql, redis-cli, "
        "ssh and the like need a cmuxProxyOrigin",
        raw->port));
  return out;
}

struct ContextStore::Entry {
  ContextStore* store;
  ContextPtr context;
  std::uint64_t order;
  std::unique_ptr<ProcessWatch> owner;

  Entry(ContextStore* in, ContextPtr what, std::uint64_t number) : store(in), context(std::move(what)), order(number) {}
  void end(std::string_view reason) {
    const std::string id = context->id;  // outlives this entry
    store->release(id, reason);
  }
};

ContextStore::ContextStore(Observer observer, WallClock now) : observer_(std::move(observer)), now_(std::move(now)) {}
ContextStore::~ContextStore() = default;

Result<void> ContextStore::check_room(std::size_t more, std::size_t less) const {
  if (more <= less || bytes_ - less + more <= kMostBytes) return {};
  return make_error(Errc::limit, fmt::format("the contexts' routes and labels hold {} MB already", kMostBytes / 1024 / 1024));
}

void ContextStore::end_expired() {
  const auto now = now_();
  while (!ends_.empty() && ends_.begin()->first <= now) {
    const std::string id = ends_.begin()->second;
    release(id, "its time is over");
  }
  arm();
}

// For the next end. Long times are waited for in steps.
void ContextStore::arm() {
  if (ends_.empty()) return look_.cancel();
  const auto left = std::chrono::ceil<milliseconds>(ends_.begin()->first - now_());
  look_.after(std::clamp(left, milliseconds(1), kLook));
  CMUX_CHECK(look_.armed(), "somebody looks whether a context's time is over");
}

Result<ContextPtr> ContextStore::create(ContextRequest request) {
  if (request.route)
    if (auto checked = check_route(*request.route); !checked) return checked.error();
  if (entries_.size() >= kMost) return make_error(Errc::limit, fmt::format("there are {} contexts already", kMost));
  if (request.owner_pid != 0 && (request.owner_pid < 0 || !process_runs(request.owner_pid)))
    return make_error(Errc::config, fmt::format("ownerPid: no process {} runs", request.owner_pid));
  auto made = std::make_shared<Context>();
  const auto number = request.web_contents_id;
  made->id = fmt::format("ctx-{}-{}", number, random_hex(16));
  made->username = fmt::format("wc-{}-{}", number, random_hex(8));
  made->password = random_hex(24);
  made->web_contents_id = number;
  made->route = std::move(request.route);
  made->label = std::move(request.label);
  made->created_at = now_();
  if (request.ttl.count() > 0) made->expires_at = made->created_at + request.ttl;
  made->owner_pid = request.owner_pid;
  made->dedicated_port = request.dedicated_port;
  made->forwards = std::move(request.forwards);
  made->forward_auto = request.forward_auto;
  made->transparent = !request.transparent.empty();
  if (auto room = check_room(bytes_of(*made), 0); !room) return room.error();
  bytes_ += bytes_of(*made);
  auto entry = std::make_unique<Entry>(this, made, next_++);
  if (made->owner_pid != 0)
    entry->owner = std::make_unique<ProcessWatch>(
        made->owner_pid, [](void* self) { static_cast<Entry*>(self)->end("its owner has ended"); }, entry.get());
  const bool fresh = entries_.emplace(made->id, std::move(entry)).second;
  CMUX_CHECK(fresh, "no two contexts have one id");
  if (made->expires_at) {
    ends_.emplace(*made->expires_at, made->id);
    arm();
  }
  observer_(Change::added, made, {});
  CMUX_INVARIANTS(*this);
  return ContextPtr(made);
}

ContextPtr ContextStore::find(std::string_view id) const {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : found->second->context;
}

std::vector<ContextPtr> ContextStore::list() const {
  std::vector<const Entry*> sorted;
  for (const auto& [id, entry] : entries_) sorted.push_back(entry.get());
  std::sort(sorted.begin(), sorted.end(), [](const Entry* a, const Entry* b) { return a->order < b->order; });
  std::vector<ContextPtr> out;
  for (const Entry* entry : sorted) out.push_back(entry->context);
  return out;
}

Result<ContextPtr> ContextStore::reroute(std::string_view id, std::optional<Route> route) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return ContextPtr();
  if (route)
    if (auto checked = check_route(*route); !checked) return checked.error();
  auto changed = std::make_shared<Context>(*found->second->context);
  CMUX_CHECK(changed->id == id, "a context is found by its id");
  changed->route = std::move(route);
  const std::size_t before = bytes_of(*found->second->context), after = bytes_of(*changed);
  if (auto room = check_room(after, before); !room) return room.error();
  bytes_ += after - before;
  found->second->context = changed;
  observer_(Change::rerouted, changed, {});
  CMUX_INVARIANTS(*this);
  return ContextPtr(changed);
}

bool ContextStore::release(std::string_view id, std::string_view reason) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return false;
  // The entry may be the caller: its watch is on the stack. It goes when the loop is back.
  auto owned = std::shared_ptr<Entry>(std::move(found->second));
  entries_.erase(found);
  const std::size_t bytes = bytes_of(*owned->context);
  CMUX_CHECK(bytes_ >= bytes, "the store counts its contexts' bytes");
  bytes_ -= bytes;
  if (owned->context->expires_at) {
    const std::size_t ended = ends_.erase({*owned->context->expires_at, owned->context->id});
    CMUX_CHECK(ended == 1, "a context that has an end is waited for");
  }
  observer_(Change::released, owned->context, reason);
  CMUX_INVARIANTS(*this);
  Loop::current().post([owned] {});
  return true;
}

void ContextStore::invariants() const {
  constexpr std::size_t kLarge = 1000;
  CMUX_CHECK(entries_.size() <= kMost && bytes_ <= kMostBytes, "a store has a bound");
  CMUX_CHECK(ends_.size() <= entries_.size(), "nobody waits for the end of a context that has gone");
  if (entries_.size() > kLarge) return;
  std::size_t bytes = 0, ends = 0;
  std::set<std::uint64_t> orders;
  for (const auto& [id, entry] : entries_) {
    CMUX_CHECK(entry->context->id == id, "a context is found by its id");
    CMUX_CHECK(entry->order < next_ && orders.insert(entry->order).second, "contexts are in the order of their making");
    CMUX_CHECK((entry->owner != nullptr) == (entry->context->owner_pid != 0), "an owner is watched");
    bytes += bytes_of(*entry->context);
    if (!entry->context->expires_at) continue;
    ++ends;
    CMUX_CHECK(ends_.contains({*entry->context->expires_at, id}), "a context that has an end is waited for");
  }
  CMUX_CHECK(bytes == bytes_ && ends == ends_.size(), "the store counts its contexts, their bytes and their ends");
}

std::vector<std::string> ContextStore::release_all(std::optional<std::uint64_t> web_contents_id, std::string_view reason) {
  std::vector<std::string> ids;
  for (const auto& [id, entry] : entries_)
    if (!web_contents_id || entry->context->web_contents_id == *web_contents_id) ids.push_back(id);
  for (const std::string& id : ids) release(id, reason);
  return ids;
}

}  // namespace cmux::policy
