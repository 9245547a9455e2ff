#include "base/log.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <cstdlib>

namespace cmux::log {
namespace {

std::atomic<int> threshold{static_cast<int>(Level::info)};
bool as_json = false;

spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> instance = [] {
    spdlog::sink_ptr sink;
    if (std::getenv("NO_COLOR")) sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    else sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
    auto made = std::make_shared<spdlog::logger>("cmuxproxy", std::move(sink));
    made->set_level(spdlog::level::trace);
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%-5l%$ %v");
    made->flush_on(spdlog::level::trace);
    return made;
  }();
  return *instance;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (as_json && (c == '"' || c == '\\')) (out += '\\') += c;
    else if (static_cast<unsigned char>(c) < 0x20) out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    else out += c;
  }
  return out;
}

}  // namespace

void configure(Level level, Format format) {
  set_level(level);
  as_json = format == Format::json;
  if (as_json) logger().set_pattern(R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l","message":"%v"})");
}

void set_level(Level level) { threshold.store(static_cast<int>(level), std::memory_order_relaxed); }

bool enabled(Level level) { return static_cast<int>(level) >= threshold.load(std::memory_order_relaxed); }

void write(Level level, std::string_view message) {
  // A peer's bytes may be quoted in a message: it stays one line, and one JSON document.
  logger().log(static_cast<spdlog::level::level_enum>(level), "{}", escaped(message));
}

std::string redact(std::string_view secret) {
  if (secret.size() < 8) return "…";
  return std::string(secret.substr(0, 4)) + "…";
}

}  // namespace cmux::log
