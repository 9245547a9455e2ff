#include "proxy/context_planner.hpp"

#include <fmt/format.h>

#include "policy/credentials.hpp"

namespace cmux::proxy {

using http::Name;

Result<SessionPtr> ContextPlanner::admit(Entrance& entrance, http::Head& request) {
  if (request.origin_form && !entrance.tunnel && !entrance.session)
    return bad_request("this is a proxy: send it absolute URLs, as clients do that have it set as their proxy", 421);
  SessionPtr session = entrance.session;
  if (session) {
    if (session->ended()) return bad_request("the context was released", 407);
  } else {
    const auto value = request.fields.get(Name::proxy_authorization);
    if (!value) return bad_request({}, 407);
    // The same bytes as last time are good for as long as their context is.
    const bool same =
        entrance.authenticated && !entrance.authenticated->ended() && policy::equal_secrets(*value, entrance.credentials);
    session = same ? entrance.authenticated : worker_.authenticate(*value);
    if (!session) return bad_request({}, 407);
    if (!same) {
      entrance.credentials = *value;
      entrance.authenticated = session;
    }
  }
  request.fields.remove(Name::proxy_authorization);
  if (entrance.forwarded && !proxy::is_tunnel(request))
    if (auto taken = take_forwarded(entrance, request); !taken) return taken.error();
  return session;
}

SessionPtr ContextPlanner::admit(const std::string& username, std::string_view password) const {
  return worker_.authenticate(username, password);
}

// A forwarded port is reached under its own number, a transparent one under that which it stands for, and by any loopback name.
// By no other: a web page could have made its own host's name lead here (DNS rebinding).
Result<void> ContextPlanner::take_forwarded(Entrance& entrance, http::Head& request) const {
  const auto host = net::parse_authority(request.authority);
  if (!host || !policy::is_loopback_target(host->host, worker_.options().hosts.domains))
    return bad_request("a forwarded port answers to localhost alone", 421);
  if (host->host != entrance.seen.host || host->port != entrance.seen.port) {
    entrance.seen = *host;
    entrance.plan = nullptr;
  }
  if (entrance.transparent) {
    entrance.tunnel->host = host->host;
    entrance.tunnel->ipv6 = host->ipv6;
    if (host->port.value_or(request.scheme == "https" ? 443 : 80) == entrance.tunnel->port) return {};
  }
  request.authority = entrance.tunnel->text();
  return {};
}

Result<PlanPtr> ContextPlanner::plan(Entrance& entrance, const Session& session, const http::Head& request) {
  const bool connect = proxy::is_tunnel(request);
  const OptionsPtr& under = worker_.options_now();
  const Options& options = *under;
  if (!connect && entrance.plan && entrance.planned_for == session.context && entrance.planned_under == under &&
      entrance.planned_scheme == request.scheme && entrance.planned_authority == request.authority)
    return entrance.plan;
  if (connect && entrance.tunnel) return bad_request("CONNECT inside a tunnel");
  auto target = net::parse_authority(request.authority);
  if (!target) return bad_request(fmt::format("bad host in the request target: {}", target.error().detail));
  if (connect) return plan_connect(entrance, session, std::move(*target));
  if (entrance.tunnel) {
    const std::uint16_t usual = entrance.scheme == "https" ? 443 : 80;
    if (target->host != entrance.tunnel->host || target->port.value_or(usual) != entrance.tunnel->port)
      return bad_request(fmt::format("this tunnel was opened for {}, not for {}", entrance.tunnel->text(), target->text()), 421);
  }
  if (auto looped = check_loop(session, *target, request.scheme); !looped) return looped.error();
  const Appearance appearance{options.rewrites, entrance.forwarded ? &entrance.seen : nullptr};
  auto made = make_plan(session.context.get(), request.scheme, *target, request.authority, options.hosts, &appearance);
  if (!made) return bad_request(made.error().detail);
  // The plan looks at rules of the options', and is held by requests that may still be there when others hold.
  struct Held {
    OptionsPtr under;
    Plan plan;
  };
  const auto held = std::make_shared<const Held>(Held{under, std::move(*made)});
  entrance.plan = PlanPtr(held, &held->plan);
  entrance.planned_for = session.context;
  entrance.planned_under = under;
  entrance.planned_scheme = request.scheme;
  entrance.planned_authority = request.authority;
  return entrance.plan;
}

Result<PlanPtr> ContextPlanner::plan_connect(const Entrance& entrance, const Session& session, net::Authority target) const {
  if (!target.port) return bad_request("CONNECT needs host:port");
  const bool routes = !entrance.unrouted;
  if (auto looped = routes ? check_loop(session, target, "http") : Result<void>{}; !looped) return looped.error();
  auto made = std::make_shared<Plan>();
  made->origin = {false, false, target.host, *target.port};
  if (routes && is_routed(*session.context, target, worker_.options().hosts)) made->connect = Connect::inside;
  made->target = std::move(target);
  return PlanPtr(std::move(made));
}

// What goes to a workspace is checked as what the client asked for; what is dialled is checked where it is
// (net::DialOptions::is_own).
Result<void> ContextPlanner::check_loop(const Session& session, const net::Authority& target, std::string_view scheme) const {
  const std::uint16_t port = target.port.value_or(scheme == "https" ? 443 : 80);
  if (way_of(*session.context, target, worker_.options().hosts) != policy::Way::loopback) return {};
  if (!reaches_itself(target, port, worker_.options().is_own_target)) return {};
  return Error{Errc::loop, Side::downstream, false, 508, fmt::format("{} is this proxy's own address", target.text())};
}

}  // namespace cmux::proxy
