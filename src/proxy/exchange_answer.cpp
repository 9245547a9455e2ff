// What an exchange answers itself: what its planner has to say, and refusals.
#include "base/check.hpp"
#include "base/log.hpp"
#include "proxy/exchange.hpp"

namespace cmux::proxy {

using http::Next;

Task<void> Exchange::answer() {
  const auto own = worker_.planner().answer(entrance_, *request_);
  if (record_ && entrance_.session) record_->context = entrance_.session->context->id;
  if (record_) record_->way = inspect::Way::own;
  if (!own) {
    co_await refuse(refusal_of(own.error()));
    co_return;
  }
  if (own->stream) {
    responded_ = true;
    worker_.count().answered(Source::proxy, 200);
    if (record_) record_->status = 200;
    co_await own->stream(downstream_);
    co_return;
  }
  http::Head head;
  head.status = own->status;
  for (const auto& [name, value] : own->fields) head.fields.add(name, value);
  head.content_length = own->body.size();
  responded_ = true;
  worker_.count().answered(Source::proxy, own->status);
  note_own(head, own->body);
  const bool bare = request_->method == "HEAD";
  auto written = co_await downstream_.write_head(head, bare ? Next::end : Next::soon);
  if (written && !bare) co_await downstream_.write_body(own->body, Next::end);
}

Task<void> Exchange::refuse(Refusal refusal) {
  CMUX_CHECK(!responded_, "a request has one answer");
  responded_ = true;
  worker_.count().answered(Source::proxy, refusal.status);
  note_error(refusal.error, refusal.detail);
  if (refusal.status >= 500) log::info("{} {}: {}", refusal.status, refusal.error, refusal.detail);
  // The request's own scheme is the destination's by now.
  if (plan_) refusal.target = plan_->target.text(), refusal.scheme = plan_->scheme;
  const OwnAnswer own = answer_to(request_, refusal);
  note_own(own.head, own.body);
  co_await send(downstream_, request_, own);
}

}  // namespace cmux::proxy
