// What an exchange tells of itself: its record, and what is kept of its messages.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "inspect/redact.hpp"
#include "inspect/view.hpp"
#include "proxy/advice.hpp"
#include "proxy/exchange.hpp"

namespace cmux::proxy {
namespace {

using http::Name;

// What may be shown of a target: no user info, no query, and nothing that is not printable ASCII.
void show_url(const http::Head& request, std::string& out) {
  std::string_view authority = request.authority;
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) authority.remove_prefix(at + 1);
  const std::string_view path = std::string_view(request.path).substr(0, request.path.find('?'));
  if (request.is_connect() && !request.is_upgrade()) out = authority;
  else out.assign(request.scheme).append("://").append(authority).append(path);
  const auto plain = [](char c) { return c > 0x20 && c < 0x7f && c != '"'; };
  if (std::all_of(out.begin(), out.end(), plain)) return;
  for (const char c : std::exchange(out, {})) {
    if (plain(c)) out += c;
    else out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
}

}  // namespace

void note_opening(Counters& count, Record* record, const upstream::Lease& lease) {
  const upstream::Opening& opening = lease.opening();
  if (!opening.reused) {
    count.dns.add(opening.dial.resolve);
    count.connect.add(opening.dial.connect);
    if (opening.tls.count() > 0) count.tls.add(opening.tls);
  }
  if (!record) return;
  record->upstream = lease.protocol();
  if (lease.parent()) record->parent = lease.parent()->text();
  record->reused = opening.reused;
  record->dns = opening.dial.resolve, record->connect = opening.dial.connect, record->tls = opening.tls;
}

void Exchange::begin_record(const http::Head* request) {
  record_ = worker_.new_record(entrance_.replay_of != 0 ? inspect::Level::bodies : inspect::Level::nothing);
  if (!record_) return;
  record_->downstream = entrance_.protocol;
  record_->replay_of = entrance_.replay_of;
  if (request) {
    record_->method = request->is_upgrade() ? "GET" : request->method;
    show_url(*request, record_->url);
  }
  if (record_->level < inspect::Level::heads) return;
  tap_.emplace(worker_.ring(), *record_);
  if (request) {
    if (const std::size_t query = request->path.find('?'); query != std::string::npos)
      record_->query = inspect::redacted_url(std::string_view(request->path).substr(query));
    tap_->head(inspect::Heads::request_received, *request);
    record_->request.ended = request->end;
  }
  tap_->follow(client_said_, upstream_said_);
  worker_.ring().add(*record_);
  entrance_.recorded = record_->number;
}

void Exchange::note_plan() {
  const bool loopback = plan_->routed || plan_->connect == Connect::inside;
  record_->way = plan_->opaque ? inspect::Way::network : loopback ? inspect::Way::loopback : inspect::Way::direct;
  if (tap_) record_->target = plan_->told().target;
}

void Exchange::note_sent() {
  record_->request.ended = true;
  record_->request.size = client_said_.bytes();
}

void Exchange::finish() {
  CMUX_CHECK(upstream_ == nullptr, "no stream upstream outlives its use");
  CMUX_CHECK(worker_.count().open_requests > 0, "a worker counts its requests");
  --worker_.count().open_requests;
  if (!tunnel_ && responded_) {
    const auto took = worker_.now() - began_;
    worker_.count().duration.add(took);
    if (session_) session_->duration.add(took);
  }
  if (!record_) return;
  record_->tunnel = tunnel_;
  record_->sent += client_said_.bytes();
  record_->received += upstream_said_.bytes();
  record_->total = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - began_);
  record_->response.size = std::max(record_->response.size, upstream_said_.bytes());
  worker_.report(*record_);
}

void Exchange::note_error(std::string_view name, const std::string& detail) {
  ++worker_.count().errors[name];
  if (record_) record_->error = name, record_->detail = detail, record_->advice = advice_for(name);
}

void Exchange::note_own(const http::Head& head, std::string_view body) {
  if (!record_) return;
  record_->status = head.status;
  if (!tap_) return;
  tap_->head(inspect::Heads::response_sent, head);
  record_->type = inspect::media_type(head.fields.get(Name::content_type).value_or(""));
  if (record_->level >= inspect::Level::bodies && request_ && request_->method != "HEAD") tap_->body(record_->response, body);
  record_->response.ended = true;
}

void Exchange::note_response(const http::Head& head, bool as_it_came) {
  record_->status = head.status;
  record_->first_byte = std::chrono::duration_cast<std::chrono::microseconds>(worker_.now() - began_);
  if (!tap_) return;
  if (as_it_came) tap_->same_head(inspect::Heads::response_sent, inspect::Heads::response_received);
  else tap_->head(inspect::Heads::response_sent, head);
  record_->type = inspect::media_type(head.fields.get(Name::content_type).value_or(""));
  record_->tunnel = tunnel_;
  record_->websocket = tunnel_ && http::equal_ignoring_case(request_->protocol, "websocket");
  if (record_->websocket) tap_->converse(head);
  worker_.ring().changed(*record_);
}

}  // namespace cmux::proxy
