// The running instance: serve, or another service. Main thread: admin API, contexts, signals, accepting; workers: the data path.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "app/settings.hpp"
#include "app/store_facts.hpp"
#include "base/task.hpp"

namespace cmux::proxy {
class Planner;
class Worker;
struct Options;
}  // namespace cmux::proxy

namespace cmux::app {

// Where settings come from.
struct SettingsSource {
  std::function<Result<Settings>()> load;
  std::optional<std::string> path;  // the file among them, where there is one
};

// What an instance is that is not `serve`: where it listens, and who plans its requests. It has no contexts and no local CA.
class Service {
 public:
  virtual ~Service() = default;
  virtual std::string_view name() const = 0;  // "gateway machine"
  // All with one port, in this order; what is listened on without IPv6 is the first alone.
  virtual const std::vector<net::Endpoint>& listen() const = 0;
  virtual void prepare(proxy::Options& options) = 0;
  // The workers run from now on, and before they accept anything. Post: has the work done on each one's thread.
  using Post = std::function<void(std::function<void(proxy::Worker&)>)>;
  // `at`: what is listened on first, with the port that it has become.
  virtual void started(Post post, const net::Endpoint& at) = 0;
  // A stop has begun: nothing new is taken, what is under way ends.
  virtual void stopping() {}
  // The workers have ended: ends what it has under way on the main thread.
  virtual Task<void> close() { co_return; }
  // Called when one of the files has changed, and on SIGHUP: reads them all. What is bad is logged, and the old goes on.
  virtual std::vector<std::string> files() const = 0;
  virtual void reread() = 0;
  // Of the store of its fleet; nothing: it has none.
  virtual std::optional<StoreFacts> store() const { return std::nullopt; }
};

// Runs until a signal or a shutdown request has been carried out; returns the exit code. Start-up errors are logged and give 1.
// `print_ready` gets the ready document (one JSON line) and its form for people, once everything listens. `source` is read anew
// at SIGHUP, or when its file changes, where the settings say so. Without a `service` it is `serve`.
int run_server(const Settings& settings, const std::function<void(const std::string& json, const std::string& text)>& print_ready,
               const SettingsSource& source, Service* service = nullptr);

}  // namespace cmux::app
