// Contexts: who may use the proxy, and where their loopback requests go. A Context never changes; a new route is a new Context
// with the same credentials. The store belongs to the main thread; workers hold copies of what it publishes.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/loop.hpp"
#include "base/process.hpp"
#include "policy/route.hpp"

namespace cmux::policy {

// A port of this machine that leads to a port of the workspace.
struct Forward {
  std::uint16_t port = 0, local = 0;
};

struct Context {
  std::string id, username, password;
  std::uint64_t web_contents_id = 0;
  std::optional<Route> route;
  std::string label;
  std::chrono::system_clock::time_point created_at;
  std::optional<std::chrono::system_clock::time_point> expires_at;
  pid_t owner_pid = 0;  // 0: none
  // Listeners of its own: one for a client that cannot show credentials, and those for programs that use no proxy. Who makes the
  // context has bound them.
  std::optional<std::uint16_t> dedicated_port;
  std::vector<Forward> forwards;
  bool forward_auto = false;  // ports of the workspace are forwarded as they appear there, each under its own number
  bool transparent = false;   // it has a namespace, all of whose connections come to it

  // Its time is over, by the wall clock: also where nobody has noticed yet, after the machine has slept.
  bool is_over() const { return expires_at && *expires_at <= std::chrono::system_clock::now(); }
};
using ContextPtr = std::shared_ptr<const Context>;

// What works otherwise than whoever made it may expect, for people.
std::vector<std::string> warnings_of(const Context& context);

// What has gone on under a context.
struct Usage {
  std::uint64_t requests = 0, open = 0;                         // tunnels are requests
  std::optional<std::chrono::system_clock::time_point> last{};  // of the last one's beginning

  void add(const Usage& other) {
    requests += other.requests;
    open += other.open;
    if (other.last && (!last || *other.last > *last)) last = other.last;
  }
};

// What `ctx create` asks for.
struct ContextRequest {
  std::uint64_t web_contents_id = 0;
  std::optional<Route> route;
  std::string label;
  std::chrono::milliseconds ttl{0};  // 0: lives until released
  pid_t owner_pid = 0;
  std::optional<std::uint16_t> dedicated_port;  // 0: any
  std::vector<Forward> forwards;                // local 0: any
  bool forward_auto = false;
  std::string transparent;  // the Unix socket on which a namespace's listeners come; empty: none
};

class ContextStore {
 public:
  enum class Change { added, rerouted, released };
  // Told of every change, on the main thread, before the call that made it returns.
  using Observer = std::function<void(Change, const ContextPtr&, std::string_view reason)>;
  using WallClock = std::function<std::chrono::system_clock::time_point()>;
  // `now`: for tests.
  explicit ContextStore(Observer observer, WallClock now = std::chrono::system_clock::now);
  ~ContextStore();

  // Errc::config for an invalid route or an owner that does not run; Errc::limit past kMost contexts or kMostBytes.
  Result<ContextPtr> create(ContextRequest request);
  ContextPtr find(std::string_view id) const;  // null: no such context
  std::vector<ContextPtr> list() const;        // in the order of creation
  // Null: no such context. The route must be valid, and find room in kMostBytes.
  Result<ContextPtr> reroute(std::string_view id, std::optional<Route> route);
  bool release(std::string_view id, std::string_view reason);
  // Of one web contents id, or all. Returns the ids.
  std::vector<std::string> release_all(std::optional<std::uint64_t> web_contents_id, std::string_view reason);
  std::size_t size() const { return entries_.size(); }
  void invariants() const;  // of a store that is not large: it looks at all there is

  static constexpr std::size_t kMost = 100'000;
  static constexpr std::size_t kMostBytes = 64 * 1024 * 1024;  // of all routes and labels
  // How often the wall clock is looked at while contexts wait for their end: it may be set, and the machine may sleep.
  static constexpr milliseconds kLook{1'000};

 private:
  struct Entry;
  Result<void> check_room(std::size_t more, std::size_t less) const;
  void end_expired();
  void arm();

  Observer observer_;
  WallClock now_;
  std::uint64_t next_ = 0;
  std::size_t bytes_ = 0;
  std::map<std::string, std::unique_ptr<Entry>, std::less<>> entries_;
  std::set<std::pair<std::chrono::system_clock::time_point, std::string>> ends_;  // of those that have one, with their ids
  Deadline look_{[](void* self) { static_cast<ContextStore*>(self)->end_expired(); }, this};
};

}  // namespace cmux::policy
