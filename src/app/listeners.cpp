#include "app/listeners.hpp"

#include <fmt/format.h>

#include "net/inherited.hpp"

namespace cmux::app {

Result<void> Listeners::bind(const Settings& settings, const Service* service) {
  auto inherited = net::inherited_listeners();
  if (!inherited) return inherited.error();
  if (inherited->tcp) {
    listeners_.push_back(std::move(inherited->tcp));
  } else {
    const auto bound = service ? bind(service->listen(), 1) : bind({settings.listen}, settings.port_attempts);
    if (!bound) return bound;
  }
  if (!service && !settings.allow_remote && !first().is_loopback())
    return make_error(Errc::config, fmt::format("{}, which was handed over, is not a loopback address: allow-remote lets it be",
                                                first().text()));
  using Bound = Result<std::unique_ptr<net::Listener>>;
  Bound admin = inherited->local ? Bound(std::move(inherited->local)) : net::Listener::bind(settings.admin);
  if (!admin) return admin.error();
  admin_ = std::move(*admin);
  return {};
}

// A port of 0 behind the first becomes the first's. [::] behind another is left out where there is no IPv6.
Result<void> Listeners::bind(std::vector<net::Endpoint> wanted, unsigned attempts) {
  for (net::Endpoint& endpoint : wanted) {
    const bool first = listeners_.empty();
    if (!first && endpoint.port() == 0) endpoint.set_port(this->first().port());
    auto listener = net::Listener::bind(endpoint, attempts);
    const bool no_ipv6 = !listener && !listener.error().retryable && endpoint.storage.ss_family == AF_INET6;
    if (no_ipv6 && !first && endpoint.is_any()) continue;
    if (!listener) return listener.error();
    listeners_.push_back(std::move(*listener));
  }
  return {};
}

void Listeners::open(const Workers& workers) const {
  std::vector<proxy::Worker*> all;
  for (const auto& worker : workers.all()) all.push_back(worker.get());
  proxy::Worker* const first = all.front();
  for (const auto& listener : listeners_) first->post([first, all, listener] { first->accept(listener, all, nullptr); });
}

void Listeners::close(proxy::Worker& first) const {
  for (const auto& listener : listeners_) first.post([listener] { listener->close(); });
}

std::vector<net::Endpoint> Listeners::all() const {
  std::vector<net::Endpoint> out;
  for (const auto& listener : listeners_) out.push_back(listener->endpoint());
  return out;
}

std::vector<std::string> Listeners::texts() const {
  std::vector<std::string> out;
  for (const auto& listener : listeners_) out.push_back(listener->endpoint().text());
  return out;
}

}  // namespace cmux::app
