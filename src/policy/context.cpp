#include "policy/context.hpp"

#include <fmt/format.h>

#include "policy/credentials.hpp"

namespace cmux::policy {

struct ContextStore::Entry {
  ContextStore* store;
  ContextPtr context;
  std::uint64_t order;
  std::unique_ptr<ProcessWatch> owner;
  Deadline expiry{[](void* self) { static_cast<Entry*>(self)->expire(); }, this};

  Entry(ContextStore* in, ContextPtr what, std::uint64_t number) : store(in), context(std::move(what)), order(number) {}
  void expire() {
    const auto left = *context->expires_at - std::chrono::system_clock::now();
    // Long times are waited for in steps: the machine may sleep, and the timer does not count that.
    if (left > std::chrono::seconds(0)) return arm(left);
    end("its time is over");
  }
  void arm(std::chrono::system_clock::duration left) {
    expiry.after(std::min(std::chrono::duration_cast<milliseconds>(left) + milliseconds(1), milliseconds(60'000)));
  }
  void end(std::string_view reason) {
    const std::string id = context->id;  // outlives this entry
    store->release(id, reason);
  }
};

ContextStore::ContextStore(Observer observer) : observer_(std::move(observer)) {}
ContextStore::~ContextStore() = default;

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
  made->created_at = std::chrono::system_clock::now();
  if (request.ttl.count() > 0) made->expires_at = made->created_at + request.ttl;
  made->owner_pid = request.owner_pid;
  made->dedicated_port = request.dedicated_port;
  made->forwards = std::move(request.forwards);
  auto entry = std::make_unique<Entry>(this, made, next_++);
  if (made->expires_at) entry->arm(request.ttl);
  if (made->owner_pid != 0)
    entry->owner = std::make_unique<ProcessWatch>(
        made->owner_pid, [](void* self) { static_cast<Entry*>(self)->end("its owner has ended"); }, entry.get());
  entries_.emplace(made->id, std::move(entry));
  observer_(Change::added, made, {});
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
  changed->route = std::move(route);
  found->second->context = changed;
  observer_(Change::rerouted, changed, {});
  return ContextPtr(changed);
}

bool ContextStore::release(std::string_view id, std::string_view reason) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return false;
  // The entry may be the caller: its timer or its watch is on the stack. It goes when the loop is back.
  auto owned = std::shared_ptr<Entry>(std::move(found->second));
  entries_.erase(found);
  owned->expiry.cancel();
  observer_(Change::released, owned->context, reason);
  Loop::current().post([owned] {});
  return true;
}

std::vector<std::string> ContextStore::release_all(std::optional<std::uint64_t> web_contents_id, std::string_view reason) {
  std::vector<std::string> ids;
  for (const auto& [id, entry] : entries_)
    if (!web_contents_id || entry->context->web_contents_id == *web_contents_id) ids.push_back(id);
  for (const std::string& id : ids) release(id, reason);
  return ids;
}

}  // namespace cmux::policy
