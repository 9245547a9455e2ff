// Worker: one thread's share of the data path. It owns a loop, a resolver, a pool and its copy of the context table; nothing of
// it is shared, so nothing is locked. Other threads talk to it by posting.
#pragma once

#include <atomic>
#include <functional>
#include <future>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>

#include "http/traffic.hpp"
#include "http1/server.hpp"
#include "http2/session.hpp"
#include "inspect/ring.hpp"
#include "net/listener.hpp"
#include "policy/context.hpp"
#include "policy/hosts.hpp"
#include "policy/rewrite.hpp"
#include "proxy/counters.hpp"
#include "proxy/session.hpp"
#include "tls/server.hpp"
#include "upstream/pool.hpp"

namespace cmux::proxy {

struct Entrance;
class Planner;
class Worker;

using inspect::Record;
using RecordPtr = inspect::Ring::Held;

// Settings, as they are at one time. Whoever keeps to those of its beginning holds them.
struct Options {
  http1::ServerOptions http1;
  http2::Options http2;
  bool offer_http2 = true;                    // downstream
  bool intercept = true;                      // TLS inside tunnels to loopback targets
  const tls::Authority* authority = nullptr;  // null: no TLS downstream
  tls::IdentityPtr identity;                  // in the authority's place: TLS is then the listener's own, for https
  bool socks = true;                          // downstream
  upstream::PoolOptions pool;
  // Is a connection to this address one to the proxy itself? Asked of what clients ask for; any thread.
  std::function<bool(const net::Endpoint&)> is_own_target;
  std::vector<net::Override> resolve;
  policy::HostRules hosts;
  std::size_t max_requests = 10'000;    // at work at once, a worker; more are answered 503
  std::size_t max_per_context = 5'000;  // requests and tunnels of a context at once, a worker; and connections to its own ports
  // How long a connection may be silent before its first byte once descriptors are scarce. Zero or less: for ever.
  milliseconds silent_timeout{10'000};
  bool via = false;
  policy::Rewrites rewrites;  // for routed requests
  // Of what the workers' rings keep; null: a worker's own.
  std::shared_ptr<inspect::Numbers> numbers;
  // Makes each worker's planner. Null: who asks shows a context's credentials.
  std::function<std::unique_ptr<Planner>()> make_planner;
};

using OptionsPtr = std::shared_ptr<const Options>;

// A raw tunnel that could not be: its client was told 200, or nothing, by then, and only sees it closed.
struct TunnelFailure {
  std::string context, target, error, detail;
};

// A listener that belongs to a context: what comes in needs no credentials.
struct Door {
  std::string username;
  // A forwarded port: everything goes to this target. Else it is a proxy port.
  std::optional<net::Authority> forward = {};
  // All connections of a namespace come to it, each with the address that it was made to as its local one
  // (proxy/transparent.hpp). This is the door's own port: who asks for that means it as a proxy.
  std::optional<std::uint16_t> transparent = {};
};
using DoorPtr = std::shared_ptr<const Door>;

// A client's connection that has not said anything yet: nothing is lost by closing it. On the worker's list in the order in which
// they came.
class Silent final : public Link, public http::Drainable {
 public:
  Silent(Worker& worker, net::Transport& transport);
  ~Silent();
  // Whoever has begun to speak is to go on soon.
  void hurry();
  void drain() override;
  Clock::time_point since() const { return since_; }

 private:
  Worker& worker_;
  net::Transport& transport_;
  Clock::time_point since_;
  Deadline deadline_{[](void* self) { static_cast<Silent*>(self)->drain(); }, this};
};

// An open tunnel between two streams: counted, and ended at rest when the worker drains.
class OpenTunnel final : public http::Drainable {
 public:
  OpenTunnel(Worker& worker, http::Stream& downstream, http::Stream& upstream);
  ~OpenTunnel();
  OpenTunnel(const OpenTunnel&) = delete;
  void drain() override { traffic_.end_at_rest(downstream_, upstream_); }
  http::Traffic& traffic() { return traffic_; }

 private:
  Worker& worker_;
  http::Stream& downstream_;
  http::Stream& upstream_;
  http::Traffic traffic_;
};

class Worker {
 public:
  // `report` takes records while they are wanted, `failed` the failures of raw tunnels always; called on the worker's thread.
  Worker(OptionsPtr options, std::function<void(const Record&)> report, std::function<void(TunnelFailure)> failed = {});
  ~Worker();

  // --- from any thread ---
  void start();  // begins the thread
  void post(std::function<void()> work) { loop_.post(std::move(work)); }
  void serve(net::Socket socket, DoorPtr door);
  // Aborts what is open and ends the thread; waits for it for `limit`, and says whether it has ended. A look-up or a connection
  // attempt that hangs can take longer: then only the process's end is left.
  bool stop(milliseconds limit);
  std::atomic<inspect::Level> wanted{inspect::Level::nothing};  // of each exchange that begins

  // --- on the worker's thread ---
  void apply(policy::ContextStore::Change change, const policy::ContextPtr& context);
  // For what begins from now on: connections keep to what they began with, requests do not.
  void apply(OptionsPtr options);
  // Accepts connections until listener->close(), and hands them out to `workers` in turn. Null: the proxy port's.
  void accept(std::shared_ptr<net::Listener> listener, std::vector<Worker*> workers, DoorPtr door);
  // What no client has asked for; on its way like a client's connection: a stop waits for it.
  void begin(Task<void> work) { scope_.spawn(carry_out(std::move(work))); }
  std::size_t& replaying() { return replaying_; }  // bytes, of requests that are being sent again
  // No more requests on open connections; `done` is called, on this thread, when the last one has ended.
  void drain(std::function<void()> done);
  // Ends whatever is open.
  void abort();
  Counters counters() const;
  // Of the context with that user name; its open requests and tunnels come along. Nothing where it is not known.
  policy::Usage usage(const std::string& username) const;

  std::vector<ContextTimes> context_times() const;  // of those that have been asked for something

  // Checks the value of a Proxy-Authorization field. Null: not good.
  SessionPtr authenticate(std::string_view field_value) const;
  SessionPtr authenticate(const std::string& username, std::string_view password) const;
  SessionPtr session_of(const std::string& username) const;  // null: there is none

  const Options& options() const { return *options_; }
  const OptionsPtr& options_now() const { return options_; }
  Planner& planner() { return *planner_; }
  Clock::time_point now() const { return loop_.now(); }
  upstream::Pool& pool() { return pool_; }
  net::Resolver& resolver() { return resolver_; }
  // Null: there is no local CA.
  tls::ServerContext* server_tls();
  Counters& count() { return counters_; }
  std::set<http::Drainable*>& open() { return open_; }
  Link& silent() { return silent_; }
  // Is there room for a connection with a descriptor of that number? Ends silent ones where that helps.
  bool make_room(int descriptor);
  bool draining() const { return draining_; }
  // Of an exchange that begins; null: nobody wants to know. `least`: that much whoever wants it.
  RecordPtr new_record(inspect::Level least = inspect::Level::nothing);
  // What is kept of exchanges.
  inspect::Ring& ring() { return ring_; }
  // It has ended.
  void report(inspect::Capture& record);
  void report(TunnelFailure failure) {
    if (tunnel_failed_) tunnel_failed_(std::move(failure));
  }

 private:
  void take(net::Socket socket, DoorPtr door);
  Task<void> take_later(net::Socket socket, DoorPtr door);
  void shed();
  Task<void> serve_one(std::unique_ptr<net::Transport> transport, DoorPtr door);
  Task<void> carry_out(Task<void> work);
  void check_drained();
  void tidy_later();
  void tidy();

  OptionsPtr options_;
  std::function<void(const Record&)> report_;
  std::function<void(TunnelFailure)> tunnel_failed_;
  Loop loop_;
  net::Resolver resolver_;
  upstream::Pool pool_;
  std::unique_ptr<Planner> planner_;
  std::unique_ptr<tls::ServerContext> server_tls_;
  std::unordered_map<std::string, SessionPtr> sessions_;  // by user name
  std::set<http::Drainable*> open_;
  Link transports_;  // of open downstream connections
  Link silent_;      // of Silent ones
  Counters counters_;
  inspect::Ring ring_;
  // For records: the wall clock, as it was asked when the loop's clock showed that.
  std::chrono::system_clock::time_point wall_{};
  Clock::time_point wall_at_{};
  Scope scope_;
  std::function<void()> drained_;
  // For memory: whether there is more of it than the connections of today need is looked at a while after connections came or
  // went.
  Deadline tidying_{[](void* self) { static_cast<Worker*>(self)->tidy(); }, this};
  std::uint64_t most_open_ = 0, requests_before_ = 0;
  bool draining_ = false;
  std::size_t replaying_ = 0;
  std::thread thread_;
  std::promise<void> ending_;
  std::future<void> ended_ = ending_.get_future();
};

}  // namespace cmux::proxy
