#include "upstream/dialler.hpp"

#include <fmt/format.h>

#include "base/log.hpp"
#include "net/tls_transport.hpp"
#include "socks/client.hpp"

namespace cmux::upstream {
namespace {

constexpr std::string_view kHttp1("\x08http/1.1");
constexpr int kMostInterim = 8;  // responses to CONNECT

net::Authority authority_of(const Origin& origin) {
  return {origin.host, origin.host.find(':') != std::string::npos, origin.port};
}

std::chrono::microseconds since(Clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start);
}

Error refusal_of(const http::Head& answer) {
  return make_error(answer.status == 504   ? Errc::connect_timeout
                    : answer.status == 508 ? Errc::loop
                                           : Errc::refused,
                    fmt::format("it answered CONNECT with {} {}", answer.status, http1::reason_of(answer.status)));
}

// Asks for a tunnel (RFC 9110 section 9.3.6); the transport is the tunnel's afterwards.
Task<Result<void>> ask_connect(std::unique_ptr<net::Transport>& transport, const Parent& parent, net::Authority target,
                               std::string hops, const http1::ClientOptions& options) {
  http1::ClientConnection connection(std::move(transport), options, &parent.form);
  http::Head request;
  request.method = "CONNECT";
  request.authority = target.text();
  request.end = true;
  if (!hops.empty()) request.fields.add(http::Name::x_cmux_proxied, hops);
  auto sent = co_await connection.write_head(request, http::Next::end);
  if (!sent) co_return sent;
  auto answer = co_await connection.read_head();
  // A few: who sends them without end would never let the loop have its turn, in which the time limit is.
  for (int interim = 0; answer && (*answer)->is_interim(); answer = co_await connection.read_head())
    if (++interim > kMostInterim) co_return make_error(Errc::malformed, "it answers CONNECT with interim responses without end");
  if (!answer) co_return answer.error();
  if (!(*answer)->tunnel) co_return refusal_of(**answer);
  // Not a tunnel, whatever RFC 9110 section 9.3.6 says of the field: a web server that answers everything with a page.
  if ((*answer)->content_length.value_or(0) > 0)
    co_return make_error(Errc::malformed,
                         fmt::format("it answered CONNECT with {} and a body, as no proxy does", (*answer)->status));
  transport = connection.into_transport();
  co_return Result<void>{};
}

Task<Result<void>> ask_socks(net::Transport& transport, const Parent& parent, net::Authority target, milliseconds send_timeout) {
  const socks::Login login{parent.username, parent.password};
  co_return co_await socks::connect(transport, target, login.username.empty() ? nullptr : &login, send_timeout);
}

}  // namespace

Error upstream_error(Error error, const Origin& origin, const Parent* parent) {
  error.side = Side::upstream;
  const bool named = error.detail.find(origin.host) != std::string::npos;
  if (parent && error.detail.find(parent->text()) == std::string::npos)
    error.detail = fmt::format("{} through the parent proxy {}: {}", origin.text(), parent->text(), error.detail);
  else if (!named) error.detail = fmt::format("{}: {}", origin.text(), error.detail);
  return error;
}

std::string with_hop(std::string_view hops, std::string_view hop) {
  return fmt::format("{}{}{}", hops, hops.empty() || hop.empty() ? "" : ", ", hop);
}

void Dialler::apply(std::shared_ptr<const DiallerOptions> options) {
  const auto before = std::exchange(options_, std::move(options));
  if (options_->tls == before->tls) return;
  auto made = tls::ClientContext::create(options_->tls);
  if (made) tls_ = std::move(*made);
  else log::error("no TLS upstream by the new settings: {}", made.error().detail);
}

const Parent* Dialler::parent_of(const Origin& origin, Use use) const {
  // Where an override says where a host is, there is nobody else to ask.
  if (!options_->parents.any() || resolver_.overrides(origin.host)) return nullptr;
  return options_->parents.find(origin.host, origin.port, use != Use::requests);
}

Task<Result<Reached>> Dialler::reach(Origin origin, Use use, net::DialTiming* timing, std::string client, std::string hops) {
  Reached reached;
  reached.options = options_;
  reached.parent = parent_of(origin, use);
  const auto start = Clock::now();
  net::DialTiming taken;
  const net::Authority* const via = reached.parent ? &reached.parent->at : nullptr;
  net::DialOptions unguarded;
  const net::DialOptions& usual = reached.options->dial;
  if (use == Use::own) unguarded.timeout = usual.timeout;
  const net::DialOptions& options = use == Use::own ? unguarded : usual;
  auto socket = co_await net::dial(resolver_, via ? via->host : origin.host, via ? *via->port : origin.port, options, &taken,
                                   std::move(client));
  if (!socket) {
    Error error = socket.error();
    error.side = Side::upstream;
    if (reached.parent) error = upstream_error(std::move(error), origin, reached.parent);
    co_return error;
  }
  net::SocketTransport& lowest = **socket;
  reached.transport = std::move(*socket);
  if (reached.parent) {
    Deadline late(
        [](void* transport) {
          static_cast<net::Transport*>(transport)->abort(make_error(Errc::connect_timeout, "it does not answer in time"));
        },
        &lowest);
    const auto passed = std::chrono::duration_cast<milliseconds>(since(start));
    if (usual.timeout.count() > 0) late.after(std::max(usual.timeout - passed, milliseconds(1)));
    reached.at_parent = use == Use::requests && reached.parent->takes_absolute_form();
    auto passed_on = co_await pass(reached, origin, hops);
    late.cancel();  // before the next turn of the loop: a socket that failed has gone already
    if (!passed_on) co_return upstream_error(passed_on.error(), origin, reached.parent);
    taken.connect = since(start) - taken.resolve;
  }
  if (timing) *timing = taken;
  co_return std::move(reached);
}

// From the parent's socket to what the connection is for.
Task<Result<void>> Dialler::pass(Reached& reached, const Origin& origin, const std::string& hops) {
  const Parent& parent = *reached.parent;
  const DiallerOptions& options = *reached.options;
  if (parent.kind == Parent::Kind::https) {
    const Origin at{true, false, parent.at.host, *parent.at.port};
    auto secured = co_await secure(std::move(reached.transport), at, kHttp1);
    if (!secured) co_return secured.error();
    reached.transport = std::move(*secured);
  }
  if (reached.at_parent) co_return Result<void>{};
  net::Authority target = authority_of(origin);
  if (parent.kind == Parent::Kind::socks5)
    co_return co_await ask_socks(*reached.transport, parent, std::move(target), options.http1.send_timeout);
  std::string all_hops = with_hop(hops, options.hop);
  co_return co_await ask_connect(reached.transport, parent, std::move(target), std::move(all_hops), options.http1);
}

Task<Result<std::unique_ptr<net::Transport>>> Dialler::secure(std::unique_ptr<net::Transport> transport, Origin origin,
                                                              std::string_view alpn) {
  if (!tls_) {
    auto made = tls::ClientContext::create(options_->tls);
    if (!made) co_return made.error();
    tls_ = std::move(*made);
  }
  auto secured = std::make_unique<net::TlsTransport>(std::move(transport), tls_->make(origin.host, origin.text(), alpn));
  Deadline late(
      [](void* under) {
        static_cast<net::Transport*>(under)->abort(make_error(Errc::connect_timeout, "no answer in the TLS handshake"), false);
      },
      secured.get());
  late.after(options_->tls_timeout);
  auto done = co_await secured->handshake();
  if (!done) {
    Error error = done.error();
    error.retryable = true;
    co_return error;
  }
  co_return std::unique_ptr<net::Transport>(std::move(secured));
}

}  // namespace cmux::upstream
