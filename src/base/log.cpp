#include "base/log.hpp"

#include <spdlog/details/os.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <deque>
#include <mutex>

#include "base/line_writer.hpp"

namespace cmux::log {
namespace {

std::atomic<int> threshold{static_cast<int>(Level::info)};
std::atomic<bool> as_json{false};

constexpr const char* kName = "cmuxproxy";
constexpr const char* kTextPattern = "%Y-%m-%dT%H:%M:%S.%e %^%-5l%$ %v";
constexpr const char* kJsonPattern = R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l",%v})";
constexpr std::array<std::string_view, 6> kNames{"trace", "debug", "info", "warn", "error", "off"};
constexpr std::array<std::string_view, 6> kColours{"\x1b[37m", "\x1b[36m", "\x1b[32m", "\x1b[33m\x1b[1m", "\x1b[31m\x1b[1m", ""};

bool has_colours() {
  return !std::getenv("NO_COLOR") && spdlog::details::os::is_color_terminal() && spdlog::details::os::in_terminal(stderr);
}

// Never destroyed: other threads may log until the process is gone.
LineWriter& writer() {
  static LineWriter* const instance = [] {
    const auto gap = [](std::uint64_t count) {
      spdlog::pattern_formatter formatter(as_json ? kJsonPattern : kTextPattern);
      const std::string text = count == 1 ? "1 log line was dropped: stderr did not take it"
                                          : fmt::format("{} log lines were dropped: stderr did not take them", count);
      const std::string payload = as_json ? fmt::format(R"("message":"{}")", text) : text;
      spdlog::memory_buf_t line;
      formatter.format(spdlog::details::log_msg(kName, spdlog::level::warn, payload), line);
      return std::string(line.data(), line.size());
    };
    auto* const made = new LineWriter(STDERR_FILENO, gap);
    std::atexit(flush);
    return made;
  }();
  return *instance;
}

class Sink final : public spdlog::sinks::base_sink<std::mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    const auto rank = message.level >= spdlog::level::warn ? LineWriter::Rank::important : LineWriter::Rank::usual;
    const std::string_view text(line.data(), line.size());
    if (!colours_ || message.color_range_end <= message.color_range_start) return writer().add(text, rank);
    const std::string_view before = text.substr(0, message.color_range_start), behind = text.substr(message.color_range_end);
    const std::string_view coloured = text.substr(before.size(), text.size() - before.size() - behind.size());
    writer().add(fmt::format("{}{}{}\x1b[0m{}", before, kColours[message.level], coloured, behind), rank);
  }
  void flush_() override {}

 private:
  const bool colours_ = has_colours();
};

// One a format, so that a line is of one piece whatever the format becomes meanwhile.
spdlog::logger& logger(bool json) {
  const auto make = [](const char* pattern) {
    writer();
    auto* const made = new spdlog::logger(kName, std::make_shared<Sink>());
    made->set_level(spdlog::level::trace);
    made->set_pattern(pattern);
    return made;
  };
  static spdlog::logger* const text_lines = make(kTextPattern);
  static spdlog::logger* const json_lines = make(kJsonPattern);
  return json ? *json_lines : *text_lines;
}

class Ring {
 public:
  void add(Level level, std::string message) {
    const std::lock_guard lock(mutex_);
    bytes_ += size_of(message);
    lines_.push_back({++number_, std::chrono::system_clock::now(), level, std::move(message)});
    while (bytes_ > kMostKept) {
      bytes_ -= size_of(lines_.front().message);
      lines_.pop_front();
    }
    if (told_ && !std::exchange(telling_, true)) told_();
  }
  std::vector<Line> behind(std::uint64_t after) {
    const std::lock_guard lock(mutex_);
    telling_ = false;
    const auto first = std::find_if(lines_.begin(), lines_.end(), [&](const Line& line) { return line.number > after; });
    return {first, lines_.end()};
  }
  void tell(std::function<void()> told) {
    const std::lock_guard lock(mutex_);
    told_ = std::move(told);
    telling_ = false;
  }

 private:
  static std::size_t size_of(const std::string& message) { return sizeof(Line) + message.size(); }
  std::mutex mutex_;  // guards what follows
  std::deque<Line> lines_;
  std::size_t bytes_ = 0;
  std::uint64_t number_ = 0;
  std::function<void()> told_;
  bool telling_ = false;
};

// Never destroyed, as the writer.
Ring& ring() {
  static auto* const instance = new Ring;
  return *instance;
}

bool is_plain(char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

// What shows nothing itself and changes how the text around it is read: the order of its characters (UAX 9), its lines, tags.
constexpr std::pair<unsigned, unsigned> kHidden[] = {{0x61c, 0x61c},   {0x200b, 0x200b}, {0x200e, 0x200f}, {0x2028, 0x202e},
                                                     {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f}};

// How many bytes at the front of `text` are a character of UTF-8 (RFC 3629 section 4) beyond ASCII; 0: none, or one that is not
// shown as it is: hidden ones, and the control characters U+0080 to U+009F, by which terminals take orders as by ESC.
std::size_t character_size(std::string_view text) {
  const auto at = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const unsigned first = at(0);
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4) return 0;
  unsigned code = first & (0xffu >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if ((at(i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (at(i) & 0x3f);
  }
  constexpr unsigned kLeast[] = {0xa0, 0x800, 0x10000};  // below: longer than need be, or a control character
  if (code < kLeast[size - 2] || (code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff) return 0;
  for (const auto& [low, high] : kHidden)
    if (code >= low && code <= high) return 0;
  return size;
}

std::string escaped(std::string_view text, bool in_json) {
  std::string out;
  while (!text.empty()) {
    const char c = text.front();
    std::size_t size = c >= 0x20 && c < 0x7f ? 1 : character_size(text);
    if (in_json && (c == '"' || c == '\\')) out += '\\';
    if (size > 0) out += text.substr(0, size);
    else out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c)), size = 1;
    text.remove_prefix(size);
  }
  return out;
}

}  // namespace

void configure(Level level, Format format) {
  set_level(level);
  as_json = format == Format::json;
}

void set_level(Level level) { threshold.store(static_cast<int>(level), std::memory_order_relaxed); }

bool enabled(Level level) { return static_cast<int>(level) >= threshold.load(std::memory_order_relaxed); }

std::string_view name_of(Level level) { return kNames[static_cast<std::size_t>(level)]; }

bool is_json() { return as_json; }

std::string printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), is_plain) ? std::string(text) : escaped(text, false);
}

// A peer's bytes may be quoted in a message: it stays one line, and one JSON document.
void write(Level level, std::string_view message, std::string_view members) {
  const auto number = static_cast<spdlog::level::level_enum>(level);
  std::string text = printable(message);
  if (as_json) {
    const std::string line = fmt::format(R"("message":"{}"{}{})", escaped(message, true), members.empty() ? "" : ",", members);
    logger(true).log(number, spdlog::string_view_t(line));
  } else {
    logger(false).log(number, spdlog::string_view_t(text));
  }
  ring().add(level, std::move(text));
}

std::vector<Line> kept(std::uint64_t after) { return ring().behind(after); }

void on_line(std::function<void()> told) { ring().tell(std::move(told)); }

void flush() { writer().flush(kLastWait); }

std::uint64_t dropped() { return writer().dropped(); }

std::string redact(std::string_view secret) {
  if (secret.size() < 8) return "…";
  return std::string(secret.substr(0, 4)) + "…";
}

}  // namespace cmux::log
