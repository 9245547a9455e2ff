#include <fmt/format.h>

#include "app/gateway.hpp"
#include "app/gateway_parts.hpp"
#include "base/log.hpp"
#include "gateway/labels.hpp"
#include "gateway/machine_planner.hpp"
#include "gateway/registrar.hpp"
#include "proxy/worker.hpp"

namespace cmux::app {
namespace {

constexpr milliseconds kShortestLease{3'000}, kLongestLease{3'600'000};

class MachineService final : public Service {
 public:
  explicit MachineService(const MachineFlags& flags) : flags_(flags) {}

  Result<void> begin() {
    auto listen = listen_of(flags_.listen, {"0.0.0.0:39379", "[::]:39379"});
    if (!listen) return listen.error();
    listen_ = std::move(*listen);
    if (!flags_.token.empty()) {
      auto token = read_secret("--token", flags_.token);
      if (!token) return token.error();
      rules_.token = std::move(*token);
    }
    for (const std::string& text : flags_.allow_hosts) {
      auto glob = parse_host_pattern(text);
      if (!glob) return make_error(Errc::config, fmt::format("--allow-hosts: {}", glob.error().detail));
      rules_.allow_hosts.push_back(std::move(*glob));
    }
    return read_registration();
  }

  std::string_view name() const override { return "gateway machine"; }
  const std::vector<net::Endpoint>& listen() const override { return listen_; }
  std::vector<std::string> files() const override {
    std::vector<std::string> all{flags_.token, flags_.store.password};
    std::erase(all, std::string());
    return all;
  }
  void prepare(proxy::Options& options) override {
    options.max_per_context = options.max_requests;  // all are one workspace's
    options.socks = false;
    options.pool.dial.either_loopback = true;
    options.make_planner = [this] { return std::make_unique<gateway::MachinePlanner>(rules_); };
  }
  void started(Post post, const net::Endpoint& at) override {
    post_ = std::move(post);
    if (entry_.id.empty()) return;
    warn_of_arguments(flags_.store);
    entry_.port = at.port();
    registrar_ = std::make_unique<gateway::Registrar>(store_, store_options(flags_.store), entry_);
    registrar_->start();
  }
  void stopping() override {
    if (registrar_) registrar_->leave();
  }
  Task<void> close() override {
    if (registrar_) co_await registrar_->close();
  }
  void reread() override {
    if (registrar_) {
      auto store = store_url(flags_.store);
      if (store) registrar_->link().set_url(std::move(*store));
      else log::error("the old one stays: {}", store.error().detail);
    }
    if (flags_.token.empty()) return;
    auto token = read_secret("--token", flags_.token);
    if (!token) return log::error("the old token stays: {}", token.error().detail);
    post_([token = *token](proxy::Worker& worker) { static_cast<gateway::MachinePlanner&>(worker.planner()).set_token(token); });
    log::info("the token was read again");
  }
  std::optional<StoreFacts> store() const override {
    if (!registrar_) return std::nullopt;
    StoreFacts facts = store_facts(registrar_->link());
    if (facts.problem.empty()) facts.problem = registrar_->problem();
    return facts;
  }

 private:
  Result<void> read_registration() {
    const auto refused = [](std::string_view why) { return make_error(Errc::config, std::string(why)); };
    if (flags_.register_as.empty() != flags_.store.url.empty()) return refused("--register and --store go together");
    if (flags_.register_as.empty()) {
      if (!flags_.advertise.empty() || !flags_.lease.empty() || !flags_.store.password.empty() || !flags_.store.ca.empty())
        return refused("--advertise, --lease, --store-password and --store-ca are for --register");
      return {};
    }
    auto store = store_url(flags_.store);
    if (!store) return store.error();
    store_ = std::move(*store);
    if (!gateway::is_id(flags_.register_as)) return refused(fmt::format("--register: expected {}", gateway::kIdForm));
    entry_.id = flags_.register_as;
    if (!flags_.advertise.empty()) {
      const auto machine = gateway::parse_machine(flags_.advertise);
      if (!machine) return refused(fmt::format("--advertise: {}", machine.error().detail));
      entry_.url = flags_.advertise;
    }
    if (flags_.lease.empty()) return {};
    const auto lease = parse_duration(flags_.lease);
    if (!lease || *lease < kShortestLease || *lease > kLongestLease) return refused("--lease: expected a time from 3s to 1h");
    entry_.lease = *lease;
    return {};
  }

  const MachineFlags flags_;
  std::vector<net::Endpoint> listen_;
  gateway::MachineRules rules_;
  redis::Url store_;
  gateway::Registrar::Entry entry_;  // without an id: it registers nowhere
  std::unique_ptr<gateway::Registrar> registrar_;
  Post post_;
};

}  // namespace

Result<std::unique_ptr<Service>> machine_service(const MachineFlags& flags) {
  auto service = std::make_unique<MachineService>(flags);
  if (auto begun = service->begin(); !begun) return begun.error();
  return std::unique_ptr<Service>(std::move(service));
}

}  // namespace cmux::app
