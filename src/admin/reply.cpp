#include "admin/reply.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "http1/semantics.hpp"

namespace cmux::admin {

namespace json = boost::json;

Reply json_reply(std::uint16_t status, const json::object& document) {
  Reply reply;
  reply.status = status;
  reply.type = "application/json";
  reply.body = json::serialize(document) + "\n";
  return reply;
}

Reply problem(std::uint16_t status, std::string_view detail, std::string_view field) {
  json::object document;
  document["type"] = "about:blank";
  document["title"] = json::string_view(http1::reason_of(status).data(), http1::reason_of(status).size());
  document["status"] = status;
  document["detail"] = json::string_view(detail.data(), detail.size());
  if (!field.empty()) document["field"] = json::string_view(field.data(), field.size());
  Reply reply = json_reply(status, document);
  reply.type = "application/problem+json";
  return reply;
}

Reply too_much(std::string_view detail) {
  Reply reply = problem(503, detail);
  reply.fields.emplace_back("Retry-After", "1");
  return reply;
}

Task<Result<void>> send(http::Stream& stream, const Reply& reply) {
  http::Head head;
  head.status = reply.status;
  head.content_length = reply.body.size();
  head.end = reply.body.empty();
  if (!reply.type.empty()) head.fields.add(http::Name::content_type, reply.type);
  for (const auto& [name, value] : reply.fields) head.fields.add(name, value);
  // Answers hold secrets, but those that say otherwise.
  if (!head.fields.get("Cache-Control")) head.fields.add("Cache-Control", "no-store");
  auto written = co_await stream.write_head(head, head.end ? http::Next::end : http::Next::soon);
  if (!written || head.end) co_return written;
  co_return co_await stream.write_body(reply.body, http::Next::end);
}

std::string quoted(std::string_view text) {
  constexpr std::size_t kMost = 60;
  std::string out;
  for (const char c : text.substr(0, kMost)) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  // Not within a character.
  if (text.size() > kMost)
    while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0xc0) == 0x80) out.pop_back();
  if (text.size() > kMost && !out.empty() && static_cast<unsigned char>(out.back()) >= 0xc0) out.pop_back();
  return fmt::format("'{}{}'", out, text.size() > kMost ? "…" : "");
}

}  // namespace cmux::admin
