#include "port_flags.hpp"

#include <fmt/format.h>

#include <charconv>

namespace cmux::cli {

std::uint16_t port_in(std::string_view text, std::string_view flag, unsigned least) {
  unsigned number = 0;
  const auto [stop, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || failed != std::errc{} || stop != text.data() + text.size() || number < least || number > 65535)
    throw Exit{kUsage, fmt::format("{}: expected a port from {} to 65535, not '{}'", flag, least, text)};
  return static_cast<std::uint16_t>(number);
}

void add_forward(std::string_view text, json::object& body) {
  if (text == "auto") {
    body["forwardAuto"] = true;
    return;
  }
  const std::size_t colon = text.find(':');
  json::object forward{{"port", port_in(text.substr(0, colon), "--forward", 1)}};
  if (colon != std::string_view::npos) forward["local"] = port_in(text.substr(colon + 1), "--forward", 0);
  if (!body.contains("forwards")) body["forwards"].emplace_array();
  body["forwards"].as_array().push_back(std::move(forward));
}

void add_forward_flag(CLI::App& command, std::vector<std::string>& forwards) {
  command
      .add_option("--forward", forwards,
                  "a plain port LOCAL of 127.0.0.1 and [::1] that leads to the workspace's port, for every user of this "
                  "machine; auto: each of the workspace's under its own number while it listens; repeatable")
      ->allow_extra_args(false)
      ->type_name("PORT[:LOCAL]|auto");
}

}  // namespace cmux::cli
