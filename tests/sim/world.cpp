#include "world.hpp"

#include "net/descriptors.hpp"
#include "policy/credentials.hpp"

namespace sim {

using namespace cmux;

namespace {

World* the_world = nullptr;

net::Endpoint address(int last, std::uint16_t port) { return *net::Endpoint::from_ip(fmt::format("10.0.0.{}", last), port); }

}  // namespace

World& World::current() { return *the_world; }

World::World(std::uint64_t seed, bool clean, bool mild) : random(seed), book(clean, mild), fate_(random.fork("fate")) {
  the_world = this;
  report().faulty = !clean;
  if (!clean) choose_faults();
  if (faults_.contains(Mark::net_interrupted)) kernel->interrupts = 10, hit(Mark::net_interrupted);
  kernel->plan = [this](const Address& to) { return plan_link(to); };
  make_options();
  worker = std::make_unique<proxy::Worker>(
      std::make_shared<const proxy::Options>(options_), [this](proxy::Record record) { count_outcome(record); },
      [](const proxy::TunnelFailure& failed) {
        hit_named("error/", failed.error);
        note("tunnel", fmt::format("{}: {}: {}", failed.target, failed.error, failed.detail));
      });
  worker->wanted = inspect::Level::bodies;
  worker->ring().limit(1024 * 1024);
}

World::~World() { the_world = nullptr; }

// Each run has some of the faults, so that they meet in all combinations, and each has room to show what it does by itself.
void World::choose_faults() {
  if (book.mild()) {
    faults_ = {Mark::workspace_ends, Mark::net_interrupted};
    return;
  }
  const unsigned percent = static_cast<unsigned>(random.between(3, 25));
  for (std::size_t i = 0; i <= static_cast<std::size_t>(Mark::tunnel_refused); ++i)
    if (random.chance(percent)) faults_.insert(static_cast<Mark>(i));
}

bool World::strike(Mark fault, unsigned percent) {
  if (!faults_.contains(fault) || !fate_.chance(percent)) return false;
  hit(fault);
  trace("fault", static_cast<std::int64_t>(fault), 0, 0, "{}", name_of(fault));
  return true;
}

void World::make_options() {
  settings_.via = random.chance(50);
  if (!book.clean() && !book.mild()) {
    if (random.chance(10)) settings_.max_requests = 2;
    if (random.chance(10)) settings_.max_context_requests = 2;
    if (random.chance(10)) settings_.max_body = 2000;
    if (random.chance(10)) settings_.max_header = 2048;
  }
  options_ = app::proxy_options(settings_);
}

std::string World::credentials(int index) const {
  const policy::Context& context = *contexts[static_cast<std::size_t>(index)].context;
  return policy::basic_value(context.username, context.password);
}

policy::Route World::route_to(const Workspace& workspace) const {
  policy::Route route;
  switch (workspace.kind) {
    case Kind::origin: route.cmux_proxy_origin = "http://" + workspace.at.text(); break;
    case Kind::origin_h2c: route.cmux_proxy_origin = "h2c://" + workspace.at.text(); break;
    case Kind::named:
    case Kind::named_tls:
    case Kind::kinds:
      route.url_template = workspace.kind == Kind::named ? "http://{id}-{port}.ws.test" : "https://{id}-{port}.ws.test";
      route.morph_id = fmt::format("w{}", workspace.index);
  }
  return route;
}

void World::make_workspaces() {
  const int count = static_cast<int>(random.between(1, 3));
  for (int i = 0; i < count; ++i) {
    auto made = std::make_unique<Workspace>();
    made->index = i;
    made->kind = random.chance(25) ? Kind::named_tls : static_cast<Kind>(random.below(3));
    made->offers_http2 = made->kind == Kind::origin_h2c || random.chance(50);
    made->at = address(i + 1, made->kind == Kind::named ? 80 : made->kind == Kind::named_tls ? 443 : 39379);
    made->listener = *net::Listener::bind(made->at);
    peers.spawn(run_workspace(*this, *made));
    workspaces.push_back(std::move(made));
  }
}

void World::make_contexts() {
  store_ = std::make_unique<policy::ContextStore>([this](policy::ContextStore::Change change, const policy::ContextPtr& context,
                                                         std::string_view) { apply(change, context); });
  const int count = static_cast<int>(random.between(1, 3));
  for (int i = 0; i < count; ++i) {
    ContextSlot slot;
    slot.workspace = static_cast<int>(random.below(workspaces.size()));
    policy::ContextRequest request;
    Workspace& workspace = *workspaces[static_cast<std::size_t>(slot.workspace)];
    request.route = route_to(workspace);
    if (strike(Mark::context_expires, 50)) request.ttl = milliseconds(random.between(100, 20'000));
    if (random.chance(30)) request.dedicated_port = slot.door = static_cast<std::uint16_t>(41'000 + i);
    slot.context = *store_->create(std::move(request));
    workspace.until[i] = INT_MAX;
    if (slot.door != 0) {
      auto door = std::make_shared<proxy::Door>();
      door->username = slot.context->username;
      std::shared_ptr<net::Listener> listener = *net::Listener::bind(address(100, slot.door));
      doors_[slot.context->id] = listener;
      worker->accept(listener, {worker.get()}, door);
    }
    contexts.push_back(std::move(slot));
  }
}

void World::apply(policy::ContextStore::Change change, const policy::ContextPtr& context) {
  worker->apply(change, context);
  note("context", fmt::format("{} {}", context->id, static_cast<int>(change)));
  if (change != policy::ContextStore::Change::released) return;
  for (ContextSlot& slot : contexts)
    if (slot.context->id == context->id) slot.released = true;
  if (const auto door = doors_.find(context->id); door != doors_.end()) door->second->close(), doors_.erase(door);
}

// --- the network -------------------------------------------------------------------------------------------------------------

LinkPlan World::plan_link(const Address& to) {
  using Outcome = LinkPlan::Outcome;
  LinkPlan plan;
  plan.latency = static_cast<Time>(fate_.size(20'000)) * kMicro;
  plan.jitter = fate_.chance(50) ? static_cast<Time>(fate_.size(5'000)) * kMicro : 0;
  plan.send_buffer = 256 + fate_.size(256 * 1024);
  plan.receive_buffer = 256 + fate_.size(256 * 1024);
  // A farewell of TLS that finds no room is lost (docs/architecture.md, known gaps), and what ends with it looks cut.
  if (book.clean() || book.mild()) plan.send_buffer += to.port() == 443 ? 1024 * 1024 : 0;
  if (strike(Mark::net_slow, 10)) {
    plan.latency = fate_.between(1, 4) * kSecond;
    plan.send_buffer += 64 * 1024, plan.receive_buffer += 64 * 1024;  // a few bytes each round trip would take for ever
  }
  if (to.port() != proxy_.port() && to.port() < 41'000) {
    if (strike(Mark::net_refused)) plan.outcome = Outcome::refused;
    else if (strike(Mark::net_silent)) plan.outcome = Outcome::silent;
    else if (strike(Mark::net_unreachable)) plan.outcome = Outcome::unreachable;
  }
  const auto somewhere = [&] { return fate_.size(100'000); };
  const auto way = fate_.below(2);
  if (strike(Mark::net_reset)) plan.reset_after[way] = somewhere();
  else if (strike(Mark::net_lost, 8)) plan.lost_after[0] = plan.lost_after[1] = somewhere();
  return plan;
}

std::pair<Time, net::Lookups::Answer> World::look_up(const std::string& host) {
  Time after = static_cast<Time>(fate_.size(30)) * kMilli;
  if (strike(Mark::dns_slow)) after = fate_.between(1, 20) * kSecond;
  Error error = make_error(Errc::dns, "cannot resolve " + host);
  error.retryable = true;
  if (strike(Mark::dns_hangs)) return {-1, error};
  if (strike(Mark::dns_fails)) return {after, error};
  std::vector<net::Endpoint> found;
  // "w1-3000.ws.test": what a template makes.
  const bool known = host.size() > 2 && host[0] == 'w' && host.ends_with(".ws.test");
  const int index = known ? host[1] - '0' : -1;
  if (!known || index >= static_cast<int>(workspaces.size())) return {after, error};
  if (strike(Mark::dns_moves)) found.push_back(address(200, 0));
  if (found.empty() || fate_.chance(50)) found.push_back(address(index + 1, 0));
  return {after, found};
}

// --- a run -------------------------------------------------------------------------------------------------------------------

void World::count_outcome(const proxy::Record& record) {
  note("record",
       fmt::format("{} {} {} {} {} {}", record.method, record.url, record.status, record.upstream, record.error, record.detail));
  if (!record.error.empty()) hit_named("error/", record.error);
  if (record.error.empty() && record.status == 200) {
    if (record.upstream == "http/1.1") hit(Mark::done_upstream_http1);
    if (record.upstream == "h2") hit(Mark::done_upstream_http2);
    if (record.destination.starts_with("https://")) hit(Mark::done_upstream_tls);
    if (record.reused) hit(Mark::done_kept);
  }
  const auto has = [&](std::string_view text) { return record.detail.find(text) != std::string::npos; };
  if (has("requests are at work already")) hit(Mark::limit_requests);
  if (has("requests and tunnels open already")) hit(Mark::limit_context);
  if (record.status == 413) hit(Mark::limit_body);
  if (record.status == 431) hit(Mark::limit_head);
  if (record.status == 408) hit(Mark::limit_header_time);
}

// What is at work under a context ends with it, and not when it likes.
Task<void> World::check_released(proxy::SessionPtr session) {
  co_await sleep_for(milliseconds(2'000));
  if (session && (session->active.linked() || session->open_requests != 0))
    fail_with("authority", "a context was released, and {} of its requests are still at work", session->open_requests);
}

Task<void> World::meddle() {
  // Not for ever: with each new route, what waits may begin anew.
  for (int rounds = 0; busy_clients > 0 && rounds < 20; ++rounds) {
    const milliseconds pause(random.size(2000));
    co_await sleep_for(pause);
    if (busy_clients == 0 || book.clean() || book.mild()) co_return;
    const auto index = static_cast<std::size_t>(random.below(contexts.size()));
    ContextSlot& slot = contexts[index];
    if (!slot.released && strike(Mark::context_released)) {
      peers.spawn(check_released(worker->session_of(slot.context->username)));
      store_->release(slot.context->id, "on purpose");
    }
    if (!slot.released && strike(Mark::context_rerouted, 30)) {
      workspaces[static_cast<std::size_t>(slot.workspace)]->until[static_cast<int>(index)] = static_cast<int>(book.size());
      slot.workspace = static_cast<int>(random.below(workspaces.size()));
      Workspace& workspace = *workspaces[static_cast<std::size_t>(slot.workspace)];
      workspace.until[static_cast<int>(index)] = INT_MAX;
      [[maybe_unused]] const auto changed = store_->reroute(slot.context->id, route_to(workspace));
    }
    if (strike(Mark::clock_jumps)) kernel->wall_offset += random.between(0, 7200) * kSecond;
    if (strike(Mark::clock_sleeps)) kernel->slept += random.between(1, 7200) * kSecond;
    if (!stopping && strike(Mark::worker_drains, 10)) {
      stopping = true;
      listener_->close();
      for (const auto& [id, door] : doors_) door->close();
      worker->drain([this] { drained_ = true, drain_done_.set(); });
    }
    if (stopping && strike(Mark::worker_aborts)) worker->abort();
  }
}

Task<void> World::live() {
  busy_clients = static_cast<unsigned>(random.between(1, 7));
  Scope scope;
  for (unsigned i = busy_clients; i > 0; --i) scope.spawn(run_client(*this, random.fork("client")));
  scope.spawn(meddle());
  co_await scope.join();
  co_await end();
}

namespace {

// What has to be so within a time, and what it means if it is not.
Task<void> within(milliseconds limit, std::function<bool()> holds, std::string_view what) {
  for (milliseconds waited{0}; !holds(); waited += milliseconds(100)) {
    if (waited > limit) fail("left over", what);
    co_await sleep_for(milliseconds(100));
  }
}

}  // namespace

Task<void> World::end() {
  trace("the end");
  book.close();
  const proxy::Counters counted = worker->counters();
  if (counted.retried > 0) hit(Mark::retried);
  if (counted.shed > 0) hit(Mark::limit_shed);
  if (!stopping) {
    listener_->close();
    for (const auto& [id, door] : doors_) door->close();
    worker->drain([this] { drained_ = true; });
  }
  std::function<bool()> drained = [this] { return drained_; };
  if (book.clean()) {
    co_await within(milliseconds(20'000), drained, "a worker that nobody uses has not drained");
    // What an HTTP/2 connection has taken of a tunnel's last words is sent for as long as the pool is open, and no longer.
    co_await sleep_for(milliseconds(20'000));
  } else {
    co_await sleep_for(milliseconds(5'000));
    worker->abort();
    co_await within(milliseconds(30'000), drained, "what was open has not ended after abort()");
  }
  co_await worker->pool().close();
  for (const auto& workspace : workspaces) workspace->listener->close();
  co_await peers.join();
  for (const ContextSlot& slot : contexts) {
    const proxy::SessionPtr session = worker->session_of(slot.context->username);
    if (session && (session->open_requests != 0 || session->open_connections != 0 || session->active.linked()))
      fail_with("left over", "context {} has {} requests and {} connections", slot.context->id, session->open_requests,
                session->open_connections);
  }
  store_->release_all({}, "the end");
  co_await sleep_for(milliseconds(10'000));
}

void World::check_left() {
  const proxy::Counters left = worker->counters();
  if (left.open_connections != 0 || left.open_requests != 0 || left.open_tunnels != 0 || left.idle_upstreams != 0)
    fail_with("left over", "counters: {} connections, {} requests, {} tunnels, {} upstream", left.open_connections,
              left.open_requests, left.open_tunnels, left.idle_upstreams);
  if (!worker->open().empty()) fail_with("left over", "{} drainables", worker->open().size());
  Loop& loop = Loop::current();
  if (loop.wheel().left(loop.now()).count() >= 0) fail("left over", "a timer");
  if (book.clean() && left.answers(proxy::Source::proxy, 5) + left.retried + left.shed != 0)
    fail_with("clean", "counters: {} failed, {} retried, {} shed, and nothing was wrong", left.answers(proxy::Source::proxy, 5),
              left.retried, left.shed);
}

void World::run() {
  const std::size_t files = kernel->open_files();
  proxy_ = address(100, 39385);
  listener_ = *net::Listener::bind(proxy_);
  worker->accept(listener_, {worker.get()}, nullptr);
  make_workspaces();
  make_contexts();
  kernel->watch_fails = [] { return World::current().strike(Mark::net_unwatched, 3); };
  if (strike(Mark::net_descriptors, 100)) {
    kernel->limit = static_cast<int>(kernel->open_files()) + static_cast<int>(random.between(16, 60));
    net::set_descriptor_limit(0);
  }
  Loop::current().run(live());
  check_left();
  store_.reset();
  listener_.reset();
  doors_.clear();
  workspaces.clear();
  if (kernel->open_files() != files) fail_with("left over", "descriptors:{}", kernel->list_files());
}

}  // namespace sim
