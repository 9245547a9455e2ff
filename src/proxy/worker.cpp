#include "proxy/worker.hpp"

#include "base/check.hpp"
#include "base/log.hpp"
#include "base/memory.hpp"
#include "net/descriptors.hpp"
#include "policy/credentials.hpp"
#include "proxy/context_planner.hpp"
#include "proxy/downstream.hpp"

namespace cmux::proxy {
namespace {

constexpr milliseconds kTidying{2'000};

// A client's connection on the worker's list, for the time it is open.
struct OpenTransport : Link {
  net::Transport* transport;
};

}  // namespace

Silent::Silent(Worker& worker, net::Transport& transport)
    : worker_(worker), transport_(transport), since_(Loop::current().now()) {
  worker_.open().insert(this);
  link_after(worker_.silent());
  deadline_.after(worker_.options().http1.idle_timeout);
}

Silent::~Silent() { worker_.open().erase(this); }

void Silent::hurry() {
  unlink();
  deadline_.after(worker_.options().http1.head_timeout);
}

void Silent::drain() { transport_.abort(make_error(Errc::closed, "shutting down"), false); }

OpenTunnel::OpenTunnel(Worker& worker, http::Stream& downstream, http::Stream& upstream)
    : worker_(worker), downstream_(downstream), upstream_(upstream) {
  worker_.open().insert(this);
  ++worker_.count().open_tunnels;
  if (worker_.draining()) drain();
}

OpenTunnel::~OpenTunnel() {
  worker_.open().erase(this);
  CMUX_CHECK(worker_.count().open_tunnels > 0, "a worker counts its tunnels");
  --worker_.count().open_tunnels;
}

Worker::Worker(OptionsPtr options, std::function<void(const Record&)> report, std::function<void(TunnelFailure)> failed)
    : options_(std::move(options)),
      report_(std::move(report)),
      tunnel_failed_(std::move(failed)),
      resolver_(options_->resolve),
      pool_(resolver_, {options_, &options_->pool}),
      planner_(options_->make_planner ? options_->make_planner() : std::make_unique<ContextPlanner>(*this)),
      ring_(options_->numbers ? options_->numbers : std::make_shared<inspect::Numbers>()) {}

Worker::~Worker() {
  if (thread_.joinable() && !stop(milliseconds(0))) thread_.join();
}

void Worker::start() {
  thread_ = std::thread([this] {
    loop_.run();
    // Whatever watches sockets goes on the thread whose loop watches them.
    loop_.run(pool_.close());
    sessions_.clear();
    ending_.set_value();
  });
}

bool Worker::stop(milliseconds limit) {
  loop_.post([this] {
    drain([this] { loop_.stop(); });
    abort();
  });
  if (ended_.wait_for(limit) != std::future_status::ready) return false;
  thread_.join();
  return true;
}

void Worker::serve(net::Socket socket, DoorPtr door) {
  // std::function wants what can be copied.
  loop_.post([this, door = std::move(door), held = std::make_shared<net::Socket>(std::move(socket))]() mutable {
    take(std::move(*held), std::move(door));
  });
}

void Worker::shed() {
  if (counters_.shed++ == 0) log::warn("too many descriptors are in use: connections are closed unheard");
}

// What the traffic keeps does not stand where the admin API's is: it takes the place of the silent one that went for it.
Task<void> Worker::take_later(net::Socket socket, DoorPtr door) {
  co_await Yield{};
  net::Socket moved(net::moved_down(socket.get()));
  socket = net::Socket();
  if (moved && moved.get() < net::traffic_descriptors()) take(std::move(moved), std::move(door));
  else shed();
}

// By the number of a new connection's descriptor: is there room for it? Once more than half of what the traffic may have is in
// use, those go that have been silent for long: browsers hold connections in reserve, which is fine as long as nobody needs the
// room. Where there is none left, the one that has been silent longest goes, however short that is.
bool Worker::make_room(int descriptor) {
  const int most = net::traffic_descriptors();
  if (descriptor < most / 2) return true;
  const auto end_first = [this] {
    auto& first = static_cast<Silent&>(*silent_.previous());
    first.unlink();  // closing it takes a turn
    first.drain();
  };
  const auto is_late = [this] {
    return static_cast<Silent&>(*silent_.previous()).since() + options_->silent_timeout <= loop_.now();
  };
  const bool scarce = descriptor >= most;
  if (scarce && !silent_.linked()) return false;
  if (scarce) end_first();
  while (options_->silent_timeout.count() > 0 && silent_.linked() && is_late()) end_first();
  return true;
}

void Worker::take(net::Socket socket, DoorPtr door) {
  if (draining_) return;
  const int number = socket.get();
  if (!make_room(number)) return shed();
  if (number >= net::traffic_descriptors()) {
    scope_.spawn(take_later(std::move(socket), std::move(door)));
    return;
  }
  try {
    scope_.spawn(serve_one(std::make_unique<net::SocketTransport>(std::move(socket)), std::move(door)));
  } catch (const std::system_error& error) { log::warn("a connection cannot be watched and is closed: {}", error.what()); }
}

namespace {

Task<void> accept_all(std::shared_ptr<net::Listener> listener, std::function<void(net::Socket)> take) {
  co_await listener->run(std::move(take));
}

}  // namespace

void Worker::accept(std::shared_ptr<net::Listener> listener, std::vector<Worker*> workers, DoorPtr door) {
  std::function<void(net::Socket)> hand_out = [this, door = std::move(door), workers = std::move(workers),
                                               next = std::size_t{0}](net::Socket socket) mutable {
    Worker* const worker = workers[next++ % workers.size()];
    if (worker == this) take(std::move(socket), door);
    else worker->serve(std::move(socket), door);
  };
  scope_.spawn(accept_all(std::move(listener), std::move(hand_out)));
}

Task<void> Worker::serve_one(std::unique_ptr<net::Transport> transport, DoorPtr door) {
  OpenTransport open;
  open.transport = transport.get();
  open.link_after(transports_);
  ++counters_.connections;
  ++counters_.open_connections;
  tidy_later();
  try {
    if (door) {
      co_await serve_door(*this, std::move(transport), *door);
    } else {
      Entrance entrance;
      co_await serve_connection(*this, std::move(transport), entrance);
    }
  } catch (const std::exception& bug) { log::error("a connection failed: {}", bug.what()); }
  open.unlink();
  --counters_.open_connections;
  tidy_later();
  check_drained();
}

Task<void> Worker::carry_out(Task<void> work) {
  ++counters_.open_connections;
  try {
    co_await std::move(work);
  } catch (const std::exception& bug) { log::error("{}", bug.what()); }
  --counters_.open_connections;
  check_drained();
}

void Worker::tidy_later() {
  most_open_ = std::max(most_open_, counters_.open_connections);
  if (!tidying_.armed()) tidying_.after(kTidying);
}

// Memory goes back to the system when the load does: once there are half as many connections as there have been, or nobody has
// asked for anything for a while.
void Worker::tidy() {
  const bool busy = counters_.requests != std::exchange(requests_before_, counters_.requests);
  if (!busy || 2 * counters_.open_connections < most_open_) {
    most_open_ = counters_.open_connections;
    give_back_memory();
  }
  if (busy || pool_.idle_count() > 0) tidying_.after(kTidying);  // what is kept upstream goes later
}

void Worker::apply(policy::ContextStore::Change change, const policy::ContextPtr& context) {
  using Change = policy::ContextStore::Change;
  switch (change) {
    case Change::added: {
      auto session = std::make_shared<Session>();
      session->context = context;
      sessions_[context->username] = std::move(session);
      return;
    }
    case Change::rerouted: {
      const auto found = sessions_.find(context->username);
      if (found == sessions_.end()) return;
      found->second->context = context;
      found->second->cancel(Errc::reset, true);
      return;
    }
    case Change::released: {
      const auto found = sessions_.find(context->username);
      if (found == sessions_.end()) return;
      const SessionPtr session = found->second;
      sessions_.erase(found);
      session->released = true;
      session->cancel(Errc::reset, false);
      tidy_later();
      return;
    }
  }
}

RecordPtr Worker::new_record(inspect::Level least) {
  const inspect::Level level = std::max(least, wanted.load(std::memory_order_relaxed));
  if (level == inspect::Level::nothing) return {};
  RecordPtr made = ring_.make();
  made->level = level;
  if (loop_.now() != wall_at_) wall_at_ = loop_.now(), wall_ = std::chrono::system_clock::now();
  made->began = wall_;
  return made;
}

void Worker::report(inspect::Capture& record) {
  record.state = record.error.empty() ? inspect::State::done : inspect::State::failed;
  ring_.ended(record);
  report_(record);
}

SessionPtr Worker::authenticate(std::string_view field_value) const {
  const auto shown = policy::parse_basic(field_value);
  return shown ? authenticate(shown->username, shown->password) : nullptr;
}

SessionPtr Worker::authenticate(const std::string& username, std::string_view password) const {
  const auto found = sessions_.find(username);
  // A comparison for unknown names too: the time does not tell which names exist.
  const std::string& right = found == sessions_.end() ? username : found->second->context->password;
  const bool equal = policy::equal_secrets(right, password);
  const bool good = equal && found != sessions_.end() && !found->second->ended();
  return good ? found->second : nullptr;
}

tls::ServerContext* Worker::server_tls() {
  if (server_tls_ || (!options_->authority && !options_->identity)) return server_tls_.get();
  const tls::ServerSettings settings{options_->offer_http2};
  auto made = options_->identity ? tls::ServerContext::create(options_->identity, settings)
                                 : tls::ServerContext::create(*options_->authority, settings);
  if (made) server_tls_ = std::move(*made);
  else log::warn("no TLS towards clients: {}", made.error().detail);
  return server_tls_.get();
}

SessionPtr Worker::session_of(const std::string& username) const {
  const auto found = sessions_.find(username);
  return found == sessions_.end() ? nullptr : found->second;
}

void Worker::drain(std::function<void()> done) {
  draining_ = true;
  drained_ = std::move(done);
  for (http::Drainable* connection : std::set<http::Drainable*>(open_)) connection->drain();
  pool_.clear();
  planner_->drain();
  check_drained();
}

void Worker::check_drained() {
  if (draining_ && drained_ && counters_.open_connections == 0) std::exchange(drained_, nullptr)();
}

void Worker::abort() {
  for (Link* link = transports_.next(); link != &transports_; link = link->next())
    static_cast<OpenTransport*>(link)->transport->abort(make_error(Errc::cancelled, "shutting down"), true);
  for (auto& [name, session] : sessions_) session->cancel(Errc::cancelled, false);
  planner_->cancel(Errc::cancelled);
  resolver_.cancel();
}

void Worker::apply(OptionsPtr options) {
  const OptionsPtr before = std::exchange(options_, std::move(options));
  resolver_.apply(options_->resolve);
  pool_.apply({options_, &options_->pool});
  if (server_tls_ && before->offer_http2 != options_->offer_http2) server_tls_->offer_http2(options_->offer_http2);
}

policy::Usage Worker::usage(const std::string& username) const {
  const auto found = sessions_.find(username);
  if (found == sessions_.end()) return {};
  const Session& session = *found->second;
  policy::Usage out{session.requests, session.open_requests, {}};
  if (session.requests > 0)
    out.last = std::chrono::system_clock::now() -
               std::chrono::duration_cast<std::chrono::system_clock::duration>(Clock::now() - session.last_request);
  return out;
}

std::vector<ContextTimes> Worker::context_times() const {
  std::vector<ContextTimes> out;
  for (const auto& [name, session] : sessions_)
    if (session->requests > 0) out.push_back({session->context->id, session->requests, session->duration});
  return out;
}

Counters Worker::counters() const {
  Counters out = counters_;
  out.idle_upstreams = pool_.idle_count();
  out.open_upstreams = pool_.open_count();
  out.origins = pool_.places();
  out.upstream_connections = pool_.opened();
  out.certificates = server_tls_ ? server_tls_->certificates() : 0;
  return out;
}

}  // namespace cmux::proxy
