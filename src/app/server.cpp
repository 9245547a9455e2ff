#include "app/server.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <fmt/format.h>
#include <boost/json.hpp>
#include <cerrno>

#include "admin/api.hpp"
#include "admin/instance_file.hpp"
#include "app/auto_forwards.hpp"
#include "app/doors.hpp"
#include "app/file_watch.hpp"
#include "app/hand_over.hpp"
#include "app/hide_memory.hpp"
#include "app/inspection.hpp"
#include "app/listeners.hpp"
#include "app/metrics.hpp"
#include "app/parent_setting.hpp"
#include "app/proxy_options.hpp"
#include "app/reload.hpp"
#include "app/reports.hpp"
#include "app/workers.hpp"
#include "base/log.hpp"
#include "base/process.hpp"
#include "base/signals.hpp"
#include "net/descriptors.hpp"
#include "policy/credentials.hpp"
#include "tls/certificate.hpp"

namespace cmux::app {
namespace {

namespace json = boost::json;
using policy::ContextPtr;
using Change = policy::ContextStore::Change;

constexpr std::size_t kMostAdmin = 48;      // connections to the admin API; they fit into the descriptors that are kept back
constexpr milliseconds kAdminIdle{10'000};  // for an admin connection between requests: others may wait for its place
constexpr milliseconds kAbortTime{1'000};   // for what is open to end, once it was told to

class Server final : public admin::Instance {
 public:
  Server(const Settings& settings, const SettingsSource& source, Service* service)
      : settings_(settings), source_(source), service_(service) {
    admin_options_.idle_timeout = kAdminIdle;
  }

  int run(const std::function<void(const std::string&, const std::string&)>& print_ready) {
    Signals signals{SIGINT, SIGTERM, SIGHUP};
    if (auto started = start(); !started) {
      log::error("{}", started.error().detail);
      end();
      return 1;
    }
    announce(print_ready);
    std::function<void(int)> take = [this](int number) { on_signal(number); };
    scope_.spawn(signals.run(std::move(take)));
    scope_.spawn(serve_admin());
    inspection_.begin();
    loop_.run();
    signals.close_ignoring();  // one more would leave the instance file behind
    close_admin();
    // Answers that are on their way get out; who dawdles over a request does not keep the process.
    Deadline late([](void* self) { static_cast<Server*>(self)->abort_admin(); }, this);
    late.after(kAbortTime / 2);
    loop_.run(scope_.join());
    loop_.run(inspection_.stop());
    loop_.run(auto_forwards_.join());
    late.cancel();
    if (end()) return 0;
    // A look-up or a connection attempt hangs in the system, and the thread with it. Nothing is lost by leaving.
    log::debug("leaving while a connection attempt is under way");
    file_.reset();
    listeners_.end_admin();
    log::flush();
    _exit(0);
  }

  // --- admin::Instance ---
  policy::ContextStore& contexts() override { return contexts_; }
  Result<ContextPtr> create(policy::ContextRequest request) override {
    if (stopping_) return make_error(Errc::limit, "the instance is stopping");
    if (service_) return make_error(Errc::config, fmt::format("a {} has no contexts", service_->name()));
    auto bound = doors_->bind(request);
    if (!bound) return bound.error();
    auto coming = HandOver::connect(request.transparent);
    if (!coming) return coming.error();
    auto made = contexts_.create(std::move(request));
    if (made) doors_->open(**made, std::move(*bound));
    if (made && *coming) scope_.spawn(take_over((*made)->id, std::move(*coming), contexts_, *doors_, handing_over_));
    return made;
  }
  const std::string& proxy_address() const override { return proxy_; }
  const std::vector<std::string>& more_domains() const override { return settings_.domains; }
  const admin::TunnelFailure* tunnel_failure(const std::string& context) const override { return reports_.failure_of(context); }

  Task<Result<std::vector<std::uint16_t>>> ports(ContextPtr context) override { return auto_forwards_.ask(std::move(context)); }
  const admin::AutoForward* auto_forward(const std::string& context) const override { return auto_forwards_.of(context); }
  Task<void> forwarded(const std::string& context) override { return auto_forwards_.settled(context); }
  Task<void> settled() override {
    // Posts are carried out in order: when this one has come back, every change before it is known.
    std::function<void(proxy::Worker&)> nothing = [](proxy::Worker&) {};
    co_await workers_.ask(std::move(nothing));
  }

  Task<std::vector<policy::Usage>> usage(std::vector<ContextPtr> contexts) override {
    return workers_.usage(std::move(contexts));
  }

  Task<json::object> status() override {
    const proxy::Counters sum = co_await workers_.counters();
    json::object out;
    out["instance"] = settings_.instance, out["version"] = CMUXPROXY_VERSION;
    out["pid"] = getpid();
    out["proxy"] = proxy_, out["admin"] = admin_;
    out["http2"] = settings_.http2;
    out["caFile"] = ca_file();
    out["caSpki"] = authority_ ? json::value(authority_->spki_fingerprint()) : json::value(nullptr);
    out["threads"] = workers_.all().size();
    out["uptimeSeconds"] = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - started_).count();
    out["contexts"] = contexts_.size();
    add_status(out, sum);
    out["upstreamProxy"] = parents_json(settings_.parents);
    if (service_) out["store"] = store_json(service_->store());
    out["draining"] = stopping_;
    co_return out;
  }

  Task<std::string> metrics() override {
    const proxy::Counters sum = co_await workers_.counters();
    Facts facts{contexts_.size(), contexts_created_, started_at_, {}, stopping_};
    if (service_) facts.store = service_->store();
    if (authority_) facts.ca_ends = tls::end_of(authority_->certificate());
    co_return metrics_text(sum, facts);
  }

  void set_observed(bool observed) override {
    reports_.set_observed(observed);
    observe();
  }

  admin::Exchanges& exchanges() override { return inspection_; }
  const std::string& inspector_folder() const override { return settings_.inspector_dir; }
  milliseconds drain_timeout() const override { return settings_.drain_timeout; }

  void shut_down(std::optional<milliseconds> limit) override {
    const milliseconds most = limit.value_or(settings_.drain_timeout);
    const bool begun = std::exchange(stopping_, true);
    if (begun && !limit) return;
    log::info("stopping: {} s at the most for what is under way", most.count() / 1000.0);
    if (!begun && service_) service_->stopping();
    if (!begun) scope_.spawn(drain());
    late_.after(std::max(most, milliseconds(1)));
  }

 private:
  Result<void> start() {
    signal(SIGPIPE, SIG_IGN);
    net::set_descriptor_limit(settings_.max_descriptors);
    if (!settings_.dumpable) hide_memory();
    auto claimed = admin::InstanceFile::claim(settings_.instance);
    if (!claimed) return claimed.error();
    file_ = std::make_unique<admin::InstanceFile>(std::move(*claimed));
    if (auto watched = watch_owner(); !watched) return watched;

    if (auto listens = listeners_.bind(settings_, service_); !listens) return listens;
    proxy_ = listeners_.first().text();
    const std::string admin_address = listeners_.admin().endpoint().text();
    const bool local = listeners_.admin().endpoint().is_unix();
    admin_ = local ? admin_address : "http://" + admin_address;
    doors_ = std::make_unique<Doors>(workers_.all());
    own_ = listeners_.all();
    own_.push_back(listeners_.admin().endpoint());

    admin::InstanceRecord record{settings_.instance, getpid(), proxy_, admin_, policy::random_hex(32)};
    if (!service_) open_authority();
    api_ = std::make_unique<admin::Api>(*this, record.token, local ? std::string() : admin_address);
    use_settings();
    workers_.start(
        settings_.threads, options_, [this](const proxy::Record& done) { reports_.take(done); },
        [this](proxy::TunnelFailure failed) { reports_.take(std::move(failed)); });
    observe();
    if (service_) start_service();
    listeners_.open(workers_);
    if (auto written = file_->write(record); !written) return written.error();
    if (settings_.allow_remote && !settings_.listen.is_loopback())
      log::warn("{} can be reached from other machines: whoever has a context's credentials can use it", proxy_);
    if (settings_.insecure_upstream) warn_of_insecurity();
    return {};
  }

  // Whoever started it for itself may be killed, and could then stop nothing.
  Result<void> watch_owner() {
    const pid_t pid = settings_.owner_pid;
    if (pid == 0) return {};
    if (!process_runs(pid)) return make_error(Errc::config, fmt::format("owner-pid: no process {} runs", pid));
    const auto ended = [](void* self) {
      log::info("process {} has ended, which this instance belongs to", static_cast<Server*>(self)->settings_.owner_pid);
      static_cast<Server*>(self)->shut_down({});
    };
    owner_ = std::make_unique<ProcessWatch>(pid, ended, this);
    return {};
  }

  // False: a worker hangs.
  bool end() {
    if (service_) loop_.run(service_->close());  // what it has started ends in any case
    return workers_.stop(kAbortTime);
  }

  // Without it everything works but TLS towards clients: no reason not to start.
  void open_authority() {
    const auto directory = state_directory([](const char* name) -> const char* { return std::getenv(name); });
    auto opened = directory ? tls::Authority::open(*directory) : Result<std::unique_ptr<tls::Authority>>(directory.error());
    if (opened) authority_ = std::move(*opened);
    else log::warn("no TLS towards clients: {}", opened.error().detail);
  }

  json::value ca_file() const { return authority_ ? json::value(authority_->certificate_path()) : json::value(nullptr); }

  // Would a connection to that address come back to this process? Workers ask; what it reads does not change once they run.
  bool is_own(const net::Endpoint& endpoint) const {
    for (const net::Endpoint& own : own_)
      if (leads_to(own, endpoint)) return true;
    return false;
  }

  void announce(const std::function<void(const std::string&, const std::string&)>& print_ready) {
    json::object ready;
    ready["event"] = "ready";
    ready["instance"] = settings_.instance;
    ready["pid"] = getpid();
    ready["proxy"] = proxy_, ready["port"] = listeners_.first().port();
    ready["admin"] = admin_;
    ready["http2"] = settings_.http2;
    ready["caFile"] = ca_file();
    const std::string_view what = service_ ? service_->name() : "proxy";
    const std::vector<std::string> addresses = listeners_.texts();
    if (service_) ready["service"] = what, ready["listen"] = json::value_from(addresses);
    print_ready(json::serialize(ready), fmt::format("cmuxproxy {} ({}) is ready: {} {}, admin {}", CMUXPROXY_VERSION,
                                                    settings_.instance, what, fmt::join(addresses, ", "), admin_));
  }

  Task<void> serve_admin() {
    std::function<void(net::Socket)> take = [this](net::Socket socket) {
      scope_.spawn(serve_admin_one(std::make_unique<net::SocketTransport>(std::move(socket))));
    };
    co_await listeners_.admin().run(std::move(take));
  }

  Task<void> serve_admin_one(std::unique_ptr<net::Transport> transport) {
    net::Transport* const open = transport.get();
    admin_transports_.insert(open);
    if (admin_transports_.size() >= kMostAdmin) listeners_.admin().pause(true);  // the next one waits for a place
    // Not even a throw may leave it on the list.
    const std::shared_ptr<void> off_the_list(nullptr, [this, open](void*) {
      admin_transports_.erase(open);
      listeners_.admin().pause(false);
    });
    co_await http1::serve(std::move(transport), *api_, "http", admin_options_, admin_open_);
  }

  void abort_admin() {
    for (net::Transport* transport : admin_transports_) transport->abort(make_error(Errc::cancelled, "shutting down"), true);
  }

  void start_service() {
    service_->started([this](const std::function<void(proxy::Worker&)>& work) { workers_.tell(work); }, listeners_.first());
    for (std::string& file : service_->files())
      service_watches_.push_back(std::make_unique<FileWatch>(std::move(file), [this] { service_->reread(); }));
  }

  void on_change(Change change, const ContextPtr& context, std::string_view reason) {
    workers_.tell([change, context](proxy::Worker& worker) { worker.apply(change, context); });
    if (change == Change::added) ++contexts_created_;
    auto_forwards_.changed(change, context, *doors_);
    if (change == Change::released) doors_->close(*context);
    reports_.changed(change, *context, reason);
  }

  void on_signal(int number) {
    if (number == SIGHUP) return scope_.spawn(reread());
    if (!stopping_) return shut_down({});
    log::info("stopping at once");
    end_drain();
  }
  void end_drain() {
    if (!drained_) return;
    cut_short_ = true;
    drained_->set();
  }

  // The instance goes on with what it has where the new settings are bad. What is told holds for all workers by then.
  Task<void> reread() {
    if (service_) service_->reread();
    auto read = source_.load();
    if (!read) {
      for (const std::string& line : lines_of(read.error().detail)) log::error("settings not changed: {}", line);
      co_return;
    }
    const bool was_insecure = settings_.insecure_upstream;
    const std::vector<std::string> fixed = keep_fixed(settings_, *read), changed = differing(settings_, *read);
    settings_ = std::move(*read);
    log::configure(settings_.log_level, settings_.log_format);
    use_settings();
    std::function<void(proxy::Worker&)> apply = [options = options_](proxy::Worker& worker) { worker.apply(options); };
    co_await workers_.ask(std::move(apply));
    if (changed.empty()) log::info("settings read again: nothing has changed");
    else log::info("settings read again: changed are {}", fmt::join(changed, ", "));
    if (!fixed.empty()) log::warn("settings that need a restart: {}", fmt::join(fixed, ", "));
    if (settings_.insecure_upstream && !was_insecure) warn_of_insecurity();
  }

  // What follows from them, but for what was opened by them.
  void use_settings() {
    proxy::Options options = proxy_options(settings_);
    options.authority = authority_.get();
    options.pool.hop = hop_, options.numbers = inspection_.numbers();
    options.pool.dial.is_own = [this](const net::Endpoint& at) { return is_own(at) || doors_->is_own(at, false); };
    options.is_own_target = [this](const net::Endpoint& at) { return is_own(at) || doors_->is_own(at, true); };
    if (service_) service_->prepare(options);
    options_ = std::make_shared<const proxy::Options>(std::move(options));
    reports_.set_access_log(settings_.access_log);
    observe();
    for (const std::string& entry : settings_.parents.bypass.not_understood())
      log::warn("NO_PROXY: '{}' is no host, pattern, address or network, and keeps nothing from the parent proxy", entry);
    if (source_.path && settings_.watch_config && !file_watch_)
      file_watch_.emplace(*source_.path, [this] { scope_.spawn(reread()); });
    if (!settings_.watch_config) file_watch_.reset();
  }

  void observe() {
    inspection_.use(settings_);
    const auto told = reports_.wanted() ? inspect::Level::records : inspect::Level::nothing;
    workers_.want(std::max(told, inspection_.level()));
  }

  static void warn_of_insecurity() { log::warn("certificates of upstreams are not checked (insecure-upstream)"); }

  void close_admin() {
    listeners_.admin().close();
    api_->close_events();
    for (http::Drainable* connection : std::set<http::Drainable*>(admin_open_)) connection->drain();
  }

  // Stops accepting, lets what is under way end, for a limited time. The admin API answers until then.
  Task<void> drain() {
    listeners_.close(workers_.first());
    auto_forwards_.stop();
    doors_->close_all();
    for (HandOver* const one : handing_over_) one->cancel();
    const auto drained = std::make_shared<Event>();
    drained_ = drained.get();
    workers_.drain(drained);
    co_await *drained;
    drained_ = nullptr;
    late_.cancel();
    if (cut_short_) log::info("closing what is still open");
    loop_.stop();
  }

  Settings settings_;
  const SettingsSource& source_;
  Service* const service_;  // null: serve
  Loop loop_;
  proxy::OptionsPtr options_;  // for what begins from now on
  const std::string hop_ = policy::random_hex(16);
  http1::ServerOptions admin_options_;
  std::unique_ptr<tls::Authority> authority_;
  std::vector<net::Endpoint> own_;
  policy::ContextStore contexts_{
      [this](Change change, const ContextPtr& context, std::string_view reason) { on_change(change, context, reason); }};
  Reports reports_{loop_, contexts_, [this](const admin::EventRecord& event) { api_->publish(event); }};
  std::optional<FileWatch> file_watch_;
  std::unique_ptr<admin::InstanceFile> file_;
  std::unique_ptr<ProcessWatch> owner_;
  std::vector<std::unique_ptr<FileWatch>> service_watches_;
  std::unique_ptr<admin::Api> api_;
  std::unique_ptr<Doors> doors_;
  Listeners listeners_;
  Workers workers_{loop_};
  AutoForwards auto_forwards_{loop_, workers_, [this](const admin::EventRecord& event) { api_->publish(event); }};
  Inspection inspection_{workers_, contexts_, [this] { observe(); }};
  std::set<http::Drainable*> admin_open_;
  std::set<net::Transport*> admin_transports_;
  std::set<HandOver*> handing_over_;
  Scope scope_;
  std::string proxy_, admin_;
  Clock::time_point started_ = Clock::now();
  const std::chrono::system_clock::time_point started_at_ = std::chrono::system_clock::now();
  std::uint64_t contexts_created_ = 0;
  bool stopping_ = false, cut_short_ = false;
  Event* drained_ = nullptr;  // while draining: set to end it
  Deadline late_{[](void* self) { static_cast<Server*>(self)->end_drain(); }, this};
};

}  // namespace

int run_server(const Settings& settings, const std::function<void(const std::string& json, const std::string& text)>& print_ready,
               const SettingsSource& source, Service* service) {
  log::configure(settings.log_level, settings.log_format);
  Server server(settings, source, service);
  return server.run(print_ready);
}

}  // namespace cmux::app
