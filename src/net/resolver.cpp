#include "net/resolver.hpp"

#include <optional>
#include <set>

#include <fmt/format.h>

namespace cmux::net {

Result<Override> parse_override(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return make_error(Errc::config,
                      fmt::format("'{}': {} (expected PATTERN=ADDR[:PORT], such as *.cmux.test=127.0.0.1:8443)", text, why));
  };
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) return bad("no '=' after a host pattern");
  Override made;
  for (const char c : text.substr(0, equals)) made.pattern += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  std::string_view target = text.substr(equals + 1);
  if (Endpoint::from_ip(target, 1)) {
    made.ip = target;
    return made;
  }
  const auto authority = parse_authority(target);
  if (!authority) return bad(authority.error().detail);
  if (!Endpoint::from_ip(authority->host, 1)) return bad("the address must be an IP address");
  made.ip = authority->host;
  made.port = authority->port.value_or(0);
  return made;
}

bool matches_glob(std::string_view pattern, std::string_view text) {
  // Backtracks to the last '*' only: linear in practice, and never exponential.
  std::size_t p = 0, t = 0, star = std::string_view::npos, mark = 0;
  while (t < text.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) ++p, ++t;
    else if (p < pattern.size() && pattern[p] == '*') star = p++, mark = t;
    else if (star != std::string_view::npos) p = star + 1, t = ++mark;
    else return false;
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

struct Resolver::Waiter : Link {
  Event woken;
  std::optional<Lookups::Answer> answer;
  Deadline late{[](void* self) { static_cast<Waiter*>(self)->woken.set(); }, this};
};

// A name that is being looked up. It stays until the answer is there, even when nobody waits any more: the next one may.
struct Resolver::Lookup {
  ~Lookup() {
    if (request) request->give_up();
  }
  Lookups::RequestPtr request;
  Link waiters;
  std::set<std::string> clients;  // in whose queues it stands
};

Resolver::Resolver(std::vector<Override> overrides, Lookups* lookups, CacheLimits limits)
    : overrides_(std::move(overrides)), lookups_(lookups), limits_(limits) {}
Resolver::~Resolver() { *self_ = nullptr; }

Result<Resolver::Lookup*> Resolver::look_up(const std::string& host, const std::string& client) {
  if (!lookups_) lookups_ = &Lookups::shared();
  std::unique_ptr<Lookup>& lookup = running_[host];
  if (!lookup) {
    lookup = std::make_unique<Lookup>();
    lookup->request = std::make_shared<Lookups::Request>(host, Loop::current(),
                                                         [self = std::weak_ptr<Resolver*>(self_), host](Lookups::Answer answer) {
                                                           if (const auto alive = self.lock(); alive && *alive)
                                                             (*alive)->answered(host, std::move(answer));
                                                         });
  }
  if (lookup->clients.insert(client).second) {
    auto added = lookups_->add(lookup->request, client);
    if (!added) {
      lookup->clients.erase(client);
      if (lookup->clients.empty()) running_.erase(host);
      return added.error();
    }
  }
  return lookup.get();
}

void Resolver::answered(const std::string& host, Lookups::Answer answer) {
  const auto found = running_.find(host);
  if (found == running_.end()) return;
  const std::unique_ptr<Lookup> lookup = std::move(found->second);
  running_.erase(found);
  if (answer) keep(host, *answer);
  while (lookup->waiters.linked()) {
    auto* const waiter = static_cast<Waiter*>(lookup->waiters.next());
    waiter->unlink();
    waiter->answer = answer;
    waiter->woken.set();
  }
}

void Resolver::keep(const std::string& host, const std::vector<Endpoint>& endpoints) {
  if (cache_.size() >= limits_.names) cache_.clear();
  cache_[host] = {endpoints, Loop::current().now() + limits_.good_for};
}

const Override* Resolver::override_of(std::string_view host) const {
  for (const Override& rule : overrides_)
    if (matches_glob(rule.pattern, host)) return &rule;
  return nullptr;
}

void Resolver::cancel() {
  cancelled_ = true;
  for (auto& [host, lookup] : running_)
    for (Link* link = lookup->waiters.next(); link != &lookup->waiters; link = link->next())
      static_cast<Waiter*>(link)->woken.set();
}

Task<Result<std::vector<Endpoint>>> Resolver::resolve(std::string host, std::uint16_t port, milliseconds timeout,
                                                      std::string client) {
  std::vector<Endpoint> fixed;
  if (const Override* const rule = override_of(host)) {
    fixed.push_back(*Endpoint::from_ip(rule->ip, rule->port ? rule->port : port));
    co_return fixed;
  }
  if (auto literal = Endpoint::from_ip(host, port)) {
    fixed.push_back(*literal);
    co_return fixed;
  }
  if (is_under(host, "localhost")) {  // RFC 6761 section 6.3: never asked of DNS
    fixed.push_back(*Endpoint::from_ip("127.0.0.1", port));
    fixed.push_back(*Endpoint::from_ip("::1", port));
    co_return fixed;
  }
  const auto with_port = [port](std::vector<Endpoint> endpoints) {
    for (Endpoint& endpoint : endpoints) endpoint.set_port(port);
    return endpoints;
  };
  const auto cached = cache_.find(host);
  if (cached != cache_.end() && cached->second.until > Loop::current().now()) co_return with_port(cached->second.endpoints);

  if (cancelled_) co_return make_error(Errc::cancelled, "shutting down");
  auto lookup = look_up(host, client);
  if (!lookup) co_return lookup.error();
  Waiter waiter;
  waiter.link_after((*lookup)->waiters);
  waiter.late.after(timeout);
  co_await waiter.woken;
  if (waiter.answer) {
    if (!*waiter.answer) co_return waiter.answer->error();
    co_return with_port(std::move(**waiter.answer));
  }
  // Not answered, so it is there still. Who was the last to want it takes it out of the queue.
  waiter.unlink();
  const auto mine = running_.find(host);
  if (!mine->second->waiters.linked() && mine->second->request->give_up_waiting()) running_.erase(mine);
  if (cancelled_) co_return make_error(Errc::cancelled, "shutting down");
  Error error =
      make_error(Errc::dns_timeout, fmt::format("cannot resolve {}: no answer in {} s", host, timeout.count() / 1000.0));
  error.retryable = true;
  co_return error;
}

}  // namespace cmux::net
