#include "admin/api.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <boost/url.hpp>

#include "admin/api_call.hpp"
#include "base/log.hpp"
#include "net/address.hpp"
#include "policy/credentials.hpp"

namespace cmux::admin {
namespace {

namespace json = boost::json;

bool is_json(std::string_view content_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.remove_suffix(1);
  return http::equal_ignoring_case(type, "application/json") ||
         (type.size() > 5 && http::equal_ignoring_case(type.substr(type.size() - 5), "+json"));
}

Reply body_too_large(std::size_t most) { return problem(413, fmt::format("the body is larger than {} bytes", most)); }

// The whole body, or the answer that refuses it.
Task<std::variant<std::string, Reply>> read_text(const http::Head& head, http::Stream& stream, std::size_t most) {
  std::string text;
  if (head.content_length.value_or(0) > most) co_return body_too_large(most);
  while (true) {
    auto piece = co_await stream.read_body();
    if (!piece) co_return problem(piece.error().status != 0 ? piece.error().status : 400, "the body did not arrive whole");
    if (text.size() + piece->bytes.size() > most) co_return body_too_large(most);
    text += piece->bytes;
    if (piece->end) co_return std::move(text);
  }
}

// The parameters of a query, each once and each a known one.
std::optional<Reply> read_query(std::string_view target, const std::vector<std::string_view>& known,
                                std::map<std::string, std::string>& query) {
  const auto parsed = boost::urls::parse_origin_form({target.data(), target.size()});
  if (!parsed) return problem(400, "the query is not well-formed");
  for (const auto parameter : parsed->params()) {
    const std::string name(parameter.key.data(), parameter.key.size());
    if (std::find(known.begin(), known.end(), name) == known.end())
      return problem(400,
                     fmt::format("the query parameter {} is not known here; allowed are: {}", quoted(name),
                                 known.empty() ? std::string("none") : fmt::format("{}", fmt::join(known, ", "))),
                     std::string_view(name).substr(0, 60));
    if (!query.emplace(name, std::string(parameter.value.data(), parameter.value.size())).second)
      return problem(400, fmt::format("{} is given twice", name), name);
  }
  return std::nullopt;
}

}  // namespace

Api::Api(Instance& instance, std::string token, std::string host)
    : instance_(instance),
      token_(std::move(token)),
      host_(std::move(host)),
      events_([this](bool observed) { instance_.set_observed(observed); }) {
  if (const auto own = net::parse_authority(host_)) port_ = own->port.value_or(80);
}

const std::vector<Api::Operation>& Api::table() {
  constexpr Access kPage = Access::page, kOpen = Access::open;
  static const std::vector<Operation> operations = {
      {"GET", "/healthz", &Api::health, {}, false, kOpen},
      {"GET", "/metrics", &Api::metrics, {}, false, kPage},
      {"GET", "/v1/status", &Api::status, {}, false, kPage},
      {"GET", "/v1/events", &Api::events, {"context", "type"}},
      {"GET", "/v1/logs", &Api::logs, {"after"}},
      {"POST", "/v1/shutdown", &Api::shut_down, {}, true},
      {"GET", "/v1/contexts", &Api::list_contexts, {}, false, kPage},
      {"POST", "/v1/contexts", &Api::create_context, {}, true},
      {"DELETE", "/v1/contexts", &Api::release_contexts, {"webContentsId", "all"}},
      {"GET", "/v1/contexts/{id}", &Api::show_context, {"secrets"}},
      {"GET", "/v1/contexts/{id}/ports", &Api::show_ports},
      {"PATCH", "/v1/contexts/{id}", &Api::change_context, {}, true},
      {"DELETE", "/v1/contexts/{id}", &Api::release_context},
      {"GET", "/inspector", &Api::to_inspector, {}, false, kOpen},
      {"GET", "/inspector/", &Api::inspector, {}, false, kOpen},
      {"GET", "/inspector/{path}", &Api::inspector, {}, false, kOpen},
      {"POST", "/inspector/session", &Api::open_session, {}, true, kOpen},
      {"POST", "/v1/inspector/keys", &Api::make_key},
      {"GET", "/v1/exchanges", &Api::list_exchanges, {"after", "limit", "context"}, false, kPage},
      {"DELETE", "/v1/exchanges", &Api::forget_exchanges, {}, false, kPage},
      {"GET", "/v1/exchanges/stream", &Api::stream_exchanges, {"after"}, false, kPage},
      {"GET", "/v1/exchanges/{id}", &Api::show_exchange, {}, false, kPage},
      {"GET", "/v1/exchanges/{id}/body", &Api::show_body, {"side", "decoded"}, false, kPage},
      {"GET", "/v1/exchanges/{id}/messages", &Api::list_messages, {"after", "limit"}, false, kPage},
      {"POST", "/v1/exchanges/{id}/reveal", &Api::reveal_exchange, {}, false, kPage},
      {"POST", "/v1/exchanges/{id}/replay", &Api::replay, {}, true, kPage, Operation::kMostReplayed},
      {"GET", "/v1/capture", &Api::show_capture, {}, false, kPage},
      {"PUT", "/v1/capture", &Api::set_capture, {}, true, kPage},
      {"GET", "/v1/har", &Api::har, {"ids", "context"}, false, kPage},
      {"GET", "/v1/series", &Api::series, {}, false, kPage},
  };
  return operations;
}

std::vector<std::string> Api::operations() {
  std::vector<std::string> out;
  for (const Operation& operation : table()) out.push_back(fmt::format("{} {}", operation.method, operation.path));
  return out;
}

// Whatever can be done with that path. One that stands in the table goes before one that only fits; {path} may have slashes.
std::vector<const Api::Operation*> Api::find(Call& call, std::string_view path) {
  std::vector<const Operation*> exact, fitting;
  for (const Operation& operation : table()) {
    if (operation.path == path) exact.push_back(&operation);
    const std::size_t place = operation.path.find('{');
    if (place == std::string_view::npos) continue;
    const std::size_t close = operation.path.find('}');
    const std::string_view name = operation.path.substr(place + 1, close - place - 1), end = operation.path.substr(close + 1);
    if (!path.starts_with(operation.path.substr(0, place)) || !path.ends_with(end) || path.size() <= place + end.size()) continue;
    const std::string_view given = path.substr(place, path.size() - place - end.size());
    if (name != "path" && given.find('/') != std::string_view::npos) continue;
    call.id = given;
    fitting.push_back(&operation);
  }
  return exact.empty() ? fitting : exact;
}

// Against web pages (DNS rebinding).
std::optional<Reply> Api::check_host(const http::Head& request) const {
  if (host_.empty() || http::equal_ignoring_case(request.authority, host_)) return std::nullopt;
  const auto given = net::parse_authority(request.authority);
  if (given && given->port.value_or(80) == port_ &&
      (given->host == "localhost" || given->host == "127.0.0.1" || given->host == "::1"))
    return std::nullopt;
  return problem(421, fmt::format("this is {}: Host must say so, or localhost with that port", host_), "Host");
}

// Cross-site requests: no page has business here but the inspector's own.
std::optional<Reply> Api::check_origin(const http::Head& request, Access access) const {
  const auto origin = request.fields.get(http::Name::origin);
  // It comes with a cookie; the token is for programs, which are no pages.
  const bool own = access != Access::token && origin && !request.fields.get("Authorization") &&
                   http::equal_ignoring_case(*origin, "http://" + request.authority);
  if (origin && !own) return problem(403, "requests from web pages (with an Origin) are refused", "Origin");
  // What is open to everybody holds nothing, and a link may lead to it.
  const std::string_view site = request.fields.get("Sec-Fetch-Site").value_or("none");
  const bool read = request.method == "GET" || request.method == "HEAD";
  if (access == Access::open && read) return std::nullopt;
  if (site != "none" && site != "same-origin")
    return problem(403, "requests that come from other web pages are refused", "Sec-Fetch-Site");
  return std::nullopt;
}

std::optional<Reply> Api::check_token(const http::Head& request, Access access) const {
  constexpr std::string_view kScheme = "Bearer ";
  std::string_view given = request.fields.get("Authorization").value_or("");
  const bool bearer = given.size() > kScheme.size() && http::equal_ignoring_case(given.substr(0, kScheme.size()), kScheme);
  if (bearer) {
    given.remove_prefix(kScheme.size());
    while (!given.empty() && given.front() == ' ') given.remove_prefix(1);
    if (!token_.empty() && policy::equal_secrets(given, token_)) return std::nullopt;
  }
  if (access == Access::page && has_session(request)) return std::nullopt;
  Reply refused = problem(401, bearer                   ? "the token is not this instance's"
                               : access == Access::page ? "the instance file's token is needed, as Authorization: Bearer, or the "
                                                          "inspector's cookie: run cmuxproxy inspect again"
                                                        : "the instance file's token is needed, as Authorization: Bearer");
  refused.fields.emplace_back("WWW-Authenticate", "Bearer");
  return refused;
}

Task<void> Api::serve(http::Stream& stream) {
  auto head = co_await stream.read_head();
  if (!head && head.error().status == 0) co_return;  // the connection is over
  if (!head) {
    const Reply malformed = problem(head.error().status, head.error().detail);
    co_await send(stream, malformed);
    co_return;
  }
  Call call{**head, stream, {}, {}, {}};
  Reply reply = co_await answer(call);
  if (reply.status == 0) co_return;
  const Room room(*this, reply.body.size());
  if (!room.given()) reply = too_much("too many large answers are on their way");
  co_await send(stream, reply);
}

Task<Reply> Api::answer(Call& call) {
  if (auto refused = check_host(call.head)) co_return std::move(*refused);
  const std::string_view target = call.head.path;
  const std::string_view path = target.substr(0, target.find('?'));
  const auto candidates = find(call, path);
  // HEAD is GET without the body (RFC 9110 section 9.3.2), which the connection leaves out; not of a stream that never ends.
  const bool endless = path == "/v1/events" || path == "/v1/exchanges/stream";
  const std::string_view method = call.head.method == "HEAD" && !endless ? "GET" : std::string_view(call.head.method);
  const auto chosen =
      std::find_if(candidates.begin(), candidates.end(), [&](const Operation* each) { return each->method == method; });
  const Access access = chosen == candidates.end() ? Access::token : (*chosen)->access;
  if (auto refused = check_origin(call.head, access)) co_return std::move(*refused);
  if (access != Access::open)
    if (auto refused = check_token(call.head, access)) co_return std::move(*refused);
  if (candidates.empty()) co_return problem(404, fmt::format("there is no {}", quoted(path)));
  if (chosen == candidates.end()) {
    std::vector<std::string_view> allowed;
    for (const Operation* each : candidates) allowed.push_back(each->method);
    const std::string list = fmt::format("{}", fmt::join(allowed, ", "));
    Reply refused = problem(405, fmt::format("allowed here: {}", list));
    refused.fields.emplace_back("Allow", list);
    co_return refused;
  }
  if (auto refused = read_query(target, (*chosen)->parameters, call.query)) co_return std::move(*refused);
  co_return co_await run(**chosen, call);
}

Task<Reply> Api::run(const Operation& operation, Call& call) {
  if (operation.takes_body && call.head.end) call.body = json::object();
  if (operation.takes_body && !call.head.end) {
    if (!is_json(call.head.fields.get(http::Name::content_type).value_or("")))
      co_return problem(415, "the body must be JSON, with Content-Type: application/json", "Content-Type");
    auto text = co_await read_text(call.head, call.stream, operation.most_body);
    if (auto* const refused = std::get_if<Reply>(&text)) co_return std::move(*refused);
    json::error_code failed;
    call.body = json::parse(std::get<0>(text), failed);
    if (failed) co_return problem(400, fmt::format("the body is not JSON: {}", failed.message()));
  }
  co_return co_await (this->*operation.handle)(call);
}

Task<Reply> Api::health(Call&) {
  json::object document;
  document["status"] = "ok";
  co_return json_reply(200, document);
}

Task<Reply> Api::status(Call&) {
  const json::object document = co_await instance_.status();
  co_return json_reply(200, document);
}

Task<Reply> Api::metrics(Call&) {
  Reply reply;
  reply.type = "text/plain; version=0.0.4; charset=utf-8";
  reply.body = co_await instance_.metrics();
  co_return reply;
}

namespace {

constexpr double kLongestDrain = 365.0 * 24 * 3600;  // as of the setting

// How long a stop may take at the most, where the body says so.
std::variant<std::optional<milliseconds>, Reply> read_stop(const json::value& body) {
  const json::object* const members = body.if_object();
  if (!members) return problem(400, "the body must be a JSON object");
  std::optional<milliseconds> limit;
  for (const json::key_value_pair& member : *members) {
    const std::string_view key(member.key().data(), member.key().size());
    if (key != "now" && key != "timeoutSeconds")
      return problem(400, fmt::format("{} is not known here; allowed are: now, timeoutSeconds", quoted(key)), key.substr(0, 60));
    if (member.value().is_null()) continue;
    if (key == "now" && !member.value().is_bool()) return problem(400, "now: must be true or false", "now");
    if (key == "now" && !member.value().get_bool()) continue;
    if (limit) return problem(400, "either now or timeoutSeconds", key);
    if (key == "now") {
      limit = milliseconds(0);
      continue;
    }
    json::error_code failed;
    const double seconds = member.value().to_number<double>(failed);
    if (failed || !(seconds >= 0) || seconds > kLongestDrain)
      return problem(400, "timeoutSeconds: must be a number from 0, a year at the most", "timeoutSeconds");
    limit = milliseconds(static_cast<std::int64_t>(seconds * 1000));
  }
  return limit;
}

}  // namespace

Task<Reply> Api::shut_down(Call& call) {
  auto asked = read_stop(call.body);
  if (auto* const wrong = std::get_if<Reply>(&asked)) co_return std::move(*wrong);
  const std::optional<milliseconds> limit = std::get<0>(asked);
  json::object document;
  document["status"] = "stopping";
  document["timeoutSeconds"] = static_cast<double>(limit.value_or(instance_.drain_timeout()).count()) / 1000;
  const Reply reply = json_reply(202, document);
  call.stream.close_after();
  co_await send(call.stream, reply);  // before the connection may be closed
  instance_.shut_down(limit);
  co_return already_answered();
}

const std::vector<std::string_view>& Api::event_types() {
  static const std::vector<std::string_view> types{
      "request", "context.created", "context.released", "context.rerouted", "context.ports", "context.tunnel-failed", "log"};
  return types;
}

json::object line_to_json(const log::Line& line) {
  const std::string_view level = log::name_of(line.level);
  return {{"number", line.number},
          {"time", rfc3339(line.at)},
          {"level", json::string_view(level.data(), level.size())},
          {"message", line.message}};
}

Task<Reply> Api::logs(Call& call) {
  std::uint64_t after = 0;
  if (const std::string* const given = call.parameter("after"))
    if (!read_number(*given, after)) co_return problem(400, "after: must be a whole number", "after");
  json::object document;
  json::array& lines = document["lines"].emplace_array();
  for (const log::Line& line : log::kept(after)) lines.emplace_back(line_to_json(line));
  co_return json_reply(200, document);
}

Task<Reply> Api::events(Call& call) {
  EventFilter filter;
  if (const std::string* const type = call.parameter("type")) {
    const auto& types = event_types();
    if (*type != "context" && std::find(types.begin(), types.end(), *type) == types.end())
      co_return problem(400, fmt::format("type: allowed are context, {}", fmt::join(types, ", ")), "type");
    filter.type = *type;
  }
  if (const std::string* const context = call.parameter("context")) {
    if (!instance_.contexts().find(*context)) co_return problem(404, "there is no such context", "context");
    filter.context = *context;
  }
  if (events_.is_full()) co_return problem(503, fmt::format("{} clients listen already", EventHub::kMostSubscribers));
  EventSubscription subscription(events_, std::move(filter), call.stream);
  co_await instance_.settled();  // the workers know that somebody listens: nothing is missed from the answer on
  co_await subscription.run();
  co_return already_answered();
}

}  // namespace cmux::admin
