// World: what one seed makes: a worker with its contexts, the workspaces behind them, clients in front, and which faults strike.
// One a process; everything runs on the worker's own loop.
#pragma once

#include <openssl/ssl.h>

#include <set>

#include "app/proxy_options.hpp"
#include "book.hpp"
#include "kernel.hpp"
#include "net/listener.hpp"
#include "proxy/worker.hpp"
#include "wire.hpp"

namespace sim {

constexpr cmux::milliseconds kPatience{1'500'000};  // longer than any limit of the proxy's, one after the other

constexpr int kTunnelPorts = 20'000;  // a tunnel's target has its request's number behind that

// How a workspace is reached and what it speaks.
enum class Kind : std::uint8_t { origin, origin_h2c, named, named_tls, kinds };

struct Workspace {
  int index = 0;
  Kind kind = Kind::origin;
  cmux::net::Endpoint at;
  bool offers_http2 = false;
  std::shared_ptr<cmux::net::Listener> listener;
  // Whose requests may come here: all below that number, as the route may have changed since.
  std::map<int, int> until;
};

struct ContextSlot {
  cmux::policy::ContextPtr context;  // as it was made; with the credentials
  int workspace = 0;
  bool released = false;
  std::uint16_t door = 0;  // its own port; 0: none
};

// Made once, before the runs: keys take a while.
struct Keys {
  Keys();
  SSL_CTX *trusted, *with_http2, *untrusted;  // by the proxy; with_http2 is trusted, too
};
const Keys& keys();

class World {
 public:
  World(std::uint64_t seed, bool clean, bool mild);
  ~World();
  static World& current();

  void run();
  std::pair<Time, cmux::net::Lookups::Answer> look_up(const std::string& host);

  // Does this fault strike, here and now? Only where the run has it switched on.
  bool strike(Mark fault, unsigned percent = 15);
  cmux::net::Endpoint proxy_endpoint() const { return proxy_; }

  Random random;
  Book book;
  cmux::Scope peers;
  std::vector<ContextSlot> contexts;
  std::vector<std::unique_ptr<Workspace>> workspaces;
  std::unique_ptr<cmux::proxy::Worker> worker;
  unsigned busy_clients = 0;
  bool stopping = false;

  // Of a client that wants to be context `index`, or nobody in particular.
  std::string credentials(int index) const;

 private:
  void choose_faults();
  void make_options();
  void make_workspaces();
  void make_contexts();
  void apply(cmux::policy::ContextStore::Change change, const cmux::policy::ContextPtr& context);
  cmux::policy::Route route_to(const Workspace& workspace) const;
  LinkPlan plan_link(const Address& to);
  cmux::Task<void> live();
  cmux::Task<void> meddle();
  cmux::Task<void> check_released(cmux::proxy::SessionPtr session);
  cmux::Task<void> end();
  void check_left();
  void count_outcome(const cmux::proxy::Record& record);

  std::set<Mark> faults_;
  Random fate_;
  cmux::app::Settings settings_;
  cmux::proxy::Options options_;
  std::shared_ptr<cmux::net::Listener> listener_;
  std::map<std::string, std::shared_ptr<cmux::net::Listener>> doors_;  // by context id
  cmux::net::Endpoint proxy_;
  std::unique_ptr<cmux::policy::ContextStore> store_;
  bool drained_ = false;
  cmux::Event drain_done_;
};

// A client of some kind, from its first byte to its last.
cmux::Task<void> run_client(World& world, Random random);
// A workspace's connections.
cmux::Task<void> run_workspace(World& world, Workspace& workspace);

// One connection of the workspace's, by protocol.
cmux::Task<void> serve_http1(World& world, Workspace& workspace, std::unique_ptr<cmux::net::Transport> transport, Random random);
cmux::Task<void> serve_http2(World& world, Workspace& workspace, std::unique_ptr<cmux::net::Transport> transport, Random random);
// What a tunnel's far end says and wants to hear: `size` bytes each way, as of request `request`.
cmux::Task<bool> speak_raw(Wire& wire, int request, std::uint64_t send, std::uint64_t expect, bool down);

// The book's side of a request: its client begins it, and ends it where no answer has; a workspace acts on it.
int open_request(World& world, int context, std::string method, std::uint64_t up, bool nobody);
void end_request(World& world, int request, Wire& wire, bool excused);
void execute(World& world, Workspace& workspace, int request);
bool is_lost(cmux::net::Transport& transport);

cmux::Task<void> run_http1_client(World& world, int context, Random random, bool door);
cmux::Task<void> run_http2_client(World& world, int context, Random random);
cmux::Task<void> run_tunnel_client(World& world, int context, Random random);
// Null: not connected.
cmux::Task<std::unique_ptr<cmux::net::Transport>> connect_to(World& world, cmux::net::Endpoint to);

}  // namespace sim
