// Planner: who asks, and where that goes. An exchange asks its worker's for every request: `serve`'s asks contexts
// (context_planner.hpp), a gateway's the request's own host and fields (src/gateway). One a worker, owned by it and called on its
// thread alone. What it learns of a connection it keeps in that connection's Entrance.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/event.hpp"
#include "http/stream.hpp"
#include "proxy/plan.hpp"

namespace cmux::proxy {

struct Options;

// What is known of a connection's requests before they come, and what is remembered from one to the next.
struct Entrance {
  SessionPtr session;  // bound to it; null: every request says whose it is
  std::string_view scheme = "http";
  std::optional<net::Authority> tunnel;  // inside a CONNECT to this target: requests for another are misdirected
  bool forwarded = false;                // whatever loopback name the client uses for the tunnel's target, it means that
  bool transparent = false;              // ... and it is called that beyond the tunnel, too
  net::Authority seen;                   // of a forwarded one: the name that was used last, which `plan` was made for
  bool unrouted = false;                 // a CONNECT goes where it says, to the proxy's own listeners as well
  std::string_view protocol = "http/1.1";
  std::uint64_t replay_of = 0;  // the number of the exchange whose request is sent again; 0: none is
  std::uint64_t recorded = 0;   // ... of the last one that was kept of this connection; 0: none was
  std::uint16_t own_port = 0;   // the context's own, which the client is connected to and which answers for itself; 0: none
  std::string server_name;      // that the client has named in TLS; empty: none
  bool trusted = false;         // a proxy of ours stands in front, and is believed what it says of its client

  // The last request's credentials and plan: mostly the next one's too.
  std::string credentials;
  SessionPtr authenticated;
  policy::ContextPtr planned_for;
  std::shared_ptr<const Options> planned_under;
  std::string planned_scheme, planned_authority;
  PlanPtr plan;
};

// An exchange's wait for its planner. The exchange's client, or whoever ends it, may give it up.
struct Patience final : http::Abortable {
  Event over;
  bool given_up = false;
  void reset(Errc) noexcept override {
    given_up = true;
    over.set();
  }
};

// What is answered here, and asked of nobody else.
struct Answer {
  std::uint16_t status = 200;
  policy::HeaderList fields;
  std::string body;
  // Writes all of it itself, as long as the client stays; the others mean nothing then.
  std::function<Task<void>(http::Stream&)> stream = {};
};

class Planner {
 public:
  virtual ~Planner() = default;

  // A connection to the listener's own port has begun to speak.
  virtual void meet(Entrance&, const net::Transport&) const {}

  // For every request the next four are asked in this order, and no other request's in between.

  // Does the listener itself answer that request? Then: with what. Errors carry the status.
  virtual bool answers(const Entrance& entrance, const http::Head& request) = 0;
  virtual Result<Answer> answer(const Entrance& entrance, const http::Head& request) = 0;

  // Who asks; takes what shows that out of the request. Errors are for the client, and carry the status: 401, 407, 421, …
  virtual Result<SessionPtr> admit(Entrance& entrance, http::Head& request) = 0;

  // Where it goes, by the session's context of this moment. Asked again when the request has waited and that has changed.
  virtual Result<PlanPtr> plan(Entrance& entrance, const Session& session, const http::Head& request) = 0;

  // There is no connection to where the plan leads. Can that be mended? Then: waits until it was, and the connection is to be
  // tried once more, or the error that the client is told.
  virtual bool mends(const Plan&, const Error&) const { return false; }
  virtual Task<Result<void>> mend(PlanPtr plan, Patience& patience);

  // A SOCKS client's login (RFC 1929). Null: not good.
  virtual SessionPtr admit(const std::string& username, std::string_view password) const = 0;

  // No more requests come: what goes on without an end of its own ends soon.
  virtual void drain() {}

  // Ends all that is under way in the sessions that are its own.
  void cancel(Errc why) {
    for (Link* link = sessions_.next(); link != &sessions_; link = link->next()) static_cast<Session*>(link)->cancel(why, false);
  }

 protected:
  // For a planner that knows by itself who asks.
  template <class Kind = Session>
  std::shared_ptr<Kind> make_session(policy::ContextPtr context) {
    auto made = std::make_shared<Kind>();
    made->context = std::move(context);
    made->link_before(sessions_);
    return made;
  }
  Link sessions_;  // those that are left of them
};

inline Task<Result<void>> Planner::mend(PlanPtr, Patience&) { co_return Result<void>{}; }

// A CONNECT, and not one that stands for an upgrade.
inline bool is_tunnel(const http::Head& request) { return request.is_connect() && !request.is_upgrade(); }

// A refusal of what the client has sent.
inline Error bad_request(std::string detail, std::uint16_t status = 400) {
  return Error{Errc::malformed, Side::downstream, false, status, std::move(detail)};
}

}  // namespace cmux::proxy
