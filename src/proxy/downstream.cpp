#include "proxy/downstream.hpp"

#include "base/log.hpp"
#include "http1/parser.hpp"
#include "http2/server.hpp"
#include "net/tls_transport.hpp"
#include "proxy/transparent.hpp"
#include "socks/server.hpp"

namespace cmux::proxy {
namespace {

constexpr std::size_t kSniffed = 4096;

class RequestHandler final : public http::Handler {
 public:
  RequestHandler(Worker& worker, Entrance& entrance) : worker_(worker), entrance_(entrance) {}
  Task<void> serve(http::Stream& stream) override {
    Exchange exchange(worker_, entrance_, stream);
    co_await exchange.run();
  }

 private:
  Worker& worker_;
  Entrance& entrance_;
};

}  // namespace

Protocol sniff(std::string_view bytes) {
  if (bytes.empty()) return Protocol::unknown;
  if (bytes.front() == 0x16) return Protocol::tls;
  if (bytes.starts_with(kHttp2Preface)) return Protocol::http2;
  if (kHttp2Preface.starts_with(bytes)) return Protocol::unknown;
  const std::size_t space = bytes.find_first_of(" \r\n");
  if (space == std::string_view::npos) return http1::is_token(bytes) && bytes.size() <= 32 ? Protocol::unknown : Protocol::raw;
  if (bytes[space] != ' ' || !http1::is_token(bytes.substr(0, space))) return Protocol::raw;
  if (space + 1 == bytes.size()) return Protocol::unknown;
  const char next = bytes[space + 1];
  // Origin form, asterisk form, or the scheme of an absolute form. A line of another protocol ("EHLO example") is none of them.
  if (next == '/' || next == '*') return Protocol::http1;
  const std::string_view target = bytes.substr(space + 1);
  for (const std::string_view scheme : {"http://", "https://", "ws://", "wss://"})
    if (http::equal_ignoring_case(target.substr(0, scheme.size()), scheme.substr(0, target.size())))
      return target.size() >= scheme.size() ? Protocol::http1 : Protocol::unknown;
  return Protocol::raw;
}

namespace {

// Reads and puts back a client's first bytes. One byte tells TLS and SOCKS5 from the others, and HTTP/1's parser says what is
// wrong with anything else. `unknown`: the client has gone. SOCKS is spoken to a port, and not inside TLS.
Task<Protocol> first_protocol(Worker& worker, net::Transport& transport, bool socks = false) {
  Silent silent(worker, transport);
  Buffer seen;
  Protocol protocol = Protocol::unknown;
  while (protocol == Protocol::unknown) {
    auto read = co_await net::read_some(transport, seen, kSniffed);
    if (!read || *read == 0) break;
    const std::string_view bytes = seen.view();
    if (bytes.front() == 0x16) protocol = Protocol::tls;
    else if (socks && socks::begins(bytes.front())) protocol = Protocol::socks;
    else if (bytes.starts_with(kHttp2Preface)) protocol = Protocol::http2;
    else if (!kHttp2Preface.starts_with(bytes)) protocol = Protocol::http1;
    silent.hurry();
  }
  if (!seen.empty()) transport.unread(seen.view());
  co_return protocol;
}

// handshake_failure (RFC 8446 section 6): what a TLS client can show its user.
Task<void> refuse_tls(net::Transport& transport, std::string_view why) {
  log::info("refused a TLS connection: {}", why);
  constexpr std::string_view kAlert("\x15\x03\x03\x00\x02\x02\x28", 7);
  co_await net::write_all(transport, kAlert);
}

// Null: the handshake has failed, and the client was told.
Task<std::unique_ptr<net::Transport>> accept_tls(Worker& worker, std::unique_ptr<net::Transport> transport, std::string host,
                                                 Entrance& entrance) {
  std::unique_ptr<net::Transport> secured;
  SSL* const ssl = worker.server_tls() ? worker.server_tls()->make(host) : nullptr;
  if (!ssl) {
    co_await refuse_tls(*transport, "there is no certificate to show: TLS is not spoken here");
    co_return secured;
  }
  auto tls = std::make_unique<net::TlsTransport>(std::move(transport), ssl);
  Silent silent(worker, *tls);
  silent.hurry();
  auto done = co_await tls->handshake();
  ++(done ? worker.count().tls_accepted : worker.count().tls_failed);
  if (done && worker.options().identity) {
    entrance.scheme = "https";
    entrance.server_name = tls::ServerContext::host_of(ssl);
  }
  if (done) secured = std::move(tls);
  else log::info("a TLS handshake for {} failed: {}", host, done.error().detail);
  co_return std::move(secured);
}

// Ends the client's TLS here, with a certificate for `host`, and serves what is inside it.
Task<void> serve_tls(Worker& worker, std::unique_ptr<net::Transport> transport, std::string host, Entrance& entrance) {
  transport = co_await accept_tls(worker, std::move(transport), std::move(host), entrance);
  if (!transport) co_return;
  // The first bytes decide, whatever ALPN said: who did not say "h2" may know beforehand, and Go says it to an https proxy and
  // then speaks HTTP/1. Nobody speaks TLS inside TLS.
  const Protocol protocol = co_await first_protocol(worker, *transport);
  if (protocol != Protocol::http1 && protocol != Protocol::http2) co_return;
  co_await serve_requests(worker, std::move(transport), entrance, protocol);
}

// One request, for a tunnel. Until it has come the connection is as silent as one that has begun with another protocol.
Task<void> serve_socks(Worker& worker, std::unique_ptr<net::Transport> transport, Entrance& entrance) {
  socks::ServerStream::Check check;
  if (!entrance.session)
    check = [&](const socks::Login& login) {
      entrance.session = worker.planner().admit(login.username, login.password);
      return entrance.session != nullptr;
    };
  socks::ServerStream stream(std::move(transport), worker.options().http1.send_timeout, std::move(check));
  {
    Silent silent(worker, stream.transport());
    silent.hurry();
    co_await stream.negotiate();
  }
  entrance.protocol = "socks5";
  Exchange exchange(worker, entrance, stream);
  co_await exchange.run();
  co_await stream.finish();
}

}  // namespace

Task<void> serve_connection(Worker& worker, std::unique_ptr<net::Transport> transport, Entrance& entrance) {
  const Protocol protocol = co_await first_protocol(worker, *transport, worker.options().socks);
  if (protocol == Protocol::unknown) co_return;
  worker.planner().meet(entrance, *transport);
  if (protocol == Protocol::socks) {
    co_await serve_socks(worker, std::move(transport), entrance);
    co_return;
  }
  if (protocol == Protocol::tls) {
    std::string address = transport->local().ip();
    co_await serve_tls(worker, std::move(transport), std::move(address), entrance);
    co_return;
  }
  co_await serve_requests(worker, std::move(transport), entrance, protocol);
}

namespace {

// A connection to a context's own port ends with the context, and not when its route changes.
class Bound final : public Active {
 public:
  Bound(Session& session, net::Transport& transport) : session_(session), transport_(transport) {
    link_after(session.active);
    ++session_.open_connections;
  }
  ~Bound() { --session_.open_connections; }
  void cancel(Errc why) noexcept override { transport_.abort(make_error(why, "the context was released"), true); }
  bool is_tunnel() const override { return false; }

 private:
  Session& session_;
  net::Transport& transport_;
};

}  // namespace

Task<void> serve_door(Worker& worker, std::unique_ptr<net::Transport> transport, const Door& door) {
  SessionPtr session = worker.session_of(door.username);
  if (!session || session->ended()) co_return;  // released while the client connected
  if (session->open_connections >= worker.options().max_per_context) {
    ++worker.count().shed;
    log::info("context {} has {} connections to its own ports already: another one is closed", session->context->id,
              session->open_connections);
    co_return;
  }
  const Bound bound(*session, *transport);
  if (door.forward) {
    co_await serve_forwarded(worker, std::move(transport), session, *door.forward);
    co_return;
  }
  if (door.transparent && is_elsewhere(transport->local(), *door.transparent)) {
    co_await serve_transparent(worker, std::move(transport), session);
    co_return;
  }
  Entrance entrance;
  entrance.session = session;
  entrance.own_port = transport->local().port();
  co_await serve_connection(worker, std::move(transport), entrance);
}

Task<void> serve_intercepted(Worker& worker, std::unique_ptr<net::Transport> transport, Entrance& entrance) {
  if (!worker.options().intercept) {
    co_await refuse_tls(*transport, "TLS inside tunnels is not intercepted here (--no-intercept)");
    co_return;
  }
  entrance.scheme = "https";
  std::string host = entrance.tunnel->host;
  co_await serve_tls(worker, std::move(transport), std::move(host), entrance);
}

Task<void> serve_requests(Worker& worker, std::unique_ptr<net::Transport> transport, Entrance& entrance, Protocol protocol) {
  const OptionsPtr options = worker.options_now();
  const bool http2 = protocol == Protocol::http2 && options->offer_http2;
  const std::string_view scheme = entrance.scheme;
  entrance.protocol = http2 ? "h2" : "http/1.1";
  RequestHandler handler(worker, entrance);
  // Without HTTP/2 its preface is answered in HTTP/1, as a version that is not spoken here.
  if (http2) co_await http2::serve(std::move(transport), handler, options->http2, worker.open());
  else co_await http1::serve(std::move(transport), handler, scheme, options->http1, worker.open());
}

}  // namespace cmux::proxy
