#include <fmt/format.h>

#include "app/gateway.hpp"
#include "app/gateway_parts.hpp"
#include "base/log.hpp"
#include "gateway/machine_planner.hpp"
#include "proxy/worker.hpp"

namespace cmux::app {
namespace {

class MachineService final : public Service {
 public:
  MachineService(std::vector<net::Endpoint> listen, std::string token_file, gateway::MachineRules rules)
      : listen_(std::move(listen)), token_file_(std::move(token_file)), rules_(std::move(rules)) {}

  std::string_view name() const override { return "gateway machine"; }
  const std::vector<net::Endpoint>& listen() const override { return listen_; }
  std::vector<std::string> files() const override {
    return token_file_.empty() ? std::vector<std::string>() : std::vector<std::string>{token_file_};
  }
  void prepare(proxy::Options& options) override {
    options.max_per_context = options.max_requests;  // all are one workspace's
    options.socks = false;
    options.make_planner = [this] { return std::make_unique<gateway::MachinePlanner>(rules_); };
  }
  void started(Post post) override { post_ = std::move(post); }
  void reread() override {
    if (token_file_.empty()) return;
    auto token = read_secret("--token", token_file_);
    if (!token) return log::error("the old token stays: {}", token.error().detail);
    post_([token = *token](proxy::Worker& worker) { static_cast<gateway::MachinePlanner&>(worker.planner()).set_token(token); });
    log::info("the token was read again");
  }

 private:
  const std::vector<net::Endpoint> listen_;
  const std::string token_file_;
  const gateway::MachineRules rules_;
  Post post_;
};

}  // namespace

Result<std::unique_ptr<Service>> machine_service(const MachineFlags& flags) {
  auto listen = listen_of(flags.listen, {"0.0.0.0:39379", "[::]:39379"});
  if (!listen) return listen.error();
  gateway::MachineRules rules;
  if (!flags.token.empty()) {
    auto token = read_secret("--token", flags.token);
    if (!token) return token.error();
    rules.token = std::move(*token);
  }
  for (const std::string& text : flags.allow_hosts) {
    auto glob = parse_host_pattern(text);
    if (!glob) return make_error(Errc::config, fmt::format("--allow-hosts: {}", glob.error().detail));
    rules.allow_hosts.push_back(std::move(*glob));
  }
  return std::unique_ptr<Service>(new MachineService(std::move(*listen), flags.token, std::move(rules)));
}

}  // namespace cmux::app
