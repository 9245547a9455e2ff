// HAR 1.2, as browsers write and read it. Times are milliseconds there, -1 where there was no such phase.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "base/time_text.hpp"
#include "http1/semantics.hpp"
#include "inspect/conversation.hpp"
#include "inspect/decode.hpp"
#include "inspect/redact.hpp"
#include "inspect/split.hpp"
#include "inspect/view.hpp"
#include "tls/digest.hpp"

namespace cmux::inspect {
namespace {

namespace json = boost::json;

double in_ms(std::chrono::microseconds time) { return static_cast<double>(time.count()) / 1000; }

json::object pair_of(std::string_view name, std::string_view value) { return {{"name", utf8(name)}, {"value", utf8(value)}}; }

std::string version_of(const http::Head& head) {
  return head.version == 20 ? "HTTP/2" : head.version == 10 ? "HTTP/1.0" : "HTTP/1.1";
}

json::array headers_of(const http::Head& head) {
  json::array out;
  for (const auto field : head.fields) out.push_back(pair_of(field.name, redacted(field)));
  return out;
}

// Both kinds of lines: names and hidden values.
json::array cookies_of(const http::Head& head, http::Name kind) {
  json::array out;
  for (const auto field : head.fields) {
    if (field.known != kind) continue;
    std::string_view rest = field.value;
    for (bool more = true; more;) {
      std::string_view pair = take_part(rest, ';', more);
      while (pair.starts_with(' ')) pair.remove_prefix(1);
      const std::size_t equals = pair.find('=');
      if (equals != std::string_view::npos) out.push_back(pair_of(pair.substr(0, equals), kHidden));
      if (kind == http::Name::set_cookie) break;  // attributes follow
    }
  }
  return out;
}

json::array query_of(std::string_view url) {
  json::array out;
  const std::string shown = redacted_url(url);
  std::string_view rest = shown;
  bool more = false;
  std::string_view query = take_part(rest, '#', more);
  take_part(query, '?', more);
  while (more) {
    const std::string_view pair = take_part(query, '&', more);
    const std::size_t equals = pair.find('=');
    out.push_back(pair_of(pair.substr(0, equals), equals == std::string_view::npos ? "" : pair.substr(equals + 1)));
  }
  return out;
}

bool is_text(std::string_view type) {
  for (const std::string_view part : {"text/", "json", "javascript", "xml", "x-www-form-urlencoded", "graphql"})
    if (type.find(part) != std::string_view::npos) return true;
  return false;
}

std::string type_of(const http::Head& head) { return utf8(head.fields.get(http::Name::content_type).value_or("")); }

json::object request_of(const Capture& capture) {
  http::Head head;
  if (capture.heads.has(Heads::request_received)) head = capture.heads.shown(Heads::request_received);
  json::object out;
  out["method"] = capture.method;
  out["url"] = capture.url + capture.query;
  out["httpVersion"] = version_of(head);
  out["cookies"] = cookies_of(head, http::Name::cookie);
  out["headers"] = headers_of(head);
  out["queryString"] = query_of(head.path);
  out["headersSize"] = -1;
  out["bodySize"] = capture.request.size;
  if (capture.request.size == 0) return out;
  json::object& data = out["postData"].emplace_object();
  data["mimeType"] = type_of(head);
  data["params"] = json::array();
  const std::string type = type_of(head);
  const bool text = is_text(type) || utf8(capture.request.bytes) == capture.request.bytes;
  data["text"] = text ? utf8(capture.request.bytes) : tls::base64(capture.request.bytes);
  if (!text) data["_encoding"] = "base64";
  if (!capture.request.whole()) data["comment"] = fmt::format("the first {} bytes", capture.request.bytes.size());
  return out;
}

json::object response_of(const Capture& capture) {
  http::Head head;
  const auto which = capture.heads.has(Heads::response_sent) ? Heads::response_sent : Heads::response_received;
  if (capture.heads.has(which)) head = capture.heads.shown(which);
  json::object out;
  const std::string_view reason = head.reason.empty() ? http1::reason_of(head.status) : std::string_view(head.reason);
  out["status"] = capture.status;
  out["statusText"] = utf8(reason);
  out["httpVersion"] = version_of(head);
  out["cookies"] = cookies_of(head, http::Name::set_cookie);
  out["headers"] = headers_of(head);
  out["redirectURL"] = redacted_url(utf8(head.fields.get(http::Name::location).value_or("")));
  out["headersSize"] = -1;
  out["bodySize"] = capture.response.size;
  if (!capture.error.empty()) out["_error"] = fmt::format("{}: {}", capture.error, utf8(capture.detail));
  json::object& content = out["content"].emplace_object();
  const std::string type = type_of(head);
  content["mimeType"] = type.empty() ? std::string("x-unknown") : type;
  const std::string_view coding = head.fields.get("Content-Encoding").value_or("");
  const auto decoded = decode(coding, capture.response.bytes, 4 * capture.response.bytes.size() + 1024 * 1024);
  const std::string& bytes = decoded ? decoded->bytes : capture.response.bytes;
  const bool whole = capture.response.whole() && (!decoded || !decoded->cut);
  content["size"] = whole ? bytes.size() : std::max<std::size_t>(bytes.size(), capture.response.size);
  if (bytes.empty()) return out;
  const bool text = decoded && is_text(type) && utf8(bytes) == bytes;
  content["text"] = text ? bytes : tls::base64(bytes);
  if (!text) content["encoding"] = "base64";
  if (!whole) content["comment"] = fmt::format("the first {} bytes", bytes.size());
  return out;
}

json::object timings_of(const Capture& capture) {
  const bool fresh = !capture.reused && capture.connect.count() > 0;
  const double before = fresh ? in_ms(capture.dns + capture.connect + capture.tls) : 0;
  const double first = capture.first_byte.count() > 0 ? in_ms(capture.first_byte) : in_ms(capture.total);
  return {{"blocked", -1},
          {"dns", fresh ? json::value(in_ms(capture.dns)) : json::value(-1)},
          {"connect", fresh ? json::value(in_ms(capture.connect + capture.tls)) : json::value(-1)},  // with ssl, there
          {"ssl", fresh && capture.tls.count() > 0 ? json::value(in_ms(capture.tls)) : json::value(-1)},
          {"send", 0},
          {"wait", std::max(0.0, first - before)},
          {"receive", std::max(0.0, in_ms(capture.total) - first)}};
}

json::array messages_of(const Conversation& conversation) {
  json::array out;
  for (const Message& message : conversation.messages()) {
    const bool text = message.kind == Kind::text && utf8(message.data) == message.data;
    const int opcode = message.kind == Kind::text     ? 1
                       : message.kind == Kind::binary ? 2
                       : message.kind == Kind::close  ? 8
                       : message.kind == Kind::ping   ? 9
                       : message.kind == Kind::pong   ? 10
                                                      : -1;
    const auto since = std::chrono::duration_cast<milliseconds>(message.at.time_since_epoch());
    out.push_back(json::object{{"type", message.from_client ? "send" : "receive"},
                               {"time", static_cast<double>(since.count()) / 1000},
                               {"opcode", opcode},
                               {"data", text ? message.data : tls::base64(message.data)}});
  }
  return out;
}

}  // namespace

json::object har_entry(const Capture& capture) {
  json::object out;
  out["startedDateTime"] = rfc3339(capture.began);
  out["time"] = in_ms(capture.total);
  out["request"] = request_of(capture);
  out["response"] = response_of(capture);
  out["cache"] = json::object();
  out["timings"] = timings_of(capture);
  out["_id"] = id_of(capture.number);
  out["_context"] = capture.context.empty() ? json::value() : json::value(capture.context);
  out["_destination"] = capture.destination.empty() ? json::value() : json::value(capture.destination);
  if (capture.replay_of != 0) out["_replayOf"] = id_of(capture.replay_of);
  if (capture.websocket) out["_resourceType"] = "websocket";
  if (capture.conversation) out["_webSocketMessages"] = messages_of(*capture.conversation);
  return out;
}

std::string har_begin(std::string_view version) {
  return fmt::format(R"({{"log":{{"version":"1.2","creator":{{"name":"cmuxproxy","version":"{}"}},"pages":[],"entries":[)",
                     version);
}

}  // namespace cmux::inspect
