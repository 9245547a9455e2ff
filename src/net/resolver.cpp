#include "net/resolver.hpp"

#include <netdb.h>
#include <sys/socket.h>

#include <cstring>
#include <mutex>
#include <thread>

#include <fmt/format.h>

namespace cmux::net {
namespace {

constexpr std::chrono::seconds kGoodFor{10};
constexpr std::size_t kMostCached = 1024, kMostRunning = 64;

// Families in turn, keeping the order of the system's preference within each.
std::vector<Endpoint> interleaved(const std::vector<Endpoint>& sorted) {
  std::vector<Endpoint> first, second, out;
  for (const Endpoint& endpoint : sorted)
    (endpoint.storage.ss_family == sorted.front().storage.ss_family ? first : second).push_back(endpoint);
  for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
    if (i < first.size()) out.push_back(first[i]);
    if (i < second.size()) out.push_back(second[i]);
  }
  return out;
}

Result<std::vector<Endpoint>> ask_system(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int failed = getaddrinfo(host.c_str(), nullptr, &hints, &list);
  if (failed != 0) {
    Error error = make_error(Errc::dns, fmt::format("cannot resolve {}: {}", host, gai_strerror(failed)));
    error.retryable = true;
    return error;
  }
  std::vector<Endpoint> found;
  for (const addrinfo* item = list; item; item = item->ai_next) {
    if (item->ai_family != AF_INET && item->ai_family != AF_INET6) continue;
    Endpoint endpoint;
    std::memcpy(&endpoint.storage, item->ai_addr, item->ai_addrlen);
    endpoint.size = item->ai_addrlen;
    found.push_back(endpoint);
  }
  freeaddrinfo(list);
  if (found.empty()) return make_error(Errc::dns, fmt::format("cannot resolve {}: no address", host));
  return interleaved(found);
}

}  // namespace

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

// Shared by the waiting coroutines and the thread. The thread posts to the loop for as long as the resolver lives.
struct Resolver::Lookup {
  std::mutex mutex;
  Loop* loop = nullptr;  // null: nobody waits any more
  Result<std::vector<Endpoint>> outcome = make_error(Errc::cancelled, "shutting down");
  std::vector<Event*> waiters;  // the loop's thread alone
  bool done = false;            // same

  void finish() {
    done = true;
    for (Event* waiter : std::exchange(waiters, {})) waiter->set();
  }
};

Resolver::Resolver(std::vector<Override> overrides) : overrides_(std::move(overrides)) {}

Resolver::~Resolver() {
  for (auto& [host, lookup] : running_) {
    std::lock_guard lock(lookup->mutex);
    lookup->loop = nullptr;
  }
}

Task<Result<std::vector<Endpoint>>> Resolver::resolve(const std::string& host, std::uint16_t port) {
  std::vector<Endpoint> fixed;
  for (const Override& rule : overrides_)
    if (matches_glob(rule.pattern, host)) {
      fixed.push_back(*Endpoint::from_ip(rule.ip, rule.port ? rule.port : port));
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

  std::shared_ptr<Lookup> lookup;
  if (const auto running = running_.find(host); running != running_.end()) {
    lookup = running->second;
  } else {
    if (running_.size() >= kMostRunning)
      co_return make_error(Errc::dns, fmt::format("cannot resolve {}: too many look-ups wait", host));
    lookup = std::make_shared<Lookup>();
    lookup->loop = &Loop::current();
    running_.emplace(host, lookup);
    const auto ask = [lookup, host] {
      auto outcome = ask_system(host);
      std::lock_guard lock(lookup->mutex);
      lookup->outcome = std::move(outcome);
      if (lookup->loop) lookup->loop->post([lookup] { lookup->finish(); });
    };
    try {
      std::thread(ask).detach();
    } catch (const std::system_error& error) {
      running_.erase(host);
      co_return make_error(Errc::dns, fmt::format("cannot resolve {}: no thread for it: {}", host, error.what()));
    }
  }
  if (!lookup->done) {
    Event done;
    lookup->waiters.push_back(&done);
    co_await done;
  }
  // The first of those that waited cleans up; the entry may be a newer look-up's by the time the others run.
  const auto mine = running_.find(host);
  const bool first = mine != running_.end() && mine->second == lookup;
  if (first) running_.erase(mine);
  if (first && lookup->outcome) {
    if (cache_.size() >= kMostCached) cache_.clear();
    cache_[host] = {*lookup->outcome, Loop::current().now() + kGoodFor};
  }
  if (!lookup->outcome) co_return lookup->outcome.error();
  co_return with_port(*lookup->outcome);
}

}  // namespace cmux::net
