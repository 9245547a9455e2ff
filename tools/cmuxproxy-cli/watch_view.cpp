#include "watch_view.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.hpp"
#include "route_flags.hpp"
#include "shown_times.hpp"

namespace cmux::cli {
namespace {

std::int64_t number_of(const json::value& value) {
  json::error_code failed;
  const auto number = value.to_number<std::int64_t>(failed);
  return failed ? 0 : number;
}

std::string bytes_text(std::int64_t count) {
  if (count < 10'000) return fmt::format("{} B", count);
  if (count < 10'000'000) return fmt::format("{} KB", count / 1000);
  return fmt::format("{} MB", count / 1'000'000);
}

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

std::string request_line(const json::object& data) {
  const json::value& bytes = member(data, "bytes");
  std::string out =
      fmt::format("{} {} {} {} {} {:.1f} ms {} -> {}", clock_of(member(data, "time")), or_dash(text_member(data, "context")),
                  shown(member(data, "status")), or_dash(text_member(data, "method")), or_dash(text_member(data, "url")),
                  static_cast<double>(number_of(member(member(data, "timing"), "total"))) / 1000,
                  bytes_text(number_of(member(bytes, "sent")) + number_of(member(bytes, "received"))),
                  or_dash(text_member(data, "destination")));
  if (const std::string upstream = text_member(data, "upstream"); !upstream.empty())
    out += fmt::format(" ({}, {})", text_member(data, "downstream"), upstream);
  if (member(data, "tunnel") == json::value(true)) out += " tunnel";
  if (const std::string error = text_member(data, "error"); !error.empty())
    out += fmt::format(" {}: {}", error, text_member(data, "detail"));
  return out;
}

// Pads or cuts.
std::string column(std::string_view text, std::size_t width) {
  std::string out = fitted(text, width);
  std::size_t used = 0;
  for (const char c : out) used += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  return out.append(width - std::min(width, used), ' ');
}

std::string context_row(std::string_view id, std::string_view label, std::string_view route, std::string_view requests,
                        std::string_view open, std::string_view last) {
  return fmt::format("{} {} {} {:>8} {:>5} {:>5}", column(id, 24), column(label, 14), column(route, 36), requests, open, last);
}

winsize size_of_terminal() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) size.ws_row = 24, size.ws_col = 80;
  return size;
}

}  // namespace

std::string event_line(const std::string& type, const json::object& data) {
  if (type == "request") return log::printable(request_line(data));
  std::string out = fmt::format("{} {}", clock_of(member(data, "time")), type);
  if (type == "lost")
    out = fmt::format("{} events were lost: they came faster than they were read", shown(member(data, "count")));
  for (const char* key : {"context", "reason", "target", "error", "detail"})
    if (const std::string text = text_member(data, key); !text.empty()) out += " " + text;
  for (const char* key : {"listening", "forwarded", "taken"})
    if (const json::value& ports = member(data, key); ports.is_array()) out += fmt::format(" {}={}", key, shown(ports));
  return log::printable(out);
}

std::string fitted(std::string_view text, std::size_t columns) {
  std::size_t used = 0, at = 0;
  for (; at < text.size(); ++at) {
    if ((static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) continue;
    if (used++ == columns) break;
  }
  return std::string(text.substr(0, at));
}

void WatchView::add(std::string line) {
  lines_.push_back(std::move(line));
  if (lines_.size() > kMostLines) lines_.pop_front();
  changed_ = true;
}

void WatchView::set(const json::value& status, const json::value& contexts, const std::string& only) {
  const auto now = Clock::now();
  const std::int64_t requests = number_of(member(member(status, "requests"), "total"));
  const double passed = std::chrono::duration<double>(now - counted_).count();
  const double rate = requests_ < 0 ? 0 : static_cast<double>(requests - requests_) / passed;
  requests_ = requests;
  counted_ = now;
  head_ = fmt::format("cmuxproxy {} at {}: {} contexts, {} connections, {} requests open, {} tunnels open, {:.1f} requests/s",
                      text_member(status, "instance"), text_member(status, "proxy"), shown(member(status, "contexts")),
                      shown(member(member(status, "connections"), "open")), shown(member(member(status, "requests"), "open")),
                      shown(member(status, "openTunnels")), rate);
  contexts_ = {context_row("CONTEXT", "LABEL", "ROUTE", "REQUESTS", "OPEN", "LAST")};
  if (const json::array* const list = member(contexts, "contexts").if_array())
    for (const json::value& context : *list) {
      const json::value& usage = member(context, "usage");
      if (!only.empty() && text_member(context, "id") != only) continue;
      contexts_.push_back(log::printable(context_row(text_member(context, "id"), shown(member(context, "label")),
                                                     route_summary(member(context, "route")), shown(member(usage, "requests")),
                                                     shown(member(usage, "open")), age_of(member(usage, "lastAt")))));
    }
  changed_ = true;
}

// Contexts have the upper half at the most; below, the last events that there is room for.
std::vector<std::string> WatchView::picture(std::size_t rows, std::size_t columns) {
  changed_ = false;
  std::vector<std::string> out{fitted(head_, columns), ""};
  const std::size_t most = std::max<std::size_t>(rows / 2, 4) - 2;
  const bool too_many = contexts_.size() > most;
  for (std::size_t i = 0; i < (too_many ? most - 1 : contexts_.size()); ++i) out.push_back(fitted(contexts_[i], columns));
  if (too_many) out.push_back(fitted(fmt::format("… and {} more", contexts_.size() - most + 1), columns));
  out.emplace_back();
  const std::size_t room = rows > out.size() ? rows - out.size() : 0;
  const std::size_t first = lines_.size() - std::min(lines_.size(), room);
  for (std::size_t i = first; i < lines_.size(); ++i) out.push_back(fitted(lines_[i], columns));
  if (out.size() > rows) out.resize(rows);
  return out;
}

Screen::Screen() {
  print("\x1b[?1049h\x1b[?25l\x1b[?7l");  // no cursor, and no line goes on in the next
  std::fflush(stdout);
}

Screen::~Screen() {
  print("\x1b[?7h\x1b[?25h\x1b[?1049l");
  std::fflush(stdout);
}

void Screen::show(const std::vector<std::string>& lines) const {
  std::string out = "\x1b[H";
  for (std::size_t i = 0; i < lines.size(); ++i) out += fmt::format("{}{}\x1b[K", i == 0 ? "" : "\n", lines[i]);
  print(out + "\x1b[J");
  std::fflush(stdout);
}

std::size_t Screen::rows() { return size_of_terminal().ws_row; }
std::size_t Screen::columns() { return size_of_terminal().ws_col; }

}  // namespace cmux::cli
