// Events for who listens: GET /v1/events, as server-sent events (the WHATWG HTML standard, section 9.2). On the main thread.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "http/stream.hpp"

namespace cmux::admin {

// What happened, for GET /v1/events and `probe`. `data` is one JSON object without line breaks.
struct EventRecord {
  std::string type;     // one of Api::event_types()
  std::string context;  // the context's id, or empty
  std::string data;
};

// Empty texts let everything through; "context" is every "context.…".
struct EventFilter {
  std::string context, type;
  bool wants(const EventRecord& record) const;
};

class EventSubscription;

class EventHub {
 public:
  static constexpr std::size_t kMostSubscribers = 32;

  // `observe` is told when the first one begins to listen, and when the last one has ended.
  explicit EventHub(std::function<void(bool)> observe) : observe_(std::move(observe)) {}
  EventHub(const EventHub&) = delete;

  bool is_full() const { return subscriptions_.size() >= kMostSubscribers; }
  void publish(const EventRecord& record);
  // Ends all subscriptions.
  void close();

 private:
  friend class EventSubscription;
  std::function<void(bool)> observe_;
  std::set<EventSubscription*> subscriptions_;
};

// One listener: lives in the frame that serves it. What is published from its construction on is sent.
class EventSubscription {
 public:
  static constexpr std::size_t kMostQueued = 1000, kMostBytes = 1024 * 1024;
  static constexpr milliseconds kPing{15'000};

  EventSubscription(EventHub& hub, EventFilter filter, http::Stream& stream, milliseconds ping = kPing);
  ~EventSubscription();
  EventSubscription(const EventSubscription&) = delete;

  // Answers the request and sends events until the client goes or the hub closes.
  Task<void> run();

 private:
  friend class EventHub;
  class Gone;
  void take(const std::shared_ptr<const std::string>& text);
  void close();
  void on_time();
  bool has_work() const { return !queue_.empty() || lost_ != 0 || ping_ || closed_ || gone_; }
  std::string next_chunk();

  EventHub& hub_;
  EventFilter filter_;
  http::Stream& stream_;
  const milliseconds ping_time_;
  std::deque<std::shared_ptr<const std::string>> queue_;  // shared by all that listen
  std::size_t queued_bytes_ = 0;
  std::uint64_t lost_ = 0;  // since the queue was full
  bool ping_ = false, closed_ = false, gone_ = false, writing_ = false;
  Event wake_;
  Deadline deadline_{[](void* self) { static_cast<EventSubscription*>(self)->on_time(); }, this};
};

}  // namespace cmux::admin
