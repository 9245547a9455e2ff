#include "proxy/plan.hpp"

#include <fmt/format.h>

namespace cmux::proxy {

policy::Way way_of(const policy::Context& context, const net::Authority& target, const policy::HostRules& rules) {
  return policy::way_of(context.route ? &*context.route : nullptr, target.host, rules);
}

const Plan::Told& Plan::told() const {
  if (!told_) told_ = {std::string(scheme) + "://" + target.text(), origin.text()};
  return *told_;
}

bool reaches_itself(const net::Authority& target, std::uint16_t port, const std::function<bool(const net::Endpoint&)>& is_own) {
  if (!is_own) return false;
  if (const auto literal = net::Endpoint::from_ip(target.host, port)) return is_own(*literal);
  return is_own(*net::Endpoint::from_ip("127.0.0.1", port)) || is_own(*net::Endpoint::from_ip("::1", port));
}

Result<Plan> make_plan(const policy::Context* context, std::string_view scheme, const net::Authority& target,
                       std::string_view authority_text, const policy::HostRules& rules, const Appearance* appearance) {
  const auto kind = scheme == "https" ? policy::Scheme::https : policy::Scheme::http;
  const std::uint16_t port = target.port.value_or(policy::default_port(kind));
  Plan plan;
  plan.target = target;
  plan.scheme = kind == policy::Scheme::https ? "https" : "http";
  const policy::Way way = context ? way_of(*context, target, rules) : policy::Way::direct;
  if (way == policy::Way::network && kind == policy::Scheme::https)
    return make_error(Errc::malformed,
                      fmt::format("{} is a host of the workspace's network: https to it goes through CONNECT", target.host));
  if (way != policy::Way::direct) {
    auto destination = way == policy::Way::network ? policy::destination_of_host(*context->route, kind, target)
                                                   : policy::destination_of(*context->route, kind, target.host, port);
    if (!destination) return destination.error();
    if (appearance) {
      policy::View view{kind, appearance->forwarded ? *appearance->forwarded : target, {}, false, rules.domains};
      if (appearance->forwarded) view.forwards = context->forwards, view.forward_auto = context->forward_auto;
      plan.illusion = policy::Illusion(*context->route, target, *destination, std::move(view), appearance->rewrites);
    }
    plan.origin = {destination->scheme == policy::Scheme::https, destination->h2c, destination->host, destination->port};
    plan.authority = std::move(destination->authority);
    const auto host = net::parse_authority(plan.authority);
    const std::uint16_t usual = policy::default_port(destination->scheme);
    plan.own_host = host && host->host == plan.origin.host && host->port.value_or(usual) == plan.origin.port;
    plan.path_prefix = std::move(destination->path_prefix);
    for (auto& [name, value] : destination->headers) {
      const http::Name known = http::name_of(name);
      plan.headers.push_back({std::move(name), std::move(value), known, known < http::Name::x_cmux_host_override});
    }
    plan.routed = true;
    plan.tunnels = destination->tunnels;
    plan.opaque = way == policy::Way::network;
    return plan;
  }
  plan.origin = {kind == policy::Scheme::https, false, target.host, port};
  plan.authority = authority_text;
  return plan;
}

}  // namespace cmux::proxy
