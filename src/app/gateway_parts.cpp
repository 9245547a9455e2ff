#include "app/gateway_parts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/log.hpp"

namespace cmux::app {

Result<std::vector<net::Endpoint>> listen_of(const std::vector<std::string>& given, const std::vector<std::string>& defaults) {
  std::vector<net::Endpoint> out;
  for (const std::string& text : given.empty() ? defaults : given) {
    const auto endpoint = parse_tcp_endpoint(text);
    if (!endpoint) return make_error(Errc::config, fmt::format("--listen: {}", endpoint.error().detail));
    if (!out.empty() && out.front().port() != endpoint->port())
      return make_error(Errc::config, "--listen: all addresses must have the same port");
    out.push_back(*endpoint);
  }
  return out;
}

Result<std::string> read_file(std::string_view flag, const std::string& path, std::size_t most) {
  const auto refused = [&](std::string_view why) { return make_error(Errc::config, fmt::format("{}: {}: {}", flag, path, why)); };
  std::error_code ignored;
  if (path.empty()) return make_error(Errc::config, fmt::format("{}: expected a file", flag));
  if (std::filesystem::is_directory(path, ignored)) return refused("it is a folder");
  std::ifstream file(path, std::ios::binary);
  if (!file) return refused(std::strerror(errno));
  std::string text(most + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > most) return refused(fmt::format("it has more than {} bytes", most));
  return text;
}

Result<std::shared_ptr<const std::string>> read_secret(std::string_view flag, const std::string& path) {
  constexpr std::size_t kLeast = 16;
  constexpr std::size_t kMost = 4096;
  auto text = read_file(flag, path, kMost + 2);
  if (!text) return text.error();
  while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
  const bool visible = std::all_of(text->begin(), text->end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (!visible || text->size() < kLeast || text->size() > kMost)
    return make_error(Errc::config,
                      fmt::format("{}: {}: expected one line of {} to {} visible ASCII characters without spaces, such as "
                                  "`openssl rand -hex 32` makes",
                                  flag, path, kLeast, kMost));
  return std::make_shared<const std::string>(std::move(*text));
}

Result<redis::Url> store_url(const StoreFlags& flags) {
  constexpr std::string_view kVariable = "env:";
  const auto refused = [](std::string_view flag, std::string_view why) {
    return make_error(Errc::config, fmt::format("{}: {}", flag, why));
  };
  std::string text = flags.url;
  if (text.starts_with(kVariable)) {
    const char* const value = std::getenv(text.c_str() + kVariable.size());
    if (!value || !*value) return refused("--store", fmt::format("there is no variable {}", text.substr(kVariable.size())));
    text = value;
  }
  auto url = redis::parse_url(text);
  if (!url) return refused("--store", url.error().detail);
  if (flags.password.empty()) return url;
  if (!url->password.empty()) return refused("--store-password", "there is one in --store already");
  constexpr std::size_t kMost = 4096;
  auto password = read_file("--store-password", flags.password, kMost);
  if (!password) return password.error();
  while (password->ends_with('\n') || password->ends_with('\r')) password->pop_back();
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20; };
  if (password->empty() || std::any_of(password->begin(), password->end(), control))
    return refused("--store-password", fmt::format("{}: expected one line", flags.password));
  url->password = std::move(*password);
  return url;
}

upstream::DiallerOptions store_options(const StoreFlags& flags) {
  upstream::DiallerOptions options;
  options.tls.ca_file = flags.ca;
  return options;
}

void warn_of_arguments(const StoreFlags& flags) {
  const auto url = redis::parse_url(flags.url);
  if (url && !url->password.empty())
    log::warn("a password in --store can be seen by every user of this machine: --store-password FILE, or --store env:VAR");
}

StoreFacts store_facts(const redis::Link& link) {
  return {link.url().text(), link.is_up(), link.is_up() ? std::string() : link.problem(), link.failures(), {}};
}

}  // namespace cmux::app
