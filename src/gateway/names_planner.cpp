#include "gateway/names_planner.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "gateway/machine_planner.hpp"
#include "gateway/presented.hpp"
#include "policy/credentials.hpp"

namespace cmux::gateway {

using http::Name;
using proxy::bad_request;

// The name that a request asks for.
struct NamesPlanner::Host {
  std::string name, label, domain;    // label: what stands in front of the domain; empty: the apex
  std::optional<std::uint16_t> port;  // that the client connects to
  std::string authority() const { return port ? fmt::format("{}:{}", name, *port) : name; }
};

struct NamesPlanner::NamesPlan : proxy::Plan {
  Label label;
  bool known = false;     // its machine is
  bool straight = false;  // to the port itself, by the port's template
  bool ports = false;     // the machine itself is asked, which of its ports listen: no reason to wake it
};

namespace {

constexpr std::string_view kForwardedHost = "X-Forwarded-Host", kForwardedProto = "X-Forwarded-Proto";

// Of a list the last: what the proxy in front has added itself, whatever its client said before.
std::string_view last_of(std::string_view list) {
  std::string_view last;
  http::for_each_token(list, [&](std::string_view item) { last = item; });
  return last;
}

proxy::Answer text_answer(std::uint16_t status, std::string_view type, std::string body) {
  return {status, {{"Content-Type", std::string(type)}, {"Cache-Control", "no-store"}}, std::move(body)};
}

proxy::Answer apex_answer(std::string_view path, bool blind) {
  path = path.substr(0, path.find('?'));
  if (path == "/health" && blind)
    return text_answer(503, "text/plain; charset=utf-8", "the fleet's store has not been read yet\n");
  if (path == "/health") return text_answer(200, "text/plain; charset=utf-8", "ok\n");
  if (path == "/version")
    return text_answer(200, "application/json", "{\"name\":\"cmuxproxy\",\"version\":\"" CMUXPROXY_VERSION "\"}\n");
  if (path == "/") return text_answer(200, "text/plain; charset=utf-8", "cmuxproxy gateway\n");
  return text_answer(404, "text/plain; charset=utf-8", "There is nothing here: machines have names of their own.\n");
}

bool is_page(const http::Head& request) { return request.method == "GET" || request.method == "HEAD"; }

}  // namespace

NamesPlanner::NamesPlanner(NamesRulesPtr rules, Wake wake) : rules_(std::move(rules)), wake_(std::move(wake)) {
  auto context = std::make_shared<policy::Context>();
  context->id = "names";
  everybody_ = make_session(std::move(context));
}

void NamesPlanner::replace(NamesRulesPtr rules) {
  const NamesRulesPtr before = std::exchange(rules_, std::move(rules));
  ++generation_;
  if (before->keys == rules_->keys && before->revoked == rules_->revoked) return;
  ++access_generation_;
  end_some();
}

void NamesPlanner::meet(proxy::Entrance& entrance, const net::Transport& transport) const {
  const auto& trusted = rules_->trusted;
  if (trusted.empty()) return;
  const net::Endpoint peer = transport.peer();
  entrance.trusted = std::any_of(trusted.begin(), trusted.end(), [&](const Network& one) { return one.holds(peer); });
}

bool NamesPlanner::answers(const proxy::Entrance& entrance, const http::Head& request) {
  proxied_ = false;
  https_ = entrance.scheme == "https";
  override_ = forwarded_host_ = std::nullopt;
  for (const auto field : request.fields) {
    if (field.known == Name::x_cmux_proxied) proxied_ = proxied_ || http::equal_ignoring_case(field.value, "true");
    else if (field.known == Name::x_cmux_host_override) override_ = field.value;
    else if (entrance.trusted && http::equal_ignoring_case(field.name, kForwardedHost)) forwarded_host_ = last_of(field.value);
    else if (entrance.trusted && http::equal_ignoring_case(field.name, kForwardedProto))
      https_ = http::equal_ignoring_case(last_of(field.value), "https");
  }
  const bool connect = proxy::is_tunnel(request);
  ports_ = rules_->keys && request.path == kPortsPath && request.method == "GET" && !request.fields.contains(Name::cookie);
  key_.assign(reinterpret_cast<const char*>(&generation_), sizeof generation_);
  key_ += connect ? 'c' : https_ ? 's' : 'p';
  if (ports_) key_ += '\n';
  key_ += request.authority;
  // Line ends stand in no value.
  if (forwarded_host_) key_ += '\n', key_ += *forwarded_host_;
  key_ += '\r';
  if (override_) key_ += *override_;
  if (rules_->tls && !https_ && !entrance.trusted) return true;
  if (rules_->keys && is_page(request) && request.path.find(kParameter) != std::string::npos && parameter_of(request.path))
    return true;
  if (entrance.plan && entrance.planned_authority == key_) return false;
  const auto host = host_of(entrance, request);
  return host && host->label.empty() && !connect;
}

Result<proxy::Answer> NamesPlanner::answer(const proxy::Entrance& entrance, const http::Head& request) {
  const auto host = host_of(entrance, request);
  if (!host) return host.error();
  if (rules_->tls && !https_ && !entrance.trusted) {
    if (request.is_connect() || !request.path.starts_with('/')) return bad_request("TLS alone is spoken here", 403);
    return proxy::Answer{308, {{"Location", fmt::format("https://{}{}", host->authority(), request.path)}}, {}};
  }
  if (host->label.empty()) return apex_answer(request.path, rules_->blind);
  return answer_token(*host, request);
}

// From the URL into a cookie, and there again without it: neither history nor Referer keep it.
Result<proxy::Answer> NamesPlanner::answer_token(const Host& host, const http::Head& request) const {
  const auto label = parse_label(host.label);
  if (!label) return label.error();
  const std::string token(*parameter_of(request.path));
  const auto claims = check(token, *label);
  if (!claims) return claims.error();
  if (!https_) return bad_request("a token in the URL is taken over TLS alone", 403);
  const auto left = std::chrono::duration_cast<std::chrono::seconds>(claims->expires - std::chrono::system_clock::now());
  proxy::Answer out{303, {}, {}};
  out.fields = {
      {"Location", fmt::format("https://{}{}", host.authority(), without_parameter(request.path))},
      {"Set-Cookie", fmt::format("{}={}; Path=/; Max-Age={}; Secure; HttpOnly; SameSite=Lax", kCookie, token, left.count())},
      {"Cache-Control", "no-store"},
      {"Referrer-Policy", "no-referrer"}};
  return out;
}

Result<NamesPlanner::Host> NamesPlanner::host_of(const proxy::Entrance& entrance, const http::Head& request) const {
  auto asked = net::parse_authority(request.authority);
  if (!asked) return bad_request(fmt::format("bad host in the request: {}", asked.error().detail));
  if (!entrance.server_name.empty() && asked->host != entrance.server_name)
    return bad_request(fmt::format("this connection was opened for {}, not for {}", entrance.server_name, asked->host), 421);
  if (forwarded_host_) {
    asked = net::parse_authority(*forwarded_host_);
    if (!asked) return bad_request(fmt::format("bad X-Forwarded-Host: {}", asked.error().detail));
  }
  Host out;
  for (const std::string& domain : rules_->domains)
    if (net::is_under(asked->host, domain) && domain.size() > out.domain.size()) out.domain = domain;
  if (out.domain.empty()) return bad_request(fmt::format("{} is not served here", asked->host), 421);
  if (asked->host.size() > out.domain.size()) out.label = asked->host.substr(0, asked->host.size() - out.domain.size() - 1);
  if (out.label.find('.') != out.label.npos) return bad_request(fmt::format("names here have one label before {}", out.domain));
  out.name = std::move(asked->host);
  out.port = asked->port;
  return out;
}

Result<void> NamesPlanner::find_plan(proxy::Entrance& entrance, const http::Head& request) {
  if (entrance.plan && entrance.planned_authority == key_) {
    planned_ = std::static_pointer_cast<const NamesPlan>(entrance.plan);
    return {};
  }
  const auto host = host_of(entrance, request);
  if (!host) return host.error();
  if (host->label.empty()) return bad_request("a machine's name is missing in front of the domain");
  const auto label = parse_label(host->label);
  if (!label) return label.error();
  if (override_ && !override_->empty() && !net::parse_authority(*override_))
    return bad_request("X-Cmux-Host-Override: expected <host>[:<port>]");
  planned_ = make(*host, *label, request);
  entrance.plan = planned_;
  entrance.planned_authority = key_;
  return {};
}

std::shared_ptr<const NamesPlanner::NamesPlan> NamesPlanner::make(const Host& host, const Label& label,
                                                                  const http::Head& request) const {
  auto plan = std::make_shared<NamesPlan>();
  plan->label = label;
  plan->connect = proxy::Connect::forward;
  plan->scheme = https_ ? "https" : "http";
  plan->target.host = host.name;
  plan->target.port = host.port;
  plan->routed = true;
  const bool straight = label.kind == Label::Kind::port && rules_->machines->has_port_template();
  const auto machine = straight ? rules_->machines->find_port(label.machine, label.port) : rules_->machines->find(label.machine);
  if (!machine) return plan;
  plan->known = true;
  plan->straight = straight;
  plan->origin = machine->origin;
  plan->authority = machine->authority;
  plan->ports = ports_ && !straight;
  plan->headers.push_back({"X-Cmux-Proxied", "true", Name::x_cmux_proxied, false});
  if (!straight) {
    if (!plan->ports)
      plan->headers.push_back({"X-Cmux-Port-Internal", fmt::format("{}", label.port), Name::x_cmux_port_internal, false});
    if (!label.workspace.empty())
      plan->headers.push_back({"X-Cmux-Workspace-Internal", label.workspace, Name::x_cmux_workspace_internal, false});
    // The dev server sees the name that the browser does, so that its Origin fits, unless the client knows better.
    std::string shown = override_ && !override_->empty() ? std::string(*override_) : host.authority();
    plan->headers.push_back({"X-Cmux-Host-Override", std::move(shown), Name::x_cmux_host_override, false});
    if (rules_->machine_token) plan->headers.push_back({"X-Cmux-Token", *rules_->machine_token, Name::other, true});
  }
  if (!proxy::is_tunnel(request)) {
    const std::string port = host.port ? fmt::format(":{}", *host.port) : std::string();
    plan->illusion = policy::Illusion(https_ ? policy::Scheme::https : policy::Scheme::http, label.before_port(),
                                      fmt::format("{}.{}{}", label.after_port(), host.domain, port));
  }
  return plan;
}

Result<Claims> NamesPlanner::check(std::string_view token, const Label& label) const {
  auto claims = verify(token, *rules_->keys, std::chrono::system_clock::now());
  if (!claims) return bad_request(claims.error().detail, 401);
  if (rules_->blind)
    return Error{Errc::busy, Side::upstream, false, 0, "the fleet's store has not been read yet: who is revoked is not known"};
  if (rules_->revoked && rules_->revoked->contains(claims->id)) return bad_request("the token was revoked", 401);
  if (claims->machine != label.machine) return bad_request("the token is for another machine", 403);
  return claims;
}

// Who was let in by a token.
struct NamesPlanner::Admitted : proxy::Session {
  std::string token, key;  // their ids
  WallTime end;
};

// What is under way by a token that is good no more: it is revoked, or over, or its key is.
void NamesPlanner::end_some() {
  const WallTime now = std::chrono::system_clock::now();
  WallTime next = kNever;
  for (Link* link = sessions_.next(); link != &sessions_; link = link->next()) {
    if (link == everybody_.get()) continue;
    auto& session = static_cast<Admitted&>(static_cast<proxy::Session&>(*link));
    if (session.released) continue;
    const Key* const key = rules_->keys ? rules_->keys->find(session.key) : nullptr;
    if (key && key->expires) session.end = std::min(session.end, *key->expires);
    if (key && now < session.end && !(rules_->revoked && rules_->revoked->contains(session.token))) {
      next = std::min(next, session.end);
      continue;
    }
    session.released = true;
    session.cancel(Errc::reset, false);
  }
  end_some_at(next);
}

// Once a second at the most, for all that have ended in it.
void NamesPlanner::end_some_at(WallTime time) {
  next_end_at_ = time;
  if (time == kNever) return next_end_.cancel();
  const auto left = std::chrono::ceil<milliseconds>(time - std::chrono::system_clock::now());
  next_end_.after(std::clamp<milliseconds>(left, std::chrono::seconds(1), std::chrono::hours(1)));
}

Result<proxy::SessionPtr> NamesPlanner::admit(proxy::Entrance& entrance, http::Head& request) {
  if (auto found = find_plan(entrance, request); !found) return found.error();
  if (proxied_)
    return Error{Errc::loop, Side::downstream, false, 508, "the request has come through a gateway like this one already"};
  const bool connect = proxy::is_tunnel(request);
  if (!rules_->keys) {
    request.fields.remove(Name::proxy_authorization);
    return everybody_;
  }
  if (!https_ && request.path.find(kParameter) != std::string::npos && parameter_of(request.path))
    return bad_request("a token in the URL is taken over TLS alone", 403);
  const std::string_view generation(reinterpret_cast<const char*>(&access_generation_), sizeof access_generation_);
  const std::string_view last_shown = entrance.credentials;
  const auto token = take_token(request, connect, *rules_->keys,
                                last_shown.starts_with(generation) ? last_shown.substr(generation.size()) : std::string_view());
  if (!token)
    return bad_request(
        fmt::format("access to machine {} needs a token, such as cmuxproxy gateway token makes", planned_->label.machine),
        connect ? 407 : 401);
  const auto& last = entrance.authenticated;
  // The same bytes for the same machine are as good as last time: as long as they are good at all, and the keys are the same.
  std::string shown(generation);
  shown += *token;
  if (last && !last->ended() && last->context->id == planned_->label.machine &&
      policy::equal_secrets(shown, entrance.credentials))
    return last;
  auto claims = check(*token, planned_->label);
  if (!claims) {
    Error error = claims.error();
    if (connect && error.status == 401) error.status = 407;
    return error;
  }
  auto context = std::make_shared<policy::Context>();
  context->id = claims->machine;
  context->expires_at = claims->expires;
  auto admitted = make_session<Admitted>(std::move(context));
  admitted->token = claims->id, admitted->key = claims->key, admitted->end = claims->expires;
  entrance.authenticated = std::move(admitted);
  entrance.credentials = shown;
  if (claims->expires < next_end_at_) end_some_at(claims->expires);
  return entrance.authenticated;
}

Result<proxy::PlanPtr> NamesPlanner::plan(proxy::Entrance&, const proxy::Session&, const http::Head&) {
  if (!planned_->known)
    return Error{Errc::busy, Side::upstream, false, 0,
                 rules_->blind ? std::string("the fleet's store has not been read yet: its machines are not known")
                               : fmt::format("no machine {} is known here", planned_->label.machine)};
  return proxy::PlanPtr(planned_);
}

// --- machines that sleep -------------------------------------------------------------------------------------------------------

// A request that waits for its machine.
struct NamesPlanner::Waiter : Link {
  explicit Waiter(proxy::Patience& of) : patience(of) {}
  proxy::Patience& patience;
  bool told = false;
  std::string failed;
};

// What is not there may be asleep. What speaks is not: bad TLS and bad answers are not mended by waiting.
bool NamesPlanner::mends(const proxy::Plan& plan, const Error& error) const {
  if (!wake_ || error.side != Side::upstream || static_cast<const NamesPlan&>(plan).ports) return false;
  switch (error.code) {
    // By a port's own name it is that port where nobody listens: of the machine it says nothing.
    case Errc::refused: return !static_cast<const NamesPlan&>(plan).straight;
    case Errc::unreachable:
    case Errc::connect_timeout:
    case Errc::dns:
    case Errc::dns_timeout: return true;
    default: return false;
  }
}

Task<Result<void>> NamesPlanner::mend(proxy::PlanPtr plan, proxy::Patience& patience) {
  const std::string machine = static_cast<const NamesPlan&>(*plan).label.machine;
  const auto refused = [&](std::string why) { return Error{Errc::busy, Side::upstream, false, 0, std::move(why)}; };
  Waiter waiter(patience);
  {
    Waiters& waiters = asleep_[machine];
    if (waiters.count >= kMostWaiting)
      co_return refused(fmt::format("{} requests wait for machine {} already", waiters.count, machine));
    waiter.link_before(waiters.list);
    // Its own gateway tells whether it is awake, where there is one: a port's dev server may never come.
    const auto gateway = rules_->machines->find(machine);
    if (++waiters.count == 1) wake_(machine, gateway ? gateway->origin : plan->origin);
  }
  co_await patience.over;
  if (!waiter.told) {  // the client has left, and whoever comes next asks anew where nobody else waits
    const auto waiters = asleep_.find(machine);
    waiter.unlink();
    if (--waiters->second.count == 0) asleep_.erase(waiters);
    co_return Error{Errc::cancelled, Side::downstream, false, 0, {}};
  }
  if (!waiter.failed.empty()) co_return refused(fmt::format("machine {} sleeps: {}", machine, waiter.failed));
  co_return Result<void>{};
}

void NamesPlanner::woken(const std::string& machine, const std::string& failed) {
  const auto waiters = asleep_.find(machine);
  if (waiters == asleep_.end()) return;
  for (Link& list = waiters->second.list; list.next() != &list;) {
    Waiter& waiter = static_cast<Waiter&>(*list.next());
    waiter.unlink();
    waiter.told = true;
    waiter.failed = failed;
    waiter.patience.over.set();
  }
  asleep_.erase(waiters);
}

}  // namespace cmux::gateway
