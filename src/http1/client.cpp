#include "http1/client.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/readiness.hpp"

namespace cmux::http1 {

using http::Head;
using http::Next;

ClientConnection::ClientConnection(std::unique_ptr<net::Transport> transport, const ClientOptions& options,
                                   const ProxyForm* proxy)
    : Half(std::move(transport), options.send_timeout),
      options_(options),
      proxy_(proxy),
      parser_(Role::response, options.limits) {}

ClientConnection::~ClientConnection() = default;

bool ClientConnection::reusable() {
  if (!transport_ || !keep_alive_ || broken_ || !wrote_end_ || !reader_.done() || transport_->hung_up()) return false;
  reader_.settle(in_);
  return in_.empty();  // bytes that nobody asked for make the next response doubtful
}

bool ClientConnection::has_ended(bool ask) {
  if (ask || !Readiness::kTellsAllAtOnce) transport_->readable().set();
  if (!transport_->may_read()) return false;
  const net::Io io = transport_->read(in_.prepare(1));
  if (io.state == net::Io::State::moved) in_.commit(io.count);  // whatever it says, nobody asked: not reusable
  else in_.release();
  return io.state != net::Io::State::blocked;
}

milliseconds ClientConnection::kept_for(milliseconds usual, milliseconds most) {
  if (!peer_keeps_) return std::min(usual, most);
  if (!margin_) margin_ = std::max(milliseconds(1'000), transport_->round_trip());
  return std::min(milliseconds(std::chrono::seconds(*peer_keeps_)) - *margin_, most);
}

void ClientConnection::watch_idle(void (*callback)(void*), void* argument, milliseconds timeout) {
  idle_callback_ = callback;
  idle_argument_ = argument;
  in_.release();
  out_.release();
  deadline_.after(callback ? timeout : milliseconds(0));
  transport_->on_hang_up(callback, argument);
}

void ClientConnection::expire() {
  if (idle_callback_) return idle_callback_(idle_argument_);
  broken_ = true;
  const double seconds = static_cast<double>((waiting_ ? options_.response_timeout : options_.body_timeout).count()) / 1000.0;
  Error late{Errc::timeout, Side::upstream, false, 504, fmt::format("no response in {} s", seconds)};
  if (!waiting_) {
    late.detail = fmt::format("the response's body has not gone on for {} s", seconds);
  } else if (!wrote_end_ && !writing_ && (!expects_ || heard_)) {
    // It is the client that all wait for.
    late.side = Side::downstream, late.status = 408;
    late.detail = fmt::format("the request's body has not gone on for {} s", seconds);
  }
  transport_->abort(std::move(late));
}

Error ClientConnection::failure(Error error) const {
  const bool gone = error.code == Errc::closed || error.code == Errc::reset;
  error.retryable = gone && reused() && !heard_ && idempotent_;
  return error;
}

Task<Result<void>> ClientConnection::write_head(const Head& head, Next next) {
  ++exchanges_;
  keep_alive_ = heard_ = wrote_end_ = stopped_ = false;
  parser_.reset();
  in_.consume(in_.size());
  reader_.start(Framing::none, 0);
  body_bytes_ = 0;
  method_ = head.method;
  idempotent_ = head.is_idempotent();
  expects_ = !head.end && head.fields.contains(http::Name::expect);
  protocol_ = head.protocol;
  const Framing framing = write_request(head, out_, proxy_);
  if (http::equal_ignoring_case(protocol_, "websocket")) {
    // The client's key goes through, or its lack of one, which the server has to judge; only what came over HTTP/2 needs none.
    const auto key = head.fields.get(http::Name::sec_websocket_key);
    websocket_key_ = key ? std::string(*key) : std::string();
    if (!key && head.version == 20) {
      websocket_key_ = make_websocket_key();
      out_ = Buffer();
      Head with_key = head;
      with_key.fields.add(http::Name::sec_websocket_key, websocket_key_);
      write_request(with_key, out_, proxy_);
    }
  }
  writer_.start(framing, head.content_length.value_or(0));
  if (next == Next::end) wrote_end_ = true;
  if (next == Next::soon) co_return Result<void>{};
  auto sent = co_await flush();
  if (!sent) co_return failure(sent.error());
  co_return sent;
}

Task<Result<void>> ClientConnection::write_body(std::string_view bytes, Next next, const http::Fields* trailers) {
  writing_ = true;
  auto sent = co_await push_body(bytes, next, trailers);
  writing_ = false;
  if (waiting_) deadline_.after(options_.response_timeout);
  if (sent) co_return sent;
  // A response that has begun goes on though its request does not: what is refused need not be read.
  if (deaf_ && waiting_) reset_deaf();
  co_return failure(sent.error());
}

void ClientConnection::reset_deaf() {
  broken_ = true;
  transport_->abort(Error{Errc::timeout, Side::upstream, false, 504, "the request is not read"}, true);
}

Task<Result<Head*>> ClientConnection::read_head() {
  waiting_ = true;
  deadline_.after(options_.response_timeout);
  std::optional<Error> failed;
  while (true) {
    auto size = parser_.parse(in_.view(), response_);
    if (!size) {
      failed = size.error();
      break;
    }
    if (*size > 0) {
      in_.consume(*size);
      break;
    }
    auto read = co_await net::read_some(*transport_, in_, 4096);
    if (!read) {
      failed = failure(read.error());
      break;
    }
    if (*read == 0) {
      failed = failure(make_error(
          Errc::closed, in_.empty() ? "connection closed without a response" : "connection closed within the response header"));
      break;
    }
    heard_ = true;
  }
  waiting_ = false;
  deadline_.cancel();
  if (failed) {
    broken_ = true;
    co_return *failed;
  }
  parser_.reset();
  auto info = normalise_response(response_, method_, protocol_);
  if (!info) {
    broken_ = true;
    co_return info.error();
  }
  if (response_.status == 101 && !websocket_key_.empty() && http::equal_ignoring_case(protocol_, "websocket")) {
    const auto accept = response_.fields.get(http::Name::sec_websocket_accept);
    if (!accept || *accept != websocket_accept(websocket_key_)) {
      broken_ = true;
      co_return malformed("wrong Sec-WebSocket-Accept");
    }
  }
  if (response_.is_interim()) co_return &response_;
  if (proxy_ && response_.status == 407) {
    // It is this proxy that is asked, and not its client, who has other credentials.
    broken_ = true;
    co_return Error{
        Errc::config, Side::upstream, false, 0,
        proxy_->authorization.empty() ? "it wants a user and password (407)" : "it refuses the user and password (407)"};
  }
  keep_alive_ = info->keep_alive;
  peer_keeps_ = info->keeps;
  reader_.start(info->framing, response_.content_length.value_or(0));
  // A body that is malformed as far as it is here is better answered with 502 than begun.
  if (auto sound = reader_.foresee(in_); !sound) {
    broken_ = true;
    co_return sound.error();
  }
  if (response_.tunnel) writer_.start(Framing::until_close, 0);
  co_return &response_;
}

Task<Result<http::Body>> ClientConnection::read_body() {
  if (response_.tunnel) response_ = Head();  // was acted on, and tunnels may stand for days
  // Others may be silent for as long as they like: event streams, long polls.
  const bool watched = response_.content_length && !pull_ready();
  if (watched) deadline_.after(options_.body_timeout);
  auto body = co_await pull_body();
  if (watched) deadline_.cancel();
  if (!body) broken_ = true;
  co_return body;
}

void ClientConnection::reset(Errc why) noexcept {
  broken_ = true;
  if (transport_) transport_->abort(make_error(why, "the exchange was given up"), true);
}

}  // namespace cmux::http1
