// The admin API's operations on exchanges: what the inspector shows and does.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "admin/exchange_stream.hpp"
#include "base/log.hpp"
#include "inspect/decode.hpp"
#include "inspect/view.hpp"
#include "tls/digest.hpp"

namespace cmux::admin {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostListed = 1'000;              // of exchanges or messages, in an answer
constexpr std::size_t kMostDecoded = 16 * 1024 * 1024;  // bytes of a body that is shown
constexpr std::size_t kHarRoom = 8 * 1024 * 1024;       // ... that one exchange takes of memory, about, as HAR

Reply no_such_exchange() { return problem(404, "there is no such exchange, or it is not kept any more"); }

// False: it is given and is no number.
bool number_parameter(const std::string* given, std::uint64_t& number) { return !given || read_number(*given, number); }

std::string given_or_empty(const std::string* given) { return given ? *given : std::string(); }

Reply bad_number(std::string_view name) { return problem(400, fmt::format("{}: must be a whole number", name), name); }

std::string_view text_of(const json::value& value) { return {value.get_string().data(), value.get_string().size()}; }

// The edit of a request, or what is wrong with it.
std::variant<inspect::Edit, Reply> read_edit(const json::value& body) {
  const json::object* const members = body.if_object();
  if (!members) return problem(400, "the body must be a JSON object");
  inspect::Edit edit;
  for (const json::key_value_pair& member : *members) {
    const std::string_view key(member.key().data(), member.key().size());
    const json::value& value = member.value();
    if (key == "fields") {
      const json::array* const list = value.if_array();
      if (!list) return problem(400, "fields: must be an array of [name, value]", "fields");
      auto& fields = edit.fields.emplace();
      for (const json::value& each : *list) {
        const json::array* const pair = each.if_array();
        if (!pair || pair->size() < 2 || !pair->at(0).is_string() || !pair->at(1).is_string())
          return problem(400, "fields: must be an array of [name, value]", "fields");
        fields.emplace_back(text_of(pair->at(0)), text_of(pair->at(1)));
      }
      continue;
    }
    std::optional<std::string>* const to = key == "method" ? &edit.method
                                           : key == "url"  ? &edit.url
                                           : key == "body" ? &edit.body
                                                           : nullptr;
    if (!to)
      return problem(400, fmt::format("{} is not known here; allowed are: method, url, fields, body", quoted(key)),
                     key.substr(0, 60));
    if (!value.is_string()) return problem(400, fmt::format("{}: must be a string", key), key);
    *to = text_of(value);
  }
  if (!edit.body) return edit;
  auto bytes = tls::from_base64(*edit.body);
  if (!bytes) return problem(400, "body: must be base64", "body");
  edit.body = std::move(*bytes);
  return edit;
}

std::vector<std::uint64_t> read_ids(std::string_view list) {
  std::vector<std::uint64_t> out;
  http::for_each_token(list, [&](std::string_view id) { out.push_back(inspect::number_of(id).value_or(0)); });
  return out;
}

}  // namespace

void Api::close_events() {
  events_.close();
  for (ExchangeStream* const stream : exchange_streams_) stream->close();
}

Task<Reply> Api::list_exchanges(Call& call) {
  std::uint64_t after = 0, limit = kMostListed;
  if (!number_parameter(call.parameter("after"), after)) co_return bad_number("after");
  if (!number_parameter(call.parameter("limit"), limit)) co_return bad_number("limit");
  std::string context = given_or_empty(call.parameter("context"));
  const std::size_t most = std::clamp<std::size_t>(limit, 1, kMostListed);
  const Changes changes = co_await instance_.exchanges().changes(after, most, std::move(context));
  json::object capture = co_await instance_.exchanges().capture();
  json::object document;
  document["capture"] = std::move(capture);
  json::array& list = document["exchanges"].emplace_array();
  for (const inspect::Changed& one : changes.list) list.push_back(inspect::summary(one.record));
  document["first"] = changes.first;
  document["next"] = changes.next;
  document["lost"] = changes.lost;
  co_return json_reply(200, document);
}

Task<Reply> Api::forget_exchanges(Call&) {
  co_await instance_.exchanges().clear();
  Reply reply;
  reply.status = 204;
  co_return reply;
}

Task<Reply> Api::stream_exchanges(Call& call) {
  std::uint64_t after = 0;
  if (!number_parameter(call.parameter("after"), after)) co_return bad_number("after");
  if (exchange_streams_.size() >= ExchangeStream::kMost)
    co_return problem(503, fmt::format("{} clients listen already", ExchangeStream::kMost));
  ExchangeStream stream(*this, call.stream, after);
  co_await stream.run();
  co_return already_answered();
}

Task<Reply> Api::show_exchange(Call& call) {
  const inspect::CapturePtr found = co_await instance_.exchanges().find(inspect::number_of(call.id).value_or(0));
  if (!found) co_return no_such_exchange();
  const json::object document = inspect::details(*found, false);
  co_return json_reply(200, document);
}

Task<Reply> Api::reveal_exchange(Call& call) {
  const inspect::CapturePtr found = co_await instance_.exchanges().find(inspect::number_of(call.id).value_or(0));
  if (!found) co_return no_such_exchange();
  log::info("the secrets of exchange {} were shown, as its reader asked", inspect::id_of(found->number));
  const json::object document = inspect::details(*found, true);
  co_return json_reply(200, document);
}

Task<Reply> Api::show_body(Call& call) {
  const std::string* const side = call.parameter("side");
  if (!side || (*side != "request" && *side != "response")) co_return problem(400, "side: must be request or response", "side");
  const std::string* const decoded = call.parameter("decoded");
  if (decoded && *decoded != "0" && *decoded != "1") co_return problem(400, "decoded: must be 0 or 1", "decoded");
  const inspect::CapturePtr found = co_await instance_.exchanges().find(inspect::number_of(call.id).value_or(0));
  if (!found) co_return no_such_exchange();
  const bool request = *side == "request";
  const inspect::Kept& kept = request ? found->request : found->response;
  Reply reply;
  reply.type = "application/octet-stream";
  bool cut = kept.bytes.size() < kept.size;
  if (decoded && *decoded == "1") {
    const auto which = request ? inspect::Heads::request_received : inspect::Heads::response_received;
    const http::Head head = found->heads.has(which) ? found->heads.head(which) : http::Head();
    const std::string_view codings = head.fields.get("Content-Encoding").value_or("");
    auto plain = inspect::decode(codings, kept.bytes, kMostDecoded);
    if (!plain)
      co_return problem(415, fmt::format("Content-Encoding {} is not known here, or the body is not in it", quoted(codings)));
    reply.body = std::move(plain->bytes);
    cut = cut || plain->cut;
  } else {
    reply.body = kept.bytes;
  }
  reply.fields.emplace_back("Content-Disposition",
                            fmt::format("attachment; filename=\"{}-{}.bin\"", inspect::id_of(found->number), *side));
  reply.fields.emplace_back("X-Content-Type-Options", "nosniff");
  if (cut) reply.fields.emplace_back("X-Cut", "true");
  co_return reply;
}

Task<Reply> Api::list_messages(Call& call) {
  std::uint64_t after = 0, limit = kMostListed;
  if (!number_parameter(call.parameter("after"), after)) co_return bad_number("after");
  if (!number_parameter(call.parameter("limit"), limit)) co_return bad_number("limit");
  const inspect::CapturePtr found = co_await instance_.exchanges().find(inspect::number_of(call.id).value_or(0));
  if (!found) co_return no_such_exchange();
  const json::object document = inspect::messages(*found, after, std::clamp<std::size_t>(limit, 1, kMostListed));
  co_return json_reply(200, document);
}

Task<Reply> Api::replay(Call& call) {
  auto edit = read_edit(call.body);
  if (auto* const wrong = std::get_if<Reply>(&edit)) co_return std::move(*wrong);
  const inspect::CapturePtr found = co_await instance_.exchanges().find(inspect::number_of(call.id).value_or(0));
  if (!found) co_return no_such_exchange();
  auto request = inspect::replay_of(*found, std::get<0>(edit));
  if (!request) co_return problem(request.error().status, request.error().detail);
  const auto begun = co_await instance_.exchanges().replay(*request);
  if (!begun && begun.error().code == Errc::limit) co_return too_much(begun.error().detail);
  if (!begun) co_return problem(begun.error().status != 0 ? begun.error().status : 500, begun.error().detail);
  json::object document;
  document["id"] = inspect::id_of(*begun);
  co_return json_reply(202, document);
}

Task<Reply> Api::show_capture(Call&) {
  const json::object document = co_await instance_.exchanges().capture();
  co_return json_reply(200, document);
}

Task<Reply> Api::set_capture(Call& call) {
  static constexpr std::pair<std::string_view, std::optional<inspect::Level>> kModes[] = {{"auto", std::nullopt},
                                                                                          {"off", inspect::Level::nothing},
                                                                                          {"heads", inspect::Level::heads},
                                                                                          {"bodies", inspect::Level::bodies}};
  const json::object* const members = call.body.if_object();
  const json::value* const mode = members ? members->if_contains("mode") : nullptr;
  const auto* const found =
      !mode || !mode->is_string() || members->size() != 1
          ? std::end(kModes)
          : std::find_if(std::begin(kModes), std::end(kModes), [&](const auto& each) { return each.first == text_of(*mode); });
  if (found == std::end(kModes)) co_return problem(400, "mode: must be auto, off, heads or bodies, and nothing else", "mode");
  instance_.exchanges().set_capture(found->second);
  co_await instance_.settled();
  const json::object document = co_await instance_.exchanges().capture();
  co_return json_reply(200, document);
}

// One after the other, so that however much is kept, little of it is in memory twice.
Task<Reply> Api::har(Call& call) {
  const Room room(*this, kHarRoom);
  if (!room.given()) co_return too_much("too many large answers are on their way");
  const std::string* const ids = call.parameter("ids");
  const std::string context = given_or_empty(call.parameter("context"));
  std::vector<std::uint64_t> numbers;
  if (ids) numbers = read_ids(*ids);
  else numbers = co_await instance_.exchanges().numbers(context);
  http::Head head;
  head.status = 200;
  head.fields.add(http::Name::content_type, "application/json");
  head.fields.add("Content-Disposition", "attachment; filename=\"cmuxproxy.har\"");
  head.fields.add("Cache-Control", "no-store");
  head.fields.add("X-Content-Type-Options", "nosniff");
  head.end = call.head.method == "HEAD";
  auto written = co_await call.stream.write_head(head, head.end ? http::Next::end : http::Next::soon);
  if (head.end) co_return already_answered();
  std::string text = inspect::har_begin(CMUXPROXY_VERSION);
  bool first = true;
  for (const std::uint64_t number : numbers) {
    if (!written) co_return already_answered();
    const inspect::CapturePtr found = co_await instance_.exchanges().find(number);
    if (!found || (!context.empty() && found->context != context)) continue;  // it has gone meanwhile
    if (!std::exchange(first, false)) text += ",\n";
    text += json::serialize(inspect::har_entry(*found));
    written = co_await call.stream.write_body(text, http::Next::later);
    text.clear();
  }
  text += inspect::kHarEnd;
  if (written) co_await call.stream.write_body(text, http::Next::end);
  co_return already_answered();
}

Task<Reply> Api::series(Call&) {
  const json::object document = instance_.exchanges().series();
  co_return json_reply(200, document);
}

}  // namespace cmux::admin
