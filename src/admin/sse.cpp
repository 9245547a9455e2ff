#include "admin/sse.hpp"

namespace cmux::admin {

Result<void> SseParser::feed(std::string_view bytes) {
  for (const char c : bytes) {
    // CR, LF and CRLF all end a line.
    if (c == '\n' && after_cr_) {
      after_cr_ = false;
      continue;
    }
    after_cr_ = c == '\r';
    if (c == '\n' || c == '\r') {
      read_line(line_);
      line_.clear();
      continue;
    }
    line_ += c;
    if (line_.size() + current_.data.size() > kMostBytes) return make_error(Errc::too_large, "an event is too large");
  }
  return {};
}

std::optional<ServerEvent> SseParser::take() {
  if (complete_.empty()) return std::nullopt;
  ServerEvent first = std::move(complete_.front());
  complete_.pop_front();
  return first;
}

void SseParser::read_line(std::string_view line) {
  if (line.empty()) {
    if (has_data_) complete_.push_back(std::move(current_));
    current_ = ServerEvent();
    has_data_ = false;
    return;
  }
  const std::size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "event") current_.type = value;
  if (name != "data") return;
  if (has_data_) current_.data += '\n';
  current_.data += value;
  has_data_ = true;
}

}  // namespace cmux::admin
