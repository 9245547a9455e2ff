#include "http2/client.hpp"

#include <fmt/format.h>

namespace cmux::http2 {
namespace {

constexpr std::int32_t kLastId = 0x7000'0000;  // well before the identifiers run out

}  // namespace

ClientConnection::ClientConnection(std::unique_ptr<net::Transport> transport, const Options& options, void (*changed)(void*),
                                   void* argument)
    : Connection(Role::client, std::move(transport), options), changed_(changed), argument_(argument) {
  alive_.after(options.ping_timeout);  // for the peer's SETTINGS
}

ClientConnection::~ClientConnection() = default;

Task<void> ClientConnection::run() {
  co_await run_loops();
  alive_.cancel();
  idle_.cancel();
  close_transport();
}

std::size_t ClientConnection::room() const {
  if (spent() || asked_) return 0;
  nghttp2_session* const session = const_cast<ClientConnection*>(this)->session().get();
  if (nghttp2_session_get_next_stream_id(session) > static_cast<std::uint32_t>(kLastId)) return 0;
  const std::size_t allowed = most();
  return allowed > live() ? allowed - live() : 0;
}

std::size_t ClientConnection::most() const {
  nghttp2_session* const session = const_cast<ClientConnection*>(this)->session().get();
  const std::size_t told = nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  return settled_ ? std::min(told, learned_) : 1;
}

bool ClientConnection::extended_connect() const {
  nghttp2_session* const session = const_cast<ClientConnection*>(this)->session().get();
  return settled_ && nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

std::unique_ptr<Stream> ClientConnection::open() {
  CMUX_CHECK(room() > 0, "no more streams are opened than the peer takes");
  idle_.cancel();
  if (!alive_.armed()) {
    heard_before_ = heard_;
    alive_.after(options().ping_interval);
  }
  return std::make_unique<Stream>(*this, 0);
}

void ClientConnection::shut_down() {
  if (!std::exchange(going_away_, true)) session().submit_goaway();
  want_write();
  if (live() == 0) finish();
}

void ClientConnection::on_settings() {
  if (!std::exchange(settled_, true)) {
    alive_.cancel();
    if (live() > 0) alive_.after(options().ping_interval);
  }
  rest();
  changed_(argument_);
}

void ClientConnection::on_goaway() {
  going_away_ = true;
  changed_(argument_);
  if (live() == 0) finish();
}

void ClientConnection::stream_gone() {
  rest();
  changed_(argument_);
}

// Nobody uses it now. One that takes no streams is of no use later either: the next request shall see what a new one says.
void ClientConnection::rest() {
  if (live() != 0 || over()) return;
  if (going_away_ || (settled_ && most() == 0)) finish();
  else idle_.after(options().idle_timeout);
}

bool ClientConnection::trusted() {
  if (asked_) return false;
  const milliseconds interval = options().ping_interval;
  const bool silent = interval.count() > 0 && Loop::current().now() - heard_at_ >= interval;
  if (!settled_ || (!silent && !doubted_)) return true;
  ask();
  return false;
}

void ClientConnection::doubt() {
  doubted_ = true;
  if (settled_ && !over()) ask();
}

void ClientConnection::received() {
  heard_at_ = Loop::current().now();
  doubted_ = false;
  if (!asked_) return;
  asked_ = overdue_ = false;
  heard_before_ = heard_;
  if (live() > 0) alive_.after(options().ping_interval);
  else alive_.cancel();
  changed_(argument_);
}

void ClientConnection::ask() {
  if (std::exchange(asked_, true)) return;
  session().submit_ping();
  want_write();
  alive_.after(options().ping_patience);
}

void ClientConnection::check_alive() {
  if (!settled_) return abort(make_error(Errc::timeout, "no HTTP/2 SETTINGS from the peer in time"));
  if (overdue_) {
    return abort(make_error(Errc::timeout, fmt::format("the peer has not answered a PING in {} s",
                                                       static_cast<double>(options().ping_timeout.count()) / 1000.0)));
  }
  if (asked_) {
    overdue_ = true;
    alive_.after(std::max(options().ping_timeout - options().ping_patience, milliseconds(1)));
    return changed_(argument_);  // requests go elsewhere
  }
  if (live() == 0) return;
  if (heard_ == heard_before_) return ask();
  heard_before_ = heard_;
  alive_.after(options().ping_interval);
}

}  // namespace cmux::http2
