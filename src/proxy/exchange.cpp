#include "proxy/exchange.hpp"

#include <fmt/format.h>

#include "base/check.hpp"
#include "base/log.hpp"
#include "net/descriptors.hpp"

namespace cmux::proxy {
namespace {

using http::Name;
using http::Next;

Error tagged(Error error, Side side) {
  error.side = side;
  return error;
}

constexpr std::size_t kReplayed = 64 * 1024;  // of a request's body, kept for a second attempt

}  // namespace

Task<void> Exchange::run() {
  auto head = co_await downstream_.read_head();
  if (!head && head.error().status == 0) co_return;  // the connection ended between requests
  ++worker_.count().requests;
  ++worker_.count().open_requests;
  began_ = worker_.now();
  begin_record(head ? *head : nullptr);
  if (!head) {
    co_await refuse(refusal_of(head.error()));
    finish();
    co_return;
  }
  request_ = *head;
  if (worker_.planner().answers(entrance_, *request_)) {
    co_await answer();
  } else if (auto who = admit(); !who) {
    co_await refuse(refusal_of(who.error()));
  } else if (auto first = check_round(); !first) {
    co_await refuse(refusal_of(first.error()));
  } else if (auto where = plan(); !where) {
    co_await refuse(refusal_of(where.error()));
  } else if (worker_.count().open_requests > worker_.options().max_requests) {
    Refusal refusal{503, "connection_limit_reached",
                    fmt::format("{} requests are at work already", worker_.options().max_requests)};
    co_await refuse(std::move(refusal));
  } else if (session_->open_requests >= worker_.options().max_per_context) {
    Refusal refusal{503, "connection_limit_reached",
                    fmt::format("this context has {} requests and tunnels open already", session_->open_requests)};
    co_await refuse(std::move(refusal));
  } else {
    link_after(session_->active);
    ++session_->open_requests;
    if (proxy::is_tunnel(*request_) && plan_->connect != Connect::forward) co_await connect();
    else co_await forward();
    CMUX_CHECK(session_->open_requests > 0, "a context counts its requests");
    --session_->open_requests;
    unlink();
  }
  finish();
}

Result<void> Exchange::admit() {
  auto session = worker_.planner().admit(entrance_, *request_);
  if (!session) return session.error();
  session_ = std::move(*session);
  session_->note_request(worker_.now());
  if (record_) record_->context = session_->context->id;
  return {};
}

Result<void> Exchange::check_round() const {
  const std::string& own = worker_.options().pool.hop;
  for (const auto field : request_->fields)
    if (field.known == Name::x_cmux_proxied && !own.empty() && http::has_token(field.value, own))
      return Error{Errc::loop, Side::downstream, false, 508,
                   "the request has been here before: this proxy and its parent proxy lead to each other"};
  return {};
}

std::string Exchange::hops() const {
  std::string all;
  for (const auto field : request_->fields)
    if (field.known == Name::x_cmux_proxied) all = upstream::with_hop(all, field.value);
  return all;
}

Result<void> Exchange::plan() {
  planned_for_ = session_->context;
  auto made = worker_.planner().plan(entrance_, *session_, *request_);
  if (!made) return made.error();
  plan_ = std::move(*made);
  if (record_) note_plan();
  return {};
}

// --- requests ----------------------------------------------------------------------------------------------------------------

void Exchange::prepare_request(const upstream::Lease& lease) {
  CMUX_CHECK(!is_stale(), "a request is made ready for the route that holds");
  origin_ = plan_->illusion.request(*request_);
  auto& fields = request_->fields;
  const bool marked = lease.at_parent() && !worker_.options().pool.hop.empty();
  const std::string hops_and_this = marked ? upstream::with_hop(hops(), worker_.options().pool.hop) : std::string();
  bool internal = false;
  for (const auto field : fields) internal = internal || field.known >= Name::x_cmux_host_override;
  if (internal) fields.remove_if([](const http::Fields::Field& field) { return field.known >= Name::x_cmux_host_override; });
  for (const auto& [name, value, known, secret] : plan_->headers) fields.set(name, value, secret);
  if (marked) fields.add(Name::x_cmux_proxied, hops_and_this);
  request_->authority = plan_->authority;
  request_->scheme = plan_->origin.tls ? "https" : "http";
  if (!plan_->path_prefix.empty() && request_->path.starts_with('/')) request_->path.insert(0, plan_->path_prefix);
  if (worker_.options().via) fields.add(Name::via, request_->version == 20 ? "2 cmuxproxy" : "1.1 cmuxproxy");
  if (tap_) tap_->head(inspect::Heads::request_sent, *request_);
}

Task<void> Exchange::forward() {
  bool prepared = false, looked = false, mended = false;
  upstream::Wanted wanted;
  wanted.upgrade = request_->is_upgrade();
  // What cannot be sent twice must not meet a connection that is closing, as far as that can be known.
  wanted.checked = !request_->is_idempotent() || !request_->end;
  wanted.client = {session_->context, &session_->context->id};
  wanted.end_to_end = is_end_to_end();
  while (true) {
    upstream::Claim claim;
    upstream_ = &claim;
    downstream_.cancel_on_abort(&claim);
    if (cancelled_) cancel(*cancelled_);
    auto lease = co_await worker_.pool().acquire(plan_->origin, wanted, &claim);
    downstream_.cancel_on_abort(nullptr);
    upstream_ = nullptr;
    if (cancelled_) {
      note_error(name_of(Errc::cancelled), {});
      downstream_.reset(*cancelled_);
      co_return;
    }
    if (is_stale()) {
      // The route has changed meanwhile: what has not been said on the old one never will be.
      Result<void> where;
      if (prepared) where = Error{Errc::cancelled, Side::upstream, false, 0, "the context's route has changed"};
      else where = plan();
      if (where) wanted.end_to_end = is_end_to_end();
      if (where) continue;
      co_await refuse(refusal_of(where.error()));
      co_return;
    }
    CMUX_CHECK(!lease || *lease, "who is given a lease can use it");
    if (record_) record_->destination = plan_->told().destination;
    if (!lease && !net::has_descriptors() && !std::exchange(looked, true)) {
      const bool found = co_await find_descriptor();
      if (found) continue;
    }
    if (!lease) {
      Error error = lease.error();
      if (!std::exchange(mended, true) && worker_.planner().mends(*plan_, error)) {
        auto again = co_await mend();
        if (again) continue;
        error = again.error();
      }
      co_await fail(std::move(error));
      co_return;
    }
    if (!std::exchange(prepared, true)) prepare_request(*lease);
    tunnel_ = request_->is_upgrade();  // until it is refused
    note_opening(worker_.count(), record_.get(), *lease);
    CMUX_CHECK(!is_stale() && !responded_, "a request is sent where its route leads now, and not again once it is answered");
    upstream_ = &lease->stream();
    downstream_.cancel_on_abort(upstream_);
    auto outcome = co_await attempt(*lease);
    downstream_.cancel_on_abort(nullptr);
    upstream_ = nullptr;
    if (outcome) co_return;
    const Error error = upload_error_ ? *upload_error_ : outcome.error();
    if (wanted.newer_than == 0 && may_retry(error)) {
      CMUX_CHECK(lease->serial() > 0, "a retry goes to another connection");
      wanted.newer_than = lease->serial();
      ++worker_.count().retried;
      if (record_) ++record_->retries;
      continue;
    }
    co_await fail(error);
    co_return;
  }
}

Task<Result<void>> Exchange::mend() {
  Patience patience;
  upstream_ = &patience;
  downstream_.cancel_on_abort(&patience);
  auto mended = co_await worker_.planner().mend(plan_, patience);
  downstream_.cancel_on_abort(nullptr);
  upstream_ = nullptr;
  co_return mended;
}

Task<void> Exchange::fail(Error error) {
  const bool told = responded_;
  if (told || error.code == Errc::cancelled) note_error(name_of(error.code), error.detail);
  if (error.code == Errc::cancelled) {
    // The client has gone, or the context: nobody is left to be told.
    downstream_.reset(error.code);
  } else if (told) {
    if (!cancelled_) co_await downstream_.write_body({}, Next::later);  // what was held back to go out with more
    downstream_.reset(error.code);
  } else if (error.code == Errc::busy && error.remedy() == Remedy::resend && downstream_.decline()) {
    worker_.count().answered(Source::proxy, 503);
    note_error(name_of(error.code), error.detail);
    if (record_) record_->status = 503;
  } else {
    co_await refuse(refusal_of(error));
  }
}

bool Exchange::may_retry(const Error& error) const {
  const Remedy remedy = error.remedy();
  return (remedy == Remedy::repeat || remedy == Remedy::resend) && !responded_ && replayable_ && !cancelled_ && !is_stale();
}

Task<Result<void>> Exchange::attempt(upstream::Lease& lease) {
  http::Stream& upstream = lease.stream();
  Result<void> outcome;
  Scope uploading;
  const bool body = !request_->end;
  auto sent = co_await upstream.write_head(*request_, !body ? Next::end : downstream_.body_ready() ? Next::soon : Next::later);
  if (sent && body) uploading.spawn(upload(upstream));
  if (sent) outcome = co_await respond(upstream);
  else outcome = sent.error();
  if (!outcome && outcome.error().side != Side::downstream)
    outcome = upstream::upstream_error(outcome.error(), plan_->origin, lease.parent());
  if (uploading.running() > 0) {
    // The exchange is over before its request is: nobody reads the rest.
    downstream_.interrupt_body(true);
    upstream.reset(Errc::cancelled);
    co_await uploading.join();
    downstream_.interrupt_body(false);
  }
  co_return outcome;
}

// Sends the request's body, first what an earlier attempt has read of it.
Task<Result<void>> Exchange::send_body(http::Stream& upstream) {
  CMUX_CHECK(body_.size() <= kReplayed && (replayable_ || body_.empty()), "what is kept of a body has a bound, or is nothing");
  if (!body_.empty() || body_ended_) {
    const Next next = body_ended_ ? Next::end : downstream_.body_ready() ? Next::soon : Next::later;
    auto written = co_await upstream.write_body(body_, next, body_trailers_ ? &*body_trailers_ : nullptr);
    if (!written) co_return tagged(written.error(), Side::upstream);
  }
  while (!body_ended_) {
    if (!replayable_) co_return co_await http::relay_body(downstream_, Side::downstream, upstream, Side::upstream, &client_said_);
    auto piece = co_await downstream_.read_body();
    if (!piece) co_return tagged(piece.error(), Side::downstream);
    replayable_ = body_.size() + piece->bytes.size() <= kReplayed;
    if (replayable_) body_.append(piece->bytes);
    else body_ = {};
    body_ended_ = piece->end;
    if (piece->trailers) body_trailers_ = *piece->trailers;
    const Next next = piece->end ? Next::end : downstream_.body_ready() ? Next::soon : Next::later;
    auto written = co_await upstream.write_body(piece->bytes, next, piece->trailers);
    if (!written) co_return tagged(written.error(), Side::upstream);
    client_said_.add(piece->bytes);
  }
  co_return Result<void>{};
}

Task<void> Exchange::upload(http::Stream& upstream) {
  auto sent = co_await send_body(upstream);
  if (sent && tap_) note_sent();
  if (sent) co_return;
  // A peer that takes no more may still have answered: respond() finds out.
  if (sent.error().side == Side::upstream || sent.error().code == Errc::cancelled) co_return;
  upload_error_ = sent.error();
  upstream.reset(Errc::cancelled);
}

Task<Result<void>> Exchange::respond(http::Stream& upstream) {
  http::Head* head = nullptr;
  bool changed = false;
  while (true) {
    auto next = co_await upstream.read_head();
    if (!next) co_return next.error();
    head = *next;
    if (tap_ && !head->is_interim()) tap_->head(inspect::Heads::response_received, *head);
    changed = plan_->illusion.response(*head, origin_);
    if (!head->is_interim()) break;
    auto written = co_await downstream_.write_head(*head, Next::later);
    if (!written) co_return Error{Errc::cancelled, Side::downstream, false, 0, {}};
  }
  // To an extended CONNECT any 2xx says that the tunnel stands (RFC 8441 section 5); HTTP/1 means by it that there is none.
  if (request_->is_upgrade() && request_->version == 20 && !head->tunnel && head->status < 300)
    co_return make_error(Errc::malformed, fmt::format("answered the upgrade to {} with {}", request_->protocol, head->status));
  CMUX_CHECK(!responded_ && !head->is_interim(), "a request has one answer");
  responded_ = true;
  tunnel_ = head->tunnel;
  worker_.count().answered(plan_->routed ? Source::workspace : Source::direct, head->status);
  if (!tunnel_) worker_.count().first_byte.add(worker_.now() - began_);
  if (record_) note_response(*head, !changed);
  if (head->tunnel) {
    ++worker_.count().tunnels;
    downstream_.cancel_on_abort(nullptr);
    auto written = co_await downstream_.write_head(*head, Next::later);
    if (!written) co_return Error{Errc::cancelled, Side::downstream, false, 0, {}};
    co_await relay_tunnel(upstream);
    co_return Result<void>{};
  }
  const Next next = head->end ? Next::end : upstream.body_ready() ? Next::soon : Next::later;
  auto written = co_await downstream_.write_head(*head, next);
  if (!written) co_return Error{Errc::cancelled, Side::downstream, false, 0, {}};
  if (!head->end) written = co_await http::relay_body(upstream, Side::upstream, downstream_, Side::downstream, &upstream_said_);
  if (written && record_) record_->response.ended = true;
  co_return written;
}

void Exchange::cancel(Errc why) noexcept {
  cancelled_ = why;
  if (upstream_) upstream_->reset(Errc::cancelled);
  if (responded_ || tunnel_) downstream_.reset(why);
}

}  // namespace cmux::proxy
