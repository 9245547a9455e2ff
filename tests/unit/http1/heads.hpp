// Heads from text, and heads as text that can be compared.
#pragma once

#include <string>

#include "http1/parser.hpp"
#include "http1/semantics.hpp"

namespace cmux::http1 {

inline const Limits kUsualLimits;

inline std::string lines(const http::Fields& fields) {
  std::string out;
  for (const auto field : fields) out += std::string(field.name) + ": " + std::string(field.value) + "\n";
  return out;
}

inline std::string described(const http::Head& head) {
  std::string out = head.method + "|" + head.scheme + "|" + head.authority + "|" + head.path + "|" + head.protocol + "|" +
                    std::to_string(head.status) + "|" + head.reason + "|" + std::to_string(head.version);
  out += head.origin_form ? "|origin\n" : "|\n";
  return out + lines(head.fields);
}

// The head with its size, or the error.
inline std::string parsed(Role role, std::string_view text, const Limits& limits = kUsualLimits) {
  HeadParser parser(role, limits);
  http::Head head;
  const auto size = parser.parse(text, head);
  if (!size) return "error " + std::to_string(size.error().status) + ": " + size.error().detail;
  return *size == 0 ? "more" : std::to_string(*size) + " " + described(head);
}

// The same, with the text cut into two pieces.
inline std::string parsed_split(Role role, std::string_view text, std::size_t at, const Limits& limits = kUsualLimits) {
  HeadParser parser(role, limits);
  http::Head head;
  auto size = parser.parse(text.substr(0, at), head);
  if (size && *size == 0) size = parser.parse(text, head);
  if (!size) return "error " + std::to_string(size.error().status) + ": " + size.error().detail;
  return *size == 0 ? "more" : std::to_string(*size) + " " + described(head);
}

// The same, byte after byte.
inline std::string parsed_slowly(Role role, std::string_view text, const Limits& limits = kUsualLimits) {
  HeadParser parser(role, limits);
  http::Head head;
  for (std::size_t end = 0; end <= text.size(); ++end) {
    const auto size = parser.parse(text.substr(0, end), head);
    if (!size) return "error " + std::to_string(size.error().status) + ": " + size.error().detail;
    if (*size != 0) return std::to_string(*size) + " " + described(head);
  }
  return "more";
}

// Parses what must parse.
inline http::Head head_of(Role role, std::string_view text) {
  HeadParser parser(role, kUsualLimits);
  http::Head head;
  const auto size = parser.parse(text, head);
  if (!size || *size != text.size()) throw std::runtime_error("no head: " + std::string(text));
  return head;
}

}  // namespace cmux::http1
