#include <fmt/format.h>

#include <algorithm>

#include "app/gateway.hpp"
#include "app/gateway_parts.hpp"
#include "base/log.hpp"
#include "gateway/follower.hpp"
#include "gateway/names_planner.hpp"
#include "gateway/waker.hpp"
#include "proxy/worker.hpp"

namespace cmux::app {
namespace {

constexpr std::size_t kMostTable = 16 * 1024 * 1024;  // bytes of a file
constexpr milliseconds kLongestWake{3'600'000};
constexpr std::size_t kMostPem = 1024 * 1024;  // ... of keys or certificates

Error named(std::string_view flag, const Error& error) {
  return make_error(Errc::config, fmt::format("{}: {}", flag, error.detail));
}

class NamesService final : public Service {
 public:
  explicit NamesService(const NamesFlags& flags) : flags_(flags) {}

  // What the flags say, and the files as they are at the start.
  Result<void> begin() {
    auto listen = listen_of(flags_.listen, {"0.0.0.0:39380", "[::]:39380"});
    if (!listen) return listen.error();
    listen_ = std::move(*listen);
    for (const std::string& text : flags_.domains) {
      auto domain = parse_domain(text);
      if (!domain) return named("--domain", domain.error());
      rules_.domains.push_back(std::move(*domain));
    }
    if (rules_.domains.empty()) return make_error(Errc::config, "--domain: at least one is needed");
    for (const std::string& text : flags_.trusted_proxies) {
      auto network = gateway::parse_network(text);
      if (!network) return named("--trusted-proxy", network.error());
      rules_.trusted.push_back(*network);
    }
    if (flags_.machine_template.empty() && flags_.machines.empty() && flags_.store.url.empty())
      return make_error(Errc::config, "--machine-template, --machines or --store is needed: where are the machines?");
    if (flags_.keys.empty() && !flags_.revoked.empty()) return make_error(Errc::config, "--revoked is for --keys");
    if (flags_.tls_cert.empty() != flags_.tls_key.empty())
      return make_error(Errc::config, "--tls-cert and --tls-key go together");
    rules_.tls = !flags_.tls_cert.empty();
    if (auto wake = read_wake(); !wake) return wake;
    if (auto store = read_store(); !store) return store;
    for (const Part part : kParts)
      if (auto done = (this->*part)(); !done) return done;
    return {};
  }

  std::string_view name() const override { return "gateway names"; }
  const std::vector<net::Endpoint>& listen() const override { return listen_; }
  std::vector<std::string> files() const override {
    std::vector<std::string> all{flags_.machines, flags_.machine_token, flags_.keys,          flags_.tls_cert,
                                 flags_.tls_key,  flags_.revoked,       flags_.store.password};
    std::erase(all, std::string());
    return all;
  }
  void prepare(proxy::Options& options) override {
    options.identity = identity_;
    options.socks = false;
    gateway::NamesPlanner::Wake wake;
    if (wake_.any()) wake = [this](const std::string& machine, const upstream::Origin& origin) { waker_->ask(machine, origin); };
    options.make_planner = [rules = snapshot(), wake] { return std::make_unique<gateway::NamesPlanner>(rules, wake); };
    pool_ = options.pool, resolve_ = options.resolve;
    if (waker_) waker_->apply(pool_, resolve_);
  }
  void started(Post post, const net::Endpoint&) override {
    post_ = std::move(post);
    const auto told = [this](const std::string& machine, const std::string& failed) {
      post_([machine, failed](proxy::Worker& worker) {
        static_cast<gateway::NamesPlanner&>(worker.planner()).woken(machine, failed);
      });
    };
    if (wake_.any()) waker_ = std::make_unique<gateway::Waker>(wake_, pool_, resolve_, told);
    if (flags_.store.url.empty()) return;
    warn_of_arguments(flags_.store);
    const auto changed = [this](const gateway::Follower::Snapshot& fleet) {
      fleet_ = fleet;
      rules_.blind = false;
      publish();
    };
    follower_ = std::make_unique<gateway::Follower>(store_, store_options(flags_.store), changed);
    follower_->start();
  }
  Task<void> close() override {
    if (follower_) co_await follower_->close();
    if (waker_) co_await waker_->close();
    waker_.reset();
  }

  std::optional<StoreFacts> store() const override {
    if (!follower_) return std::nullopt;
    StoreFacts out = store_facts(follower_->link());
    const auto& facts = follower_->facts();
    out.fleet = {facts.machines, facts.revoked, facts.refused, facts.read};
    return out;
  }

  void reread() override {
    bool good = true;
    for (const Part part : kParts)
      if (auto done = (this->*part)(); !done) {
        good = false;
        log::error("not changed, the old goes on: {}", done.error().detail);
      }
    if (auto store = read_store(); !store) {
      good = false;
      log::error("not changed, the old goes on: {}", store.error().detail);
    } else if (follower_) {
      follower_->link().set_url(store_);
    }
    publish();
    if (identity_)
      post_([identity = identity_](proxy::Worker& worker) {
        if (worker.server_tls()) worker.server_tls()->replace(identity);
      });
    if (good) log::info("files read again: {} machines in the table", machines_->size());
  }

 private:
  // What is read from files. Each changes its part of the rules whole, or not at all.
  using Part = Result<void> (NamesService::*)();
  static const Part kParts[5];

  // Of the files and of the fleet.
  gateway::NamesRulesPtr snapshot() {
    auto machines = std::make_shared<gateway::Machines>(*machines_);
    machines->set_registered(fleet_.machines);
    rules_.machines = std::move(machines);
    if (revoked_ != joined_.first || fleet_.revoked != joined_.second) {
      joined_ = {revoked_, fleet_.revoked};
      rules_.revoked = gateway::joined(revoked_, fleet_.revoked);
    }
    return std::make_shared<const gateway::NamesRules>(rules_);
  }
  void publish() {
    post_([rules = snapshot()](proxy::Worker& worker) { static_cast<gateway::NamesPlanner&>(worker.planner()).replace(rules); });
  }

  Result<void> read_machines() {
    auto made = std::make_shared<gateway::Machines>();
    if (!flags_.machine_template.empty())
      if (auto done = made->set_template(flags_.machine_template); !done) return named("--machine-template", done.error());
    if (!flags_.port_template.empty())
      if (auto done = made->set_port_template(flags_.port_template); !done) return named("--port-template", done.error());
    if (!flags_.machines.empty()) {
      auto text = read_file("--machines", flags_.machines, kMostTable);
      if (!text) return text.error();
      if (auto done = made->read_table(*text); !done) return named(fmt::format("--machines: {}", flags_.machines), done.error());
    }
    machines_ = std::move(made);
    return {};
  }

  Result<void> read_revoked() {
    if (flags_.revoked.empty()) return {};
    auto text = read_file("--revoked", flags_.revoked, kMostTable);
    if (!text) return text.error();
    auto revoked = gateway::parse_revoked(*text);
    if (!revoked) return named(fmt::format("--revoked: {}", flags_.revoked), revoked.error());
    revoked_ = std::move(*revoked);
    return {};
  }

  // A store that has a place once keeps it; its password may change.
  Result<void> read_store() {
    if (flags_.store.url.empty()) {
      if (!flags_.store.password.empty() || !flags_.store.ca.empty())
        return make_error(Errc::config, "--store-password and --store-ca are for --store");
      return {};
    }
    auto store = store_url(flags_.store);
    if (!store) return store.error();
    store_ = std::move(*store);
    if (!follower_) rules_.blind = true;
    return {};
  }

  Result<void> read_machine_token() {
    if (flags_.machine_token.empty()) return {};
    auto token = read_secret("--machine-token", flags_.machine_token);
    if (!token) return token.error();
    rules_.machine_token = std::move(*token);
    return {};
  }

  Result<void> read_keys() {
    if (flags_.keys.empty()) return {};
    auto text = read_file("--keys", flags_.keys, kMostPem);
    if (!text) return text.error();
    auto keys = gateway::parse_keys(*text);
    if (!keys) return named(fmt::format("--keys: {}", flags_.keys), keys.error());
    rules_.keys = std::move(*keys);
    return {};
  }

  Result<void> read_wake() {
    wake_.command = flags_.wake_command;
    wake_.url_template = flags_.wake_url;
    if (!flags_.wake_url.empty())
      if (auto checked = gateway::check_wake_url(flags_.wake_url); !checked) return named("--wake-url", checked.error());
    if (!flags_.wake_token.empty()) {
      if (flags_.wake_url.empty()) return make_error(Errc::config, "--wake-token is for --wake-url");
      auto token = read_secret("--wake-token", flags_.wake_token);
      if (!token) return token.error();
      wake_.token = std::move(*token);
    }
    if (flags_.wake_timeout.empty()) return {};
    if (!wake_.any()) return make_error(Errc::config, "--wake-timeout is for --wake-command and --wake-url");
    const auto timeout = parse_duration(flags_.wake_timeout);
    if (!timeout || timeout->count() < 1'000 || *timeout > kLongestWake)
      return make_error(Errc::config, "--wake-timeout: expected a time from 1s to 1h");
    wake_.timeout = *timeout;
    return {};
  }

  Result<void> read_identity() {
    if (flags_.tls_cert.empty()) return {};
    auto certificate = read_file("--tls-cert", flags_.tls_cert, kMostPem);
    if (!certificate) return certificate.error();
    auto key = read_file("--tls-key", flags_.tls_key, kMostPem);
    if (!key) return key.error();
    auto identity = tls::parse_identity(*certificate, *key);
    if (!identity) return named(fmt::format("--tls-cert: {}", flags_.tls_cert), identity.error());
    identity_ = std::move(*identity);
    return {};
  }

  const NamesFlags flags_;
  std::vector<net::Endpoint> listen_;
  gateway::NamesRules rules_;
  std::shared_ptr<const gateway::Machines> machines_;  // by the files
  gateway::RevokedPtr revoked_;                        // ... too
  redis::Url store_;
  std::unique_ptr<gateway::Follower> follower_;
  gateway::Follower::Snapshot fleet_;
  std::pair<gateway::RevokedPtr, gateway::RevokedPtr> joined_;  // what rules_.revoked was made of
  tls::IdentityPtr identity_;
  gateway::WakeRules wake_;
  upstream::PoolOptions pool_;  // the waker's, too
  std::vector<net::Override> resolve_;
  std::unique_ptr<gateway::Waker> waker_;
  Post post_;
};

const NamesService::Part NamesService::kParts[5] = {&NamesService::read_machines, &NamesService::read_machine_token,
                                                    &NamesService::read_keys, &NamesService::read_revoked,
                                                    &NamesService::read_identity};

}  // namespace

Result<std::unique_ptr<Service>> names_service(const NamesFlags& flags) {
  auto service = std::make_unique<NamesService>(flags);
  if (auto begun = service->begin(); !begun) return begun.error();
  return std::unique_ptr<Service>(std::move(service));
}

}  // namespace cmux::app
