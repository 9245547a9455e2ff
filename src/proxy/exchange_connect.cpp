// CONNECT: tunnels to where the request says, and the way into those that the context's route answers.
#include <fmt/format.h>

#include "base/check.hpp"
#include "base/log.hpp"
#include "http/raw_stream.hpp"
#include "net/descriptors.hpp"
#include "proxy/downstream.hpp"

namespace cmux::proxy {

using http::Next;

// One for another connection; where none is left, that of the client which has been silent longest.
Task<bool> Exchange::find_descriptor() {
  if (net::has_descriptors()) co_return true;
  if (!worker_.make_room(net::traffic_descriptors())) co_return false;
  co_await Yield{};  // for its end
  co_return net::has_descriptors();
}

Task<void> Exchange::relay_tunnel(http::Stream& upstream) {
  OpenTunnel tunnel(worker_, downstream_, upstream);
  auto moved = co_await http::relay_tunnel(downstream_, upstream, tunnel.traffic(), &client_said_, &upstream_said_);
  if (moved || moved.error().code != Errc::timeout) co_return;  // how tunnels end
  log::info("a tunnel was ended: {}", moved.error().detail);
  note_error(name_of(Errc::timeout), moved.error().detail);
}

// A tunnel from here on, for who releases the context or changes its route: what is waited for must not outlive that.
Task<void> Exchange::connect() {
  CMUX_CHECK(plan_->connect != Connect::forward, "a CONNECT that is forwarded is a request");
  ++worker_.count().tunnels;
  tunnel_ = true;
  if (plan_->connect == Connect::inside) co_await serve_inside();
  else co_await dial();
}

Task<void> Exchange::serve_inside() {
  http::Head established;
  established.status = 200;
  established.tunnel = true;
  auto written = co_await downstream_.write_head(established, Next::later);
  if (!written || cancelled_) co_return;
  if (record_) record_->status = 200;
  responded_ = true;
  // From here the tunnel stands for itself: it is on the session's list, this exchange is not.
  unlink();
  co_await serve_tunnel(worker_, downstream_.into_transport(), session_, plan_->target, record_.get());
}

Task<void> Exchange::dial() {
  co_await find_descriptor();
  net::Claim claim;
  if (!claim.granted() && !cancelled_) {
    Refusal refusal{503, "connection_limit_reached", "too many descriptors are in use"};
    co_await refuse(std::move(refusal));
  }
  if (!claim.granted()) co_return;
  net::DialTiming timing;
  const auto use = entrance_.unrouted ? upstream::Use::own : upstream::Use::bytes;
  std::string behind = hops();
  auto reached = co_await worker_.pool().dialler().reach(plan_->origin, use, &timing, session_->context->id, std::move(behind));
  claim.end();
  if (reached) {
    worker_.count().dns.add(timing.resolve);
    worker_.count().connect.add(timing.connect);
  }
  if (record_) {
    record_->dns = timing.resolve;
    record_->connect = timing.connect;
    record_->upstream = "tcp";
    record_->destination = fmt::format("tcp://{}", plan_->target.text());
    if (reached && reached->parent) record_->parent = reached->parent->text();
  }
  if (cancelled_) co_return;
  if (!reached) {
    co_await refuse(refusal_of(reached.error()));
    co_return;
  }
  CMUX_CHECK(!is_stale(), "a tunnel leads where its context allowed it to, and that still holds");
  http::RawStream upstream(std::move(reached->transport), worker_.options().http1.send_timeout);
  upstream_ = &upstream;
  http::Head established;
  established.status = 200;
  established.tunnel = true;
  auto written = co_await downstream_.write_head(established, Next::later);
  responded_ = true;
  if (record_) record_->status = 200;
  if (written) co_await relay_tunnel(upstream);
  upstream_ = nullptr;
}

}  // namespace cmux::proxy
