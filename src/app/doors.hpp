// Doors: the listeners that contexts have of their own, dedicated and forwarded ports (proxy::Door). Bound on the main thread, so
// that who makes the context learns at once what is in the way; accepted from on the first worker's. Those of a context's
// namespace were bound in there, and come by app/hand_over.
#pragma once

#include <map>
#include <mutex>

#include "app/name_relay.hpp"
#include "proxy/worker.hpp"

namespace cmux::app {

// Would a connection to `endpoint`, made on this machine, come to the listener at `own`? One on every address is reached by those
// that the machine has now: the system is asked, where the port is the same.
bool leads_to(const net::Endpoint& own, const net::Endpoint& endpoint);

class Doors {
 public:
  using Workers = std::vector<std::unique_ptr<proxy::Worker>>;
  explicit Doors(const Workers& workers) : workers_(workers) {}

  // One port on 127.0.0.1 and on [::1], whatever --listen says: it asks for no credentials, so it is for this machine alone.
  // Without IPv6 it has only the first.
  using Port = std::vector<std::shared_ptr<net::Listener>>;
  // Bound, but not yet open.
  struct Bound {
    Port dedicated;              // empty: there is none
    std::vector<Port> forwards;  // in the context's order
    Port transparent;            // in the namespace
    std::shared_ptr<NameRelay> names;
  };
  // Binds what the request asks for, and fills in the ports. Errors name the field; status 409 where the port is taken,
  // Errc::limit where descriptors run out.
  Result<Bound> bind(policy::ContextRequest& request) const;
  // Besides what the context has open already.
  void open(const policy::Context& context, Bound bound);
  // A forwarded port of that number, besides; an error where it cannot be. And its end.
  Result<void> open_forward(const policy::Context& context, std::uint16_t port);
  void close_forward(const policy::Context& context, std::uint16_t port);
  // The context is gone.
  void close(const policy::Context& context);
  // No more connections, for a stop. Those that are open go on.
  void close_all();

  // Would a connection to that address come to one of these? From any thread. `dedicated_only`: forwarded ports do not count; a
  // target that has the number of one is still the workspace's port.
  bool is_own(const net::Endpoint& endpoint, bool dedicated_only) const;

 private:
  void accept(const Port& port, proxy::Door door);
  void close(const Port& port);
  void close(const Bound& bound);

  const Workers& workers_;
  mutable std::mutex mutex_;
  std::map<std::string, std::vector<Bound>, std::less<>> open_;  // by context; guarded by mutex_
};

}  // namespace cmux::app
