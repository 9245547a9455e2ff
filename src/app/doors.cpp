#include "app/doors.hpp"

#include <fmt/format.h>

namespace cmux::app {
namespace {

Result<std::shared_ptr<net::Listener>> bind_port(const net::Endpoint& where, std::string_view field) {
  auto bound = net::Listener::bind(where);
  if (bound) return std::shared_ptr<net::Listener>(std::move(*bound));
  Error error = bound.error();
  error.code = Errc::config;
  error.status = 409;
  error.detail = fmt::format("{}: {}", field, error.detail);
  return error;
}

}  // namespace

bool leads_to(const net::Endpoint& own, const net::Endpoint& endpoint) {
  if (own.is_unix() || own.port() != endpoint.port()) return false;
  if (own.ip() == endpoint.ip() || endpoint.is_any() || (own.is_any() && endpoint.is_loopback())) return true;
  return endpoint.ip() == "::ffff:" + own.ip();  // ::ffff:127.0.0.1 is 127.0.0.1 by another name
}

Result<Doors::Bound> Doors::bind(policy::ContextRequest& request) const {
  Bound bound;
  if (request.dedicated_port) {
    auto listener = bind_port(*net::Endpoint::from_ip(proxy_.ip(), *request.dedicated_port), "dedicatedPort");
    if (!listener) return listener.error();
    bound.dedicated = *listener;
    request.dedicated_port = bound.dedicated->endpoint().port();
  }
  for (policy::Forward& forward : request.forwards) {
    auto listener = bind_port(*net::Endpoint::from_ip("127.0.0.1", forward.local), "forwards");
    if (!listener) return listener.error();
    forward.local = (*listener)->endpoint().port();
    bound.forwards.push_back(*listener);
  }
  return bound;
}

void Doors::open(const policy::Context& context, Bound bound) {
  if (bound.empty()) return;
  std::vector<proxy::Worker*> all;
  for (const auto& worker : workers_) all.push_back(worker.get());
  proxy::Worker* const first = all.front();
  const auto accept = [&](std::shared_ptr<net::Listener> listener, proxy::DoorPtr door) {
    first->post([first, all, listener = std::move(listener), door = std::move(door)] { first->accept(listener, all, door); });
  };
  if (bound.dedicated) accept(bound.dedicated, std::make_shared<proxy::Door>(proxy::Door{context.username, {}}));
  for (std::size_t i = 0; i < bound.forwards.size(); ++i) {
    net::Authority target;
    target.host = "localhost";
    target.port = context.forwards[i].port;
    accept(bound.forwards[i], std::make_shared<proxy::Door>(proxy::Door{context.username, std::move(target)}));
  }
  std::lock_guard lock(mutex_);
  open_[context.id] = std::move(bound);
}

void Doors::close(Bound& bound) {
  // A listener belongs to the thread that accepts.
  bound.forwards.push_back(std::move(bound.dedicated));
  for (auto& listener : bound.forwards)
    if (listener) workers_.front()->post([listener = std::move(listener)] { listener->close(); });
}

void Doors::close(const policy::Context& context) {
  std::lock_guard lock(mutex_);
  const auto found = open_.find(context.id);
  if (found == open_.end()) return;
  close(found->second);
  open_.erase(found);
}

void Doors::close_all() {
  std::lock_guard lock(mutex_);
  for (auto& [id, bound] : open_) close(bound);
  open_.clear();
}

bool Doors::is_own(const net::Endpoint& endpoint, bool dedicated_only) const {
  std::lock_guard lock(mutex_);
  for (const auto& [id, bound] : open_) {
    if (bound.dedicated && leads_to(bound.dedicated->endpoint(), endpoint)) return true;
    if (dedicated_only) continue;
    for (const auto& listener : bound.forwards)
      if (leads_to(listener->endpoint(), endpoint)) return true;
  }
  return false;
}

}  // namespace cmux::app
