#include "proxy/plan.hpp"

namespace cmux::proxy {

bool is_routed(const policy::Context& context, const net::Authority& target, std::span<const std::string> more) {
  return context.route && policy::is_loopback_target(target.host, more);
}

bool reaches_itself(const net::Authority& target, std::uint16_t port, const std::function<bool(const net::Endpoint&)>& is_own) {
  if (!is_own) return false;
  if (const auto literal = net::Endpoint::from_ip(target.host, port)) return is_own(*literal);
  return is_own(*net::Endpoint::from_ip("127.0.0.1", port)) || is_own(*net::Endpoint::from_ip("::1", port));
}

Result<Plan> make_plan(const policy::Context* context, std::string_view scheme, const net::Authority& target,
                       std::string_view authority_text, std::span<const std::string> more, const Appearance* appearance) {
  const auto kind = scheme == "https" ? policy::Scheme::https : policy::Scheme::http;
  const std::uint16_t port = target.port.value_or(policy::default_port(kind));
  Plan plan;
  if (context && is_routed(*context, target, more)) {
    auto destination = policy::destination_of(*context->route, kind, target.host, port);
    if (!destination) return destination.error();
    if (appearance) {
      policy::View view{kind, appearance->forwarded ? *appearance->forwarded : target, {}};
      if (appearance->forwarded) view.forwards = context->forwards;
      plan.illusion = policy::Illusion(*context->route, target, *destination, std::move(view), appearance->rewrites);
    }
    plan.origin = {destination->scheme == policy::Scheme::https, destination->h2c, destination->host, destination->port};
    plan.authority = std::move(destination->authority);
    plan.path_prefix = std::move(destination->path_prefix);
    plan.headers = std::move(destination->headers);
    plan.routed = true;
    plan.tunnels = destination->tunnels;
    return plan;
  }
  plan.origin = {kind == policy::Scheme::https, false, target.host, port};
  plan.authority = authority_text;
  return plan;
}

}  // namespace cmux::proxy
