#include "admin/events.hpp"

#include <fmt/format.h>

namespace cmux::admin {
namespace {

constexpr std::size_t kChunk = 64 * 1024;

}  // namespace

bool EventFilter::wants(const EventRecord& record) const {
  if (!context.empty() && record.context != context) return false;
  if (type.empty() || record.type == type) return true;
  return record.type.size() > type.size() && record.type.starts_with(type) && record.type[type.size()] == '.';
}

void EventHub::publish(const EventRecord& record) {
  std::shared_ptr<const std::string> text;
  for (EventSubscription* const subscription : subscriptions_) {
    if (!subscription->filter_.wants(record)) continue;
    if (!text) text = std::make_shared<const std::string>(fmt::format("event: {}\ndata: {}\n\n", record.type, record.data));
    subscription->take(text);
  }
}

void EventHub::close() {
  for (EventSubscription* const subscription : subscriptions_) subscription->close();
}

// What the downstream connection resets when the client goes: the way to know of it without reading or writing.
class EventSubscription::Gone final : public http::Abortable {
 public:
  explicit Gone(EventSubscription& subscription) : subscription_(subscription) {}
  void reset(Errc) noexcept override {
    subscription_.gone_ = true;
    subscription_.wake_.set();
  }

 private:
  EventSubscription& subscription_;
};

EventSubscription::EventSubscription(EventHub& hub, EventFilter filter, http::Stream& stream, milliseconds ping)
    : hub_(hub), filter_(std::move(filter)), stream_(stream), ping_time_(ping) {
  hub_.subscriptions_.insert(this);
  if (hub_.subscriptions_.size() == 1) hub_.observe_(true);
}

EventSubscription::~EventSubscription() {
  hub_.subscriptions_.erase(this);
  if (hub_.subscriptions_.empty()) hub_.observe_(false);
}

void EventSubscription::take(const std::shared_ptr<const std::string>& text) {
  wake_.set();
  // Once something is lost, so is all until the queue has been sent: the count then stands where the gap is.
  if (lost_ != 0 || queue_.size() >= kMostQueued || queued_bytes_ + text->size() > kMostBytes) {
    ++lost_;
    return;
  }
  queue_.push_back(text);
  queued_bytes_ += text->size();
}

void EventSubscription::close() {
  closed_ = true;
  wake_.set();
  if (writing_) stream_.reset(Errc::cancelled);  // it may wait for a client that reads nothing
}

void EventSubscription::on_time() {
  if (writing_) return stream_.reset(Errc::timeout);
  ping_ = true;
  wake_.set();
}

std::string EventSubscription::next_chunk() {
  std::string chunk;
  if (std::exchange(ping_, false) && queue_.empty()) chunk = ": ping\n\n";
  while (!queue_.empty() && chunk.size() < kChunk) {
    chunk += *queue_.front();
    queued_bytes_ -= queue_.front()->size();
    queue_.pop_front();
  }
  if (queue_.empty() && lost_ != 0) chunk += fmt::format("event: lost\ndata: {{\"count\":{}}}\n\n", std::exchange(lost_, 0));
  return chunk;
}

Task<void> EventSubscription::run() {
  Gone gone(*this);
  http::Head head;
  head.status = 200;
  head.fields.add(http::Name::content_type, "text/event-stream");
  head.fields.add("Cache-Control", "no-store");
  stream_.close_after();
  stream_.cancel_on_abort(&gone);
  deadline_.after(ping_time_);
  writing_ = true;
  auto written = co_await stream_.write_head(head, http::Next::later);
  writing_ = false;
  while (written) {
    while (!has_work()) {
      wake_.clear();
      co_await wake_;
    }
    if (closed_ || gone_) break;
    const std::string chunk = next_chunk();
    deadline_.after(ping_time_);
    writing_ = true;
    written = co_await stream_.write_body(chunk, http::Next::later);
    writing_ = false;
  }
  deadline_.cancel();
  stream_.cancel_on_abort(nullptr);
  if (gone_ || !written) stream_.reset(Errc::cancelled);
  else co_await stream_.write_body({}, http::Next::end);
}

}  // namespace cmux::admin
