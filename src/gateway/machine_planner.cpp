#include "gateway/machine_planner.hpp"

#include <fmt/format.h>

#include "gateway/labels.hpp"
#include "gateway/ports.hpp"
#include "net/resolver.hpp"
#include "policy/credentials.hpp"

namespace cmux::gateway {

using http::Name;
using proxy::bad_request;

namespace {

constexpr std::string_view kToken = "X-Cmux-Token";
constexpr std::string_view kEventStream = "text/event-stream";
constexpr milliseconds kLook{1'000};               // at the ports
constexpr int kQuiet = 15;                         // looks without a change, until something is said all the same
constexpr std::string_view kNoHost = "127.0.0.1";  // where processes listen that belong to no workspace, if not on ::1

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

// <workspace>-<port>.localhost
struct Local {
  std::string workspace;
  std::uint16_t port = 0;
};
std::optional<Local> local_form(std::string_view authority) {
  const auto host = net::parse_authority(authority);
  constexpr std::string_view kUnder = ".localhost";
  if (!host || !host->host.ends_with(kUnder)) return std::nullopt;
  const std::string_view label = std::string_view(host->host).substr(0, host->host.size() - kUnder.size());
  const std::size_t dash = label.rfind('-');
  if (dash == label.npos || dash == 0 || label.find('.') != label.npos) return std::nullopt;
  const auto port = net::parse_port(label.substr(dash + 1));
  if (!port) return std::nullopt;
  return Local{std::string(label.substr(0, dash)), *port};
}

}  // namespace

// What the fields of a request say, as they came.
struct MachinePlanner::Wish {
  std::optional<std::string_view> port, workspace, host, target, proxied;
};

MachinePlanner::MachinePlanner(MachineRules rules) : rules_(std::move(rules)) {
  auto context = std::make_shared<policy::Context>();
  context->id = "machine";
  everybody_ = make_session(std::move(context));
}

MachinePlanner::Shown MachinePlanner::token_of(const http::Head& request) const {
  Shown out = Shown::none;
  for (const auto field : request.fields) {
    if (field.known != Name::other || !http::equal_ignoring_case(field.name, kToken)) continue;
    // More than one must not mean one for us and another for who comes next.
    const bool right = out == Shown::none && rules_.token && policy::equal_secrets(field.value, *rules_.token);
    out = right ? Shown::right : Shown::wrong;
  }
  return out;
}

Result<proxy::SessionPtr> MachinePlanner::admit(proxy::Entrance&, http::Head& request) {
  const Shown shown = token_of(request);
  if (rules_.token && shown != Shown::right)
    return bad_request(shown == Shown::none ? "this machine asks for X-Cmux-Token" : "X-Cmux-Token is not this machine's", 403);
  if (shown != Shown::none) request.fields.remove(kToken);
  request.fields.remove(Name::proxy_authorization);
  return everybody_;
}

Result<proxy::PlanPtr> MachinePlanner::plan(proxy::Entrance& entrance, const proxy::Session& session, const http::Head& request) {
  Wish wish;
  key_.assign(request.authority);
  for (const auto field : request.fields) {
    if (field.known < Name::x_cmux_host_override) continue;
    std::optional<std::string_view>* slot = nullptr;
    switch (field.known) {
      case Name::x_cmux_port_internal: slot = &wish.port; break;
      case Name::x_cmux_workspace_internal: slot = &wish.workspace; break;
      case Name::x_cmux_host_override: slot = &wish.host; break;
      case Name::x_cmux_target_internal: slot = &wish.target; break;
      case Name::x_cmux_proxied: slot = &wish.proxied; break;
      default: continue;
    }
    if (*slot) return bad_request(fmt::format("{} is there twice", http::text_of(field.known)));
    *slot = trimmed(field.value);
    key_ += '\n';  // which no value holds
    key_ += static_cast<char>(field.known);
    key_ += **slot;
  }
  const bool connect = proxy::is_tunnel(request);
  if (!connect && entrance.plan && entrance.planned_authority == key_) return entrance.plan;
  auto plan = made(wish, request);
  if (!plan || connect) return plan;
  entrance.plan = *plan;
  entrance.planned_for = session.context;
  entrance.planned_authority = key_;
  return plan;
}

Result<proxy::PlanPtr> MachinePlanner::made(const Wish& wish, const http::Head& request) const {
  auto plan = std::make_shared<proxy::Plan>();
  plan->connect = proxy::Connect::dial;
  net::Authority& target = plan->target;
  plan->authority = request.authority;
  if (!wish.host && !proxy::is_tunnel(request))
    if (const auto host = net::parse_authority(request.authority); !host)
      return bad_request(fmt::format("bad host in the request target: {}", host.error().detail));
  if (wish.target) {
    if (wish.port || wish.workspace)
      return bad_request("X-Cmux-Target-Internal and X-Cmux-Port-Internal or X-Cmux-Workspace-Internal exclude each other");
    auto named = net::parse_authority(*wish.target);
    if (!named || !named->port) return bad_request("X-Cmux-Target-Internal: expected <host>:<port>");
    const auto allows = [&](const std::string& glob) { return net::matches_glob(glob, named->host); };
    if (std::none_of(rules_.allow_hosts.begin(), rules_.allow_hosts.end(), allows))
      return bad_request(fmt::format("{} is not among the hosts that this machine lets through (--allow-hosts)", named->host),
                         403);
    target = std::move(*named);
    plan->authority = *wish.target;
  } else {
    std::optional<Local> local;
    if (!wish.port) local = local_form(request.authority);
    if (!wish.port && !local)
      return bad_request("missing required header: X-Cmux-Port-Internal, or a Host of the form <workspace>-<port>.localhost");
    target.port = local ? local->port : net::parse_port(*wish.port);
    if (!target.port) return bad_request("X-Cmux-Port-Internal: expected a number from 1 to 65535");
    target.host = kNoHost;
    if (wish.workspace || local) {
      auto address = workspace_address(wish.workspace ? *wish.workspace : std::string_view(local->workspace));
      if (!address) return bad_request("X-Cmux-Workspace-Internal: expected a workspace's name");
      target.host = std::move(*address);
    }
  }
  if (wish.host && !wish.host->empty()) {
    if (!net::parse_authority(*wish.host)) return bad_request("X-Cmux-Host-Override: expected <host>[:<port>]");
    plan->authority = *wish.host;
  }
  // So that a way that leads back to the public gateway is seen there.
  if (wish.proxied) plan->headers.push_back({"X-Cmux-Proxied", std::string(*wish.proxied), Name::x_cmux_proxied, false});
  plan->origin = {false, false, target.host, *target.port};
  plan->own_host = false;
  plan->routed = true;
  return proxy::PlanPtr(std::move(plan));
}

// --- the ports -----------------------------------------------------------------------------------------------------------------

namespace {

std::string ports_json(const std::vector<std::uint16_t>& ports) {
  return fmt::format("{{\"ports\":[{}]}}", fmt::join(ports, ","));
}

Result<std::string> ports_text(std::string_view address, std::uint16_t own_port) {
  const auto all = listening();
  if (!all) return all.error();
  std::vector<std::uint16_t> ports = ports_at(*all, address);
  std::erase(ports, own_port);  // which leads nowhere
  return ports_json(ports);
}

}  // namespace

void MachinePlanner::meet(proxy::Entrance& entrance, const net::Transport& transport) const {
  entrance.own_port = transport.local().port();
}

bool MachinePlanner::answers(const proxy::Entrance&, const http::Head& request) {
  if (request.method != "GET" || request.path != kPortsPath) return false;
  // Else it is a dev server's path.
  return !request.fields.get(Name::x_cmux_port_internal) && !request.fields.get(Name::x_cmux_target_internal) &&
         !local_form(request.authority);
}

Result<proxy::Answer> MachinePlanner::answer(const proxy::Entrance& entrance, const http::Head& request) {
  if (!rules_.token) return bad_request("this machine has no secret, and tells its ports to nobody (--token)", 403);
  if (token_of(request) != Shown::right) return bad_request("the machine's ports are told to who shows its X-Cmux-Token", 403);
  for (const std::string_view name : {"Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode"})
    if (request.fields.get(name)) return bad_request("the machine's ports are not for pages", 403);
  std::string address = "localhost";
  if (const auto workspace = request.fields.get(Name::x_cmux_workspace_internal)) {
    auto found = workspace_address(trimmed(*workspace));
    if (!found) return bad_request("X-Cmux-Workspace-Internal: expected a workspace's name");
    address = std::move(*found);
  }
  auto text = ports_text(address, entrance.own_port);
  if (!text) return Error{text.error().code, Side::local, false, 501, text.error().detail};
  proxy::Answer out{200, {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}}, *text + "\n"};
  const auto accept = request.fields.get(Name::accept);
  if (!accept || *accept != kEventStream) return out;
  if (told_ >= kMostTold) return Error{Errc::limit, Side::local, false, 0, fmt::format("{} are told already", told_)};
  out.stream = [this, address, own_port = entrance.own_port](http::Stream& to) { return tell_ports(to, address, own_port); };
  return out;
}

struct MachinePlanner::Told : Link {
  proxy::Patience gone;
};

void MachinePlanner::drain() {
  draining_ = true;
  for (Link* link = tellers_.next(); link != &tellers_; link = link->next())
    static_cast<Told*>(link)->gone.reset(Errc::cancelled);
}

// An event whenever they change. Every second the system is asked, and now and then something is said, so that who has gone is
// noticed.
Task<void> MachinePlanner::tell_ports(http::Stream& out, std::string address, std::uint16_t own_port) {
  ++told_;
  Told one;
  one.link_before(tellers_);
  proxy::Patience& gone = one.gone;
  if (draining_) gone.reset(Errc::cancelled);
  out.cancel_on_abort(&gone);
  Deadline next([](void* patience) { static_cast<proxy::Patience*>(patience)->over.set(); }, &gone);
  http::Head head;
  head.status = 200;
  head.fields.add("Content-Type", kEventStream);
  head.fields.add("Cache-Control", "no-store");
  auto written = co_await out.write_head(head, http::Next::later);
  std::string last;
  for (int quiet = 0; written && !gone.given_up; ++quiet) {
    const auto text = ports_text(address, own_port);
    if (!text) break;
    std::string say;
    if (*text != last) say = fmt::format("event: ports\ndata: {}\n\n", last = *text);
    else if (quiet >= kQuiet) say = ":\n\n";
    if (!say.empty()) {
      quiet = 0;
      written = co_await out.write_body(say, http::Next::later);
    }
    gone.over.clear();
    if (gone.given_up) break;
    next.after(kLook);
    co_await gone.over;
  }
  next.cancel();
  out.cancel_on_abort(nullptr);
  if (draining_ && written) written = co_await out.write_body({}, http::Next::end);
  else out.reset(Errc::cancelled);
  --told_;
}

}  // namespace cmux::gateway
