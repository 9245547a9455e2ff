#include "inspect/view.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <charconv>
#include <map>

#include "base/log.hpp"
#include "base/time_text.hpp"
#include "http1/semantics.hpp"
#include "inspect/conversation.hpp"
#include "inspect/redact.hpp"
#include "net/address.hpp"
#include "tls/digest.hpp"

namespace cmux::inspect {
namespace {

namespace json = boost::json;

json::string_view view_of(std::string_view text) { return {text.data(), text.size()}; }

json::value or_null(std::string_view text) { return text.empty() ? json::value() : json::value(view_of(text)); }

std::string_view name_of(State state) { return state == State::open ? "open" : state == State::done ? "done" : "failed"; }

std::string why(const Capture& capture) {
  const std::string& to = capture.destination.empty() ? capture.url : capture.destination;
  switch (capture.way) {
    case Way::none: return "it was refused before it was decided where it goes";
    case Way::loopback: return fmt::format("{} is a loopback address: the context's route sends it to {}", capture.target, to);
    case Way::network:
      return fmt::format("{} is a name of the workspace's network: the context's route sends it to {}", capture.target, to);
    case Way::direct:
      return fmt::format("the context's route has nothing to say about {}: it goes where it says", capture.target);
    case Way::own: return "the proxy answers it itself";
  }
  return {};
}

std::string protocol_of(const http::Head& head) {
  return head.version == 20 ? "HTTP/2" : head.version == 10 ? "HTTP/1.0" : "HTTP/1.1";
}

std::string line_of(const http::Head& head, bool revealed) {
  if (head.status > 0) {
    const std::string_view reason = head.reason.empty() ? http1::reason_of(head.status) : std::string_view(head.reason);
    return fmt::format("{} {}", head.status, reason);
  }
  if (head.is_connect() && !head.is_upgrade())
    return fmt::format("CONNECT {}", revealed ? head.authority : redacted_authority(head.authority));
  return fmt::format("{} {}", head.is_upgrade() ? "GET" : head.method, revealed ? head.path : redacted_url(head.path));
}

// Where the fields of one head stand against those of the other: the third line of a name is compared with the third.
class Comparison {
 public:
  explicit Comparison(const http::Head* other) : present_(other != nullptr) {
    if (other)
      for (const auto field : other->fields) values_[net::to_lower(field.name)].emplace_back(field.value);
  }
  // `missing`: what a field is that the other has not.
  json::value mark(const http::Fields::Field& field, std::string_view missing) {
    if (!present_) return nullptr;
    const std::string name = net::to_lower(field.name);
    const std::size_t place = seen_[name]++;
    const auto found = values_.find(name);
    if (found == values_.end() || place >= found->second.size()) return json::value(view_of(missing));
    return found->second[place] == field.value ? json::value(nullptr) : json::value("changed");
  }

 private:
  const bool present_;
  std::map<std::string, std::vector<std::string>> values_;
  std::map<std::string, std::size_t> seen_;
};

json::value head_json(const std::optional<http::Head>& head, const std::optional<http::Head>& other, std::string_view missing,
                      bool revealed) {
  if (!head) return nullptr;
  json::object out;
  out["protocol"] = protocol_of(*head);
  out["line"] = utf8(line_of(*head, revealed));
  Comparison against(other ? &*other : nullptr);
  json::array& fields = out["fields"].emplace_array();
  for (const auto field : head->fields)
    fields.push_back(json::array{utf8(field.name), revealed ? utf8(field.value) : redacted(field), against.mark(field, missing)});
  return out;
}

json::object body_json(const Kept& kept, const std::optional<http::Head>& head) {
  const auto get = [&](http::Name name, std::string_view text) {
    if (!head) return json::value();
    return or_null(utf8(name == http::Name::other ? head->fields.get(text).value_or("") : head->fields.get(name).value_or("")));
  };
  return {{"size", kept.size},
          {"kept", kept.bytes.size()},
          {"complete", kept.whole()},
          {"type", get(http::Name::content_type, {})},
          {"encoding", get(http::Name::other, "Content-Encoding")},
          {"data", tls::base64(kept.bytes)}};
}

std::optional<http::Head> head_of(const Capture& capture, Heads::Which which) {
  if (!capture.heads.has(which)) return std::nullopt;
  return capture.heads.shown(which);
}

}  // namespace

std::string id_of(std::uint64_t number) { return fmt::format("x-{:x}", number); }

std::optional<std::uint64_t> number_of(std::string_view id) {
  if (!id.starts_with("x-")) return std::nullopt;
  id.remove_prefix(2);
  std::uint64_t number = 0;
  const auto [stop, failed] = std::from_chars(id.data(), id.data() + id.size(), number, 16);
  if (failed != std::errc{} || stop != id.data() + id.size() || number == 0) return std::nullopt;
  return number;
}

std::string_view media_type(std::string_view content_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.remove_suffix(1);
  return type;
}

std::string whole_url(const http::Head& request) {
  if (request.is_connect() && !request.is_upgrade()) return request.authority;
  return fmt::format("{}://{}{}", request.scheme, request.authority, request.path);
}

json::object summary(const Record& record) {
  json::object out;
  out["id"] = id_of(record.number);
  out["seq"] = record.number;
  out["at"] = rfc3339(record.began);
  out["state"] = view_of(name_of(record.state));
  out["context"] = or_null(record.context);
  out["method"] = or_null(record.method);
  out["url"] = or_null(record.url + record.query);
  out["destination"] = or_null(record.destination);
  out["parent"] = or_null(record.parent);
  out["status"] = record.status == 0 ? json::value() : json::value(record.status);
  out["type"] = or_null(utf8(record.type));
  out["sent"] = record.sent;
  out["received"] = record.received;
  out["downstream"] = or_null(record.downstream);
  out["upstream"] = or_null(record.upstream);
  out["tunnel"] = record.tunnel;
  out["websocket"] = record.websocket;
  out["messages"] = record.messages;
  out["reused"] = record.reused;
  out["retries"] = record.retries;
  out["error"] = or_null(record.error);
  out["detail"] = or_null(log::printable(record.detail));
  out["advice"] = or_null(record.advice);
  out["timing"] = json::object{{"dns", record.dns.count()},
                               {"connect", record.connect.count()},
                               {"tls", record.tls.count()},
                               {"firstByte", record.first_byte.count()},
                               {"total", record.total.count()}};
  out["replayOf"] = record.replay_of == 0 ? json::value() : json::value(id_of(record.replay_of));
  return out;
}

json::object details(const Capture& capture, bool revealed) {
  json::object out = summary(capture);
  const auto asked = head_of(capture, Heads::request_received), passed = head_of(capture, Heads::request_sent);
  const auto came = head_of(capture, Heads::response_received), told = head_of(capture, Heads::response_sent);
  if (revealed && asked) out["url"] = utf8(whole_url(*asked));
  out["why"] = utf8(why(capture));
  out["request"] = json::object{{"received", head_json(asked, passed, "removed", revealed)},
                                {"sent", head_json(passed, asked, "added", revealed)},
                                {"body", body_json(capture.request, asked)}};
  out["response"] = json::object{{"received", head_json(came, told, "removed", revealed)},
                                 {"sent", head_json(told, came, "added", revealed)},
                                 {"body", body_json(capture.response, came ? came : told)}};
  out["revealed"] = revealed;
  return out;
}

json::object messages(const Capture& capture, std::uint64_t after, std::size_t most) {
  json::object out;
  json::array& list = out["messages"].emplace_array();
  std::uint64_t next = after;
  if (capture.conversation) {
    for (const Message& message : capture.conversation->messages()) {
      if (message.number <= after) continue;
      if (list.size() >= most) break;
      next = message.number;
      list.push_back(json::object{{"n", message.number},
                                  {"at", rfc3339(message.at)},
                                  {"from", message.from_client ? "client" : "server"},
                                  {"kind", view_of(name_of(message.kind))},
                                  {"size", message.size},
                                  {"kept", message.data.size()},
                                  {"data", tls::base64(message.data)},
                                  {"note", or_null(message.note)}});
    }
  }
  out["next"] = next;
  return out;
}

}  // namespace cmux::inspect
