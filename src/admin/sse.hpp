// Reading server-sent events (the WHATWG HTML standard, section 9.2.6), as far as the admin API sends them. Pure.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace cmux::admin {

struct ServerEvent {
  std::string type = "message", data;
};

class SseParser {
 public:
  static constexpr std::size_t kMostBytes = 1024 * 1024;  // of an event

  // Takes the next bytes as they come, cut anywhere. Errc::too_large past the limit.
  Result<void> feed(std::string_view bytes);
  // The next complete event.
  std::optional<ServerEvent> take();

 private:
  void read_line(std::string_view line);
  std::string line_;
  ServerEvent current_;
  bool has_data_ = false, after_cr_ = false;
  std::deque<ServerEvent> complete_;
};

}  // namespace cmux::admin
