// What `watch` shows: events as lines, and a picture of a whole terminal. Nothing of a client or a workspace reaches the terminal
// but as text.
#pragma once

#include <deque>

#include "cli.hpp"

namespace cmux::cli {

// An event of the API for people, without a line end.
std::string event_line(const std::string& type, const json::object& data);

// Cut to so many columns.
std::string fitted(std::string_view text, std::size_t columns);

class WatchView {
 public:
  static constexpr std::size_t kMostLines = 500;

  void add(std::string line);
  // Answers to GET /v1/status and GET /v1/contexts. `only`: this context alone; empty: all.
  void set(const json::value& status, const json::value& contexts, const std::string& only);
  // Since the last picture.
  bool changed() const { return changed_; }
  std::vector<std::string> picture(std::size_t rows, std::size_t columns);

 private:
  std::string head_;
  std::vector<std::string> contexts_;  // the first one is the heading
  std::deque<std::string> lines_;
  std::int64_t requests_ = -1;  // that there had been, at the last set()
  Clock::time_point counted_;
  bool changed_ = true;
};

// The terminal's other screen, for as long as it lives.
class Screen {
 public:
  Screen();
  ~Screen();
  Screen(const Screen&) = delete;
  void show(const std::vector<std::string>& lines) const;
  static std::size_t rows();
  static std::size_t columns();
};

}  // namespace cmux::cli
