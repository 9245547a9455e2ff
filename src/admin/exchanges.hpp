// What the admin API shows of exchanges, and can do about them. Implemented by app/inspection; every call is on the main thread.
#pragma once

#include <boost/json/fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/task.hpp"
#include "inspect/replay.hpp"
#include "inspect/ring.hpp"

namespace cmux::admin {

// What has changed, the oldest change first.
struct Changes {
  std::vector<inspect::Changed> list;
  std::uint64_t next = 0;   // where to go on
  std::uint64_t first = 0;  // what began before this one and has ended is gone
  std::uint64_t lost = 0;   // went before this reader was told of their last change
};

class Exchanges {
 public:
  virtual ~Exchanges() = default;
  virtual Task<Changes> changes(std::uint64_t after, std::size_t most, std::string context) = 0;
  virtual Task<inspect::CapturePtr> find(std::uint64_t number) = 0;  // null: it is not here
  virtual Task<std::vector<std::uint64_t>> numbers(std::string context) = 0;
  virtual Task<void> clear() = 0;
  // As the API shows it: what is kept, and how much there is.
  virtual Task<boost::json::object> capture() = 0;
  virtual void set_capture(std::optional<inspect::Level> level) = 0;  // nothing: while somebody watches
  // Somebody watches, or nobody any more.
  virtual void watched(bool by_somebody) = 0;
  // The number of the new exchange. Errors have a status, for the client.
  virtual Task<Result<std::uint64_t>> replay(const inspect::Replay& replay) = 0;
  // The last hour, from the metrics.
  virtual boost::json::object series() const = 0;
};

}  // namespace cmux::admin
