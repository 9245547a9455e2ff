// Reports: what workers tell of exchanges, and the store of contexts, on the way to who wants to know: the access log, the events
// of the admin API, what is shown of a context. The main thread's, but for what workers call.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <string>

#include "admin/api.hpp"
#include "proxy/worker.hpp"

namespace cmux::app {

// One line of JSON: the data of a "request" event, and what the access log has of it where lines are JSON.
std::string record_json(const proxy::Record& record);
// The access log's line for people.
std::string record_text(const proxy::Record& record);

class Reports {
 public:
  using Change = policy::ContextStore::Change;
  using Publish = std::function<void(const admin::EventRecord&)>;
  // `publish` is called on the thread of `loop`, which runs longer than any worker.
  Reports(Loop& loop, const policy::ContextStore& contexts, Publish publish)
      : loop_(loop), contexts_(contexts), publish_(std::move(publish)) {}
  ~Reports();
  Reports(const Reports&) = delete;

  // --- on any thread ---
  void take(const proxy::Record& record);
  void take(proxy::TunnelFailure failed);

  // --- on the main thread ---
  void changed(Change change, const policy::Context& context, std::string_view reason);
  const admin::TunnelFailure* failure_of(const std::string& context) const;  // the last one; null: none has failed
  void set_access_log(bool wanted) { access_log_ = wanted; }
  // Whether anybody listens to events.
  void set_observed(bool observed);
  // Does anybody want records?
  bool wanted() const { return access_log_ || observed_; }

 private:
  void log_release(const std::string& id, std::string_view reason);
  void log_releases();
  void publish_lines();

  Loop& loop_;
  const policy::ContextStore& contexts_;
  const Publish publish_;
  std::atomic<bool> access_log_{false}, observed_{false};
  std::map<std::string, admin::TunnelFailure> failures_;  // by context
  std::size_t released_ = 0;                              // contexts that no log line tells of yet; all for that reason
  std::string release_id_, release_reason_;
  std::uint64_t last_line_ = 0;  // of the log, that was published
};

}  // namespace cmux::app
