#include "app/doors.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "net/descriptors.hpp"

namespace cmux::app {
namespace {

constexpr int kAttempts = 100;  // to find a port that is free on both addresses

Error refused(Error error, std::string_view field) {
  const bool taken = error.retryable;
  error.detail = fmt::format("{}: {}", field, error.detail);
  error.code = taken ? Errc::config : Errc::limit;
  if (taken) error.status = 409;
  return error;
}

bool has_ipv6() { return net::Listener::bind(*net::Endpoint::from_ip("::1", 0)).has_value(); }

// Both addresses of a port. An error is retryable where one of them is taken.
Result<Doors::Port> bind_both(std::uint16_t number) {
  Doors::Port port;
  auto first = net::Listener::bind(*net::Endpoint::from_ip("127.0.0.1", number));
  if (!first) return first.error();
  port.push_back(std::move(*first));
  auto second = net::Listener::bind(*net::Endpoint::from_ip("::1", port.front()->endpoint().port()));
  if (second) port.push_back(std::move(*second));
  else if (second.error().retryable || has_ipv6()) return second.error();
  return port;
}

// 0: a number that is free on both.
Result<Doors::Port> bind_port(std::uint16_t number, std::string_view field) {
  if (!net::has_descriptors()) return make_error(Errc::limit, fmt::format("{}: too many descriptors are in use", field));
  auto bound = bind_both(number);
  for (int attempt = 1; number == 0 && !bound && bound.error().retryable && attempt < kAttempts; ++attempt)
    bound = bind_both(number);
  if (!bound) return refused(bound.error(), field);
  return bound;
}

net::Authority workspace_port(std::uint16_t port) {
  net::Authority target;
  target.host = "localhost";
  target.port = port;
  return target;
}

bool any_leads_to(const Doors::Port& port, const net::Endpoint& endpoint) {
  return std::any_of(port.begin(), port.end(), [&](const auto& listener) { return leads_to(listener->endpoint(), endpoint); });
}

}  // namespace

bool leads_to(const net::Endpoint& own, const net::Endpoint& endpoint) {
  if (own.is_unix() || endpoint.is_unix() || own.port() != endpoint.port()) return false;
  if (own.same_ip(endpoint) || endpoint.is_any() || (own.is_any() && endpoint.is_loopback())) return true;
  if (!own.is_any()) return false;
  const auto all = net::reachable_as(own);
  return std::any_of(all.begin(), all.end(), [&](const net::Endpoint& one) { return one.same_ip(endpoint); });
}

Result<Doors::Bound> Doors::bind(policy::ContextRequest& request) const {
  Bound bound;
  if (request.dedicated_port) {
    auto port = bind_port(*request.dedicated_port, "dedicatedPort");
    if (!port) return port.error();
    request.dedicated_port = port->front()->endpoint().port();
    bound.dedicated = std::move(*port);
  }
  for (policy::Forward& forward : request.forwards) {
    auto port = bind_port(forward.local, "forwards");
    if (!port) return port.error();
    forward.local = port->front()->endpoint().port();
    bound.forwards.push_back(std::move(*port));
  }
  return bound;
}

void Doors::open(const policy::Context& context, Bound bound) {
  if (bound.dedicated.empty() && bound.forwards.empty() && bound.transparent.empty()) return;
  accept(bound.dedicated, {context.username});
  for (std::size_t i = 0; i < bound.forwards.size(); ++i)
    accept(bound.forwards[i], {context.username, workspace_port(context.forwards[i].port)});
  if (!bound.transparent.empty()) accept(bound.transparent, {context.username, {}, bound.transparent.front()->endpoint().port()});
  std::lock_guard lock(mutex_);
  open_[context.id].push_back(std::move(bound));
}

void Doors::accept(const Port& port, proxy::Door door) {
  std::vector<proxy::Worker*> all;
  for (const auto& worker : workers_) all.push_back(worker.get());
  proxy::Worker* const first = all.front();
  const proxy::DoorPtr shared = std::make_shared<proxy::Door>(std::move(door));
  for (const auto& listener : port) first->post([first, all, listener, shared] { first->accept(listener, all, shared); });
}

Result<void> Doors::open_forward(const policy::Context& context, std::uint16_t port) {
  auto bound = bind_port(port, "forward");
  if (!bound) return bound.error();
  accept(*bound, {context.username, workspace_port(port)});
  Bound one;
  one.forwards.push_back(std::move(*bound));
  std::lock_guard lock(mutex_);
  open_[context.id].push_back(std::move(one));
  return {};
}

void Doors::close_forward(const policy::Context& context, std::uint16_t port) {
  std::lock_guard lock(mutex_);
  const auto found = open_.find(context.id);
  if (found == open_.end()) return;
  std::erase_if(found->second, [&](const Bound& bound) {
    const bool it = bound.dedicated.empty() && bound.transparent.empty() && bound.forwards.size() == 1 &&
                    bound.forwards.front().front()->endpoint().port() == port;
    if (it) close(bound);
    return it;
  });
}

// A listener belongs to the thread that accepts.
void Doors::close(const Port& port) {
  for (const auto& listener : port) workers_.front()->post([listener] { listener->close(); });
}

void Doors::close(const Bound& bound) {
  close(bound.dedicated);
  for (const Port& port : bound.forwards) close(port);
  close(bound.transparent);
  if (bound.names) bound.names->close();
}

void Doors::close(const policy::Context& context) {
  std::lock_guard lock(mutex_);
  const auto found = open_.find(context.id);
  if (found == open_.end()) return;
  for (const Bound& bound : found->second) close(bound);
  open_.erase(found);
}

void Doors::close_all() {
  std::lock_guard lock(mutex_);
  for (const auto& [id, all] : open_)
    for (const Bound& bound : all) close(bound);
  open_.clear();
}

bool Doors::is_own(const net::Endpoint& endpoint, bool dedicated_only) const {
  std::lock_guard lock(mutex_);
  for (const auto& [id, all] : open_)
    for (const Bound& bound : all) {
      if (any_leads_to(bound.dedicated, endpoint)) return true;
      if (dedicated_only) continue;
      for (const Port& port : bound.forwards)
        if (any_leads_to(port, endpoint)) return true;
    }
  return false;
}

}  // namespace cmux::app
