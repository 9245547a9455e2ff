// Session: a context on one worker, with what is going on under it, so that releasing it can end all of that.
#pragma once

#include <memory>

#include "base/list.hpp"
#include "base/wheel.hpp"
#include "policy/context.hpp"
#include "proxy/counters.hpp"

namespace cmux::proxy {

// Something that can be ended from outside: an exchange or a tunnel. On its session's list for as long as it lives.
class Active : public Link {
 public:
  // Only starts the end: never destroys, and never runs what waits.
  virtual void cancel(Errc why) noexcept = 0;
  virtual bool is_tunnel() const = 0;

 protected:
  ~Active() = default;
};

struct Session : Link {  // on its planner's list, where that has made it
  policy::ContextPtr context;
  Link active;  // the head of the list of Active
  bool released = false;
  // Requests and tunnels, and connections to the context's own ports: both bounded (Options::max_per_context).
  std::size_t open_requests = 0, open_connections = 0;
  std::uint64_t requests = 0;        // that there have been, tunnels of forwarded ports among them
  Clock::time_point last_request{};  // its beginning
  Histogram duration;                // of those that are no tunnels

  void note_request(Clock::time_point now) {
    ++requests;
    last_request = now;
  }

  // Worthless from now on: released, or its time is over and nobody has noticed yet.
  bool ended() const { return released || context->is_over(); }

  // Ends everything, or tunnels alone.
  void cancel(Errc why, bool tunnels_only) {
    for (Link* link = active.next(); link != &active;) {
      Link* const next = link->next();
      auto& one = static_cast<Active&>(*link);
      if (!tunnels_only || one.is_tunnel()) one.cancel(why);
      link = next;
    }
  }
};
using SessionPtr = std::shared_ptr<Session>;

}  // namespace cmux::proxy
