// The admin API: JSON over HTTP/1.1 on a port or socket of its own (docs/openapi.yaml). Runs on the main thread's loop.
#pragma once

#include <boost/json/fwd.hpp>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "admin/events.hpp"
#include "admin/exchanges.hpp"
#include "admin/inspector_sessions.hpp"
#include "admin/reply.hpp"
#include "base/log.hpp"
#include "base/time_text.hpp"
#include "policy/context.hpp"

namespace cmux::admin {

// Why a raw tunnel of a context could not be; the last one counts.
struct TunnelFailure {
  std::chrono::system_clock::time_point at;
  std::string target, error, detail;
};
boost::json::object failure_to_json(const TunnelFailure& failure);
// What goes on with the ports of a context that are forwarded as they appear in its workspace.
struct AutoForward {
  std::vector<std::uint16_t> listening;  // there
  std::vector<std::uint16_t> forwarded;  // ... and here, under the same numbers
  std::vector<std::uint16_t> taken;      // those that will be, once their numbers are free here
  std::string error;                     // why nothing new is known; empty: it is
  bool operator==(const AutoForward&) const = default;
};
boost::json::object auto_forward_to_json(const AutoForward& now);
// The data of a "log" event, and a line of GET /v1/logs.
boost::json::object line_to_json(const log::Line& line);

// The running instance as the API sees it. Implemented by app/server; every call is on the main thread.
class Instance {
 public:
  virtual ~Instance() = default;
  virtual policy::ContextStore& contexts() = 0;
  // contexts().create(), with the listeners that the request asks for. An address in use is an error with status 409.
  virtual Result<policy::ContextPtr> create(policy::ContextRequest request) = 0;
  // Returns when every worker knows all changes made to the contexts before the call.
  virtual Task<void> settled() = 0;
  // The same, with what has gone on under these, in their order.
  virtual Task<std::vector<policy::Usage>> usage(std::vector<policy::ContextPtr> contexts) = 0;
  // The keys of `status --json`.
  virtual Task<boost::json::object> status() = 0;
  // In Prometheus' text format.
  virtual Task<std::string> metrics() = 0;
  // Gracefully; returns at once. `limit`: for what is under way, else drain_timeout(); of a stop that has begun, it is the new
  // one.
  virtual void shut_down(std::optional<milliseconds> limit) = 0;
  virtual milliseconds drain_timeout() const = 0;
  virtual const std::string& proxy_address() const = 0;  // "127.0.0.1:39385"
  virtual const std::vector<std::string>& more_domains() const = 0;
  virtual const TunnelFailure* tunnel_failure(const std::string& context) const = 0;  // null: none has failed
  // Which ports listen in its workspace: its far end is asked.
  virtual Task<Result<std::vector<std::uint16_t>>> ports(policy::ContextPtr context) = 0;
  virtual const AutoForward* auto_forward(const std::string& context) const = 0;  // null: none are forwarded by themselves
  // Returns when those that listen as the context is made are forwarded, or cannot be.
  virtual Task<void> forwarded(const std::string& context) = 0;
  // Somebody listens to events, or nobody any more: workers measure, and lines of the log are told, only for listeners.
  virtual void set_observed(bool observed) = 0;
  virtual Exchanges& exchanges() = 0;
  // Where the inspector's page is read from; empty: out of the program.
  virtual const std::string& inspector_folder() const = 0;
};

class Api final : public http::Handler {
 public:
  // `host`: what Host may say besides localhost's names with the same port, such as "127.0.0.1:40001"; empty on a Unix socket,
  // which no web page can reach: there any does.
  Api(Instance& instance, std::string token, std::string host);

  Task<void> serve(http::Stream& stream) override;
  void publish(const EventRecord& event) { events_.publish(event); }
  // Ends the event streams, for a stop.
  void close_events();

  // All there is, as "GET /v1/contexts/{id}"; a test holds docs/openapi.yaml against it.
  static std::vector<std::string> operations();
  // The types that events have; held against docs/openapi.yaml too.
  static const std::vector<std::string_view>& event_types();

 private:
  struct Operation;
  struct Call;
  class ExchangeStream;
  class Room;
  enum class Access : std::uint8_t { token, page, open };
  static std::vector<Operation> const& table();
  static std::vector<const Operation*> find(Call& call, std::string_view path);

  std::optional<Reply> check_host(const http::Head& request) const;
  std::optional<Reply> check_origin(const http::Head& request, Access access) const;
  std::optional<Reply> check_token(const http::Head& request, Access access) const;
  bool has_session(const http::Head& request) const;
  std::string cookie_name() const;
  Task<Reply> answer(Call& call);
  Task<Reply> run(const Operation& operation, Call& call);

  Task<Reply> health(Call& call);
  Task<Reply> status(Call& call);
  Task<Reply> metrics(Call& call);
  Task<Reply> shut_down(Call& call);
  Task<Reply> events(Call& call);
  Task<Reply> logs(Call& call);
  // A context as it is now; of one that was just made or changed with what may surprise about it.
  Task<Reply> tell(std::uint16_t status, policy::ContextPtr context, bool secrets, bool with_warnings);
  Task<Reply> inspector(Call& call);
  Task<Reply> to_inspector(Call& call);
  Task<Reply> make_key(Call& call);
  Task<Reply> open_session(Call& call);
  Task<Reply> list_exchanges(Call& call);
  Task<Reply> forget_exchanges(Call& call);
  Task<Reply> stream_exchanges(Call& call);
  Task<Reply> show_exchange(Call& call);
  Task<Reply> reveal_exchange(Call& call);
  Task<Reply> show_body(Call& call);
  Task<Reply> list_messages(Call& call);
  Task<Reply> replay(Call& call);
  Task<Reply> show_capture(Call& call);
  Task<Reply> set_capture(Call& call);
  Task<Reply> har(Call& call);
  Task<Reply> series(Call& call);
  Task<Reply> list_contexts(Call& call);
  Task<Reply> create_context(Call& call);
  Task<Reply> release_contexts(Call& call);
  Task<Reply> show_context(Call& call);
  Task<Reply> show_ports(Call& call);
  Task<Reply> change_context(Call& call);
  Task<Reply> release_context(Call& call);

  Instance& instance_;
  std::string token_, host_;
  std::uint16_t port_ = 0;
  EventHub events_;
  InspectorSessions sessions_;
  std::set<ExchangeStream*> exchange_streams_;
  std::size_t answering_ = 0;  // bytes, of large answers that are on their way
};

// A context with the contract's keys. `secrets`: with the password and the route's header values, as only its creator sees them.
boost::json::object context_to_json(const policy::Context& context, const std::string& proxy_address, bool secrets,
                                    const policy::Usage& usage, const TunnelFailure* failure = nullptr,
                                    const AutoForward* auto_forward = nullptr);

}  // namespace cmux::admin
