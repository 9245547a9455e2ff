#include "http1/parser.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include <fmt/format.h>

namespace cmux::http1 {
namespace {

constexpr std::array<bool, 256> make_token_table() {
  std::array<bool, 256> table{};
  for (const char c : std::string_view("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    table[static_cast<unsigned char>(c)] = true;
  return table;
}
constexpr auto kToken = make_token_table();

constexpr std::array<bool, 256> make_value_table() {
  std::array<bool, 256> table{};
  for (std::size_t c = 0x20; c < 256; ++c) table[c] = c != 0x7f;
  table['\t'] = true;
  return table;
}
constexpr auto kValue = make_value_table();

bool all(std::string_view text, const std::array<bool, 256>& table) {
  for (const char c : text)
    if (!table[static_cast<unsigned char>(c)]) return false;
  return true;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// A peer's bytes in a message for people: short, and nothing that a terminal or a log would act on.
std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text.substr(0, 40)) out += c >= 0x20 && c < 0x7f ? c : '?';
  return out + (text.size() > 40 ? "…'" : "'");
}

// "HTTP/1.0" or "HTTP/1.x" with x of 1 and above.
Result<std::uint8_t> parse_version(std::string_view text) {
  if (text.size() != 8 || !text.starts_with("HTTP/") || text[6] != '.' || text[5] < '0' || text[5] > '9' || text[7] < '0' ||
      text[7] > '9')
    return malformed(fmt::format("bad version {}", quoted(text)));
  if (text[5] != '1') return malformed(fmt::format("{} is not spoken here", text), 505);
  return static_cast<std::uint8_t>(text[7] == '0' ? 10 : 11);
}

// scheme "://" authority [path]: RFC 9112 section 3.2.2. ws and wss are read as http and https.
Result<void> split_absolute(std::string_view target, http::Head& head) {
  const std::size_t colon = target.find("://");
  if (colon == std::string_view::npos) return malformed(fmt::format("bad request target {}", quoted(target)));
  for (const char c : target.substr(0, colon)) head.scheme += lower(c);
  if (head.scheme == "ws") head.scheme = "http";
  else if (head.scheme == "wss") head.scheme = "https";
  else if (head.scheme != "http" && head.scheme != "https")
    return malformed(fmt::format("unsupported scheme {}", quoted(head.scheme)));
  const std::string_view rest = target.substr(colon + 3);
  const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
  head.authority = rest.substr(0, end);
  if (head.authority.empty()) return malformed("no host in the request target");
  head.path = rest.substr(end);
  if (head.path.empty()) head.path.assign(1, head.method == "OPTIONS" ? '*' : '/');
  else if (head.path.front() == '?') head.path.insert(head.path.begin(), '/');
  return {};
}

Result<void> parse_request_line(std::string_view line, http::Head& head) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return malformed("bad request line: expected METHOD TARGET HTTP/1.1");
  const std::string_view method = line.substr(0, first), target = line.substr(first + 1, last - first - 1);
  if (!is_token(method)) return malformed(fmt::format("bad method {}", quoted(method)));
  const auto version = parse_version(line.substr(last + 1));
  if (!version) return version.error();
  if (!http::is_target(target)) return malformed("a character in the request target that must be percent-encoded");
  head.method = method;
  head.version = *version;
  if (method == "CONNECT") {
    head.authority = target;
    return {};
  }
  if (target.front() == '/' || (target == "*" && method == "OPTIONS")) {
    head.path = target;
    head.origin_form = true;
    return {};
  }
  return split_absolute(target, head);
}

Result<void> parse_status_line(std::string_view line, http::Head& head) {
  const auto version = parse_version(line.substr(0, 8));
  if (!version) return version.error();
  head.version = *version;
  const auto digit = [&](std::size_t at) { return line[at] >= '0' && line[at] <= '9'; };
  if (line.size() < 12 || line[8] != ' ' || !digit(9) || !digit(10) || !digit(11) || (line.size() > 12 && line[12] != ' '))
    return malformed(fmt::format("bad status line {}", quoted(line)));
  head.status = static_cast<std::uint16_t>((line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0'));
  if (head.status < 100) return malformed(fmt::format("bad status {}", head.status));
  if (line.size() > 13) head.reason = line.substr(13);
  if (!all(head.reason, kValue)) return malformed("bad character in the status line");
  return {};
}

}  // namespace

Error malformed(std::string detail, std::uint16_t status) {
  return Error{Errc::malformed, Side::local, false, status, std::move(detail)};
}

bool is_token(std::string_view text) { return !text.empty() && all(text, kToken); }
bool is_field_value(std::string_view text) { return all(text, kValue); }

Error HeadParser::too_large(std::string_view data, std::size_t line) const {
  Error error{Errc::too_large, Side::local, false, 431, {}};
  if (lines_ == 0) {
    // RFC 9112 section 3: 501 for a method that nobody knows since it is so long, else 414.
    const bool method = role_ == Role::request && data.substr(0, limits_.start_line).find(' ') == std::string_view::npos;
    error.status = method ? 501 : 414;
    error.detail = fmt::format("the {} is longer than {} bytes",
                               method                   ? "method"
                               : role_ == Role::request ? "request target"
                                                        : "status line",
                               limits_.start_line);
    return error;
  }
  const std::string_view rest = data.substr(std::min(line, data.size()));
  const std::size_t colon = rest.find(':');
  const std::string_view name = rest.substr(0, colon);
  error.detail = fmt::format("the header is over {} bytes or {} lines, at field {}", limits_.head, limits_.fields,
                             colon != std::string_view::npos && is_token(name) ? quoted(name) : "?");
  return error;
}

// Finds the empty line that ends the head, looking at every byte once however the head arrives.
Result<std::size_t> HeadParser::scan(std::string_view data) {
  if (data.empty()) return std::size_t{0};
  while (true) {
    const void* found = std::memchr(data.data() + scanned_, '\n', data.size() - scanned_);
    const std::size_t end = found ? static_cast<std::size_t>(static_cast<const char*>(found) - data.data()) + 1 : data.size();
    if (lines_ == 0 && end - scanned_ > limits_.start_line) return too_large(data, scanned_);
    if (lines_ > 0 && end - first_line_ > limits_.head) return too_large(data, scanned_);
    if (!found) return std::size_t{0};
    if (end - scanned_ < 2 || data[end - 2] != '\r') return malformed("a line ends in a bare LF");
    const bool empty = end - scanned_ == 2;
    const std::size_t line = std::exchange(scanned_, end);
    if (empty && lines_ == 0) return malformed("empty line instead of a start line");
    if (empty) return end;
    if (lines_++ == 0) first_line_ = end;
    if (lines_ > limits_.fields + 1) return too_large(data, line);
  }
}

Result<std::size_t> HeadParser::parse(std::string_view data, http::Head& head) {
  const auto end = scan(data);
  if (!end || *end == 0) return end;
  head.clear();
  const std::string_view message = data.substr(0, *end);
  const std::string_view line = message.substr(0, first_line_ - 2);
  auto started = role_ == Role::request ? parse_request_line(line, head) : parse_status_line(line, head);
  if (!started) return started.error();
  const std::string_view block = message.substr(first_line_, message.size() - first_line_ - 2);
  head.fields.assign_text(block);
  auto fields = parse_field_lines(block, 0, head.fields);
  if (!fields) return fields.error();
  return *end;
}

Result<void> parse_field_lines(std::string_view block, std::size_t at, http::Fields& fields) {
  const char* const begin = block.data();
  const char* cursor = begin;
  const char* const end = begin + block.size();
  while (cursor != end) {
    const char* const newline = static_cast<const char*>(std::memchr(cursor, '\n', static_cast<std::size_t>(end - cursor)));
    const char* name_end = cursor;
    while (kToken[static_cast<unsigned char>(*name_end)]) ++name_end;
    const auto name_size = static_cast<std::size_t>(name_end - cursor);
    if (*name_end != ':' || name_size == 0 || name_size > 0xffff) {
      const std::string_view line(cursor, static_cast<std::size_t>(newline - 1 - cursor));
      if (line.front() == ' ' || line.front() == '\t') return malformed("a folded header line");
      // By its number: what stands there may be a secret.
      const auto number = 1 + std::count(begin, cursor, '\n');
      if (line.find(':') == std::string_view::npos) return malformed(fmt::format("header line {} is without ':'", number));
      return malformed(fmt::format("bad header name in header line {}", number));
    }
    const char* value = name_end + 1;
    const char* value_end = newline - 1;
    while (value != value_end && (*value == ' ' || *value == '\t')) ++value;
    while (value != value_end && (value_end[-1] == ' ' || value_end[-1] == '\t')) --value_end;
    const auto value_size = static_cast<std::size_t>(value_end - value);
    if (!all({value, value_size}, kValue))
      return malformed(fmt::format("a control character in field {}", quoted({cursor, name_size})));
    fields.index(at + static_cast<std::size_t>(cursor - begin), name_size, at + static_cast<std::size_t>(value - begin),
                 value_size);
    cursor = newline + 1;
  }
  return {};
}

}  // namespace cmux::http1
