#include "proxy/first_line.hpp"

#include <algorithm>

#include "http1/parser.hpp"

namespace cmux::proxy {
namespace {

constexpr std::string_view kBlanks = " \t\r";

bool is_blank(char c) { return kBlanks.find(c) != std::string_view::npos; }

bool is_prefix(std::string_view prefix, std::string_view of) {
  return http::equal_ignoring_case(of.substr(0, prefix.size()), prefix);
}

// A request line, however malformed: a word, and then a version somewhere, or a target.
bool is_request_line(std::string_view line) {
  const std::size_t word_end = std::min(line.find_first_of(kBlanks), line.size());
  for (std::size_t at = word_end; at < line.size(); ++at)
    if (is_blank(line[at]) && is_prefix("HTTP/", line.substr(at + 1))) return true;
  const std::string_view target = line.substr(std::min(line.find_first_not_of(kBlanks, word_end), line.size()));
  for (const std::string_view start : {"/", "http://", "https://", "ws://", "wss://"})
    if (is_prefix(start, target)) return true;
  return false;
}

}  // namespace

Protocol FirstLine::look(std::string_view bytes) {
  if (bytes.empty()) return Protocol::unknown;
  if (bytes.front() == 0x16) return Protocol::tls;
  if (bytes.starts_with(kHttp2Preface)) return Protocol::http2;
  if (kHttp2Preface.starts_with(bytes)) return Protocol::unknown;
  for (; at_ < bytes.size(); ++at_) {
    const char c = bytes[at_];
    if (c == '\n') {
      if (place_ == Place::blank) continue;
      return is_request_line(bytes.substr(start_, at_ - start_)) ? Protocol::http1 : Protocol::raw;
    }
    const bool blank = is_blank(c);
    if (place_ == Place::blank) {
      if (blank) continue;
      start_ = at_;
      place_ = Place::word;
    }
    if (place_ == Place::word && blank) place_ = Place::rest;
    else if (place_ == Place::word && !http1::is_token({&c, 1})) return Protocol::raw;
    else if (place_ == Place::rest && !blank && !http1::is_field_value({&c, 1})) return Protocol::raw;
  }
  return bytes.size() > longest_ ? Protocol::http1 : Protocol::unknown;
}

}  // namespace cmux::proxy
