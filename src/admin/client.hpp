// Talking to a running instance, for the CLI: asks its API and listens to its events. The coroutines run on the caller's loop;
// the blocking call() runs one of its own.
#pragma once

#include <boost/json/value.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "admin/instance_file.hpp"
#include "admin/sse.hpp"
#include "base/loop.hpp"

namespace cmux::admin {

struct Answer {
  unsigned status = 0;
  boost::json::value body;  // null where there was none; a string where it was not JSON
  bool ok() const { return status >= 200 && status < 300; }
  // An error answer's problem detail, or a description of the status.
  std::string problem() const;
};

class Client {
 public:
  static constexpr milliseconds kTimeout{10'000};              // for a whole call, and for an EventStream to open
  static constexpr std::size_t kMostBody = 256 * 1024 * 1024;  // a list of as many contexts as there may be

  explicit Client(InstanceRecord instance, milliseconds timeout = kTimeout, std::size_t most_body = kMostBody)
      : instance_(std::move(instance)), timeout_(timeout), most_body_(most_body) {}
  const InstanceRecord& instance() const { return instance_; }

  // Errors: the instance cannot be reached or does not speak the API.
  Task<Result<Answer>> ask(std::string method, std::string path, std::optional<boost::json::value> body = std::nullopt) const;
  // The same, blocking. Not while a loop runs on this thread.
  Result<Answer> call(std::string method, std::string path, std::optional<boost::json::value> body = std::nullopt) const;
  // GET of what may be long, blocking: `take` gets the pieces of a 200's body, and says whether it wants more. The time is for
  // each piece. An answer that is none is returned with its body.
  Result<Answer> fetch(std::string path, std::function<bool(std::string_view)> take) const;

 private:
  Task<void> fetch_into(std::string path, std::function<bool(std::string_view)> take, Result<Answer>& out) const;

  InstanceRecord instance_;
  milliseconds timeout_;
  std::size_t most_body_;
};

// An open GET /v1/events, or /v1/exchanges/stream. Runs on the loop on which it was made.
class EventStream {
 public:
  explicit EventStream(const InstanceRecord& instance);
  ~EventStream();
  // `path` with its query. Once it returns, what happens is seen.
  Task<Result<void>> open(std::string path);
  // Errc::timeout when none came in time: the stream is over then.
  Task<Result<ServerEvent>> next(milliseconds timeout);
  // What waits fails.
  void close();

 private:
  struct Connection;
  const InstanceRecord& instance_;
  std::unique_ptr<Connection> connection_;
  SseParser parser_;
};

}  // namespace cmux::admin
