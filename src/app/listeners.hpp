// Listeners: the instance's own ports: where clients connect, and the admin API. Bound on the main thread; clients are accepted
// on the first worker's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/server.hpp"
#include "app/workers.hpp"

namespace cmux::app {

class Listeners {
 public:
  // What the settings say, or the service for its clients. Where the system's service manager holds the sockets, those are it,
  // whatever else is said.
  Result<void> bind(const Settings& settings, const Service* service);
  // Accepts on the first worker, for all of them in turn.
  void open(const Workers& workers) const;
  void close(proxy::Worker& first) const;
  net::Listener& admin() const { return *admin_; }
  void end_admin() { admin_.reset(); }  // its socket's file goes with it

  const net::Endpoint& first() const { return listeners_.front()->endpoint(); }
  std::vector<net::Endpoint> all() const;
  std::vector<std::string> texts() const;

 private:
  Result<void> bind(std::vector<net::Endpoint> wanted, unsigned attempts);

  std::vector<std::shared_ptr<net::Listener>> listeners_;
  std::unique_ptr<net::Listener> admin_;
};

}  // namespace cmux::app
