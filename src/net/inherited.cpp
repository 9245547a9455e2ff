#include "net/inherited.hpp"

#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <string_view>

#include <fmt/format.h>

namespace cmux::net {
namespace {

constexpr int kFirst = 3;  // SD_LISTEN_FDS_START

int number_in(const char* name) {
  const char* const value = std::getenv(name);
  const std::string_view text = value ? value : "";
  int number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failed == std::errc() && end == text.data() + text.size() ? number : 0;
}

}  // namespace

Result<Inherited> inherited_listeners() {
  Inherited all;
  const bool ours = number_in("LISTEN_PID") == getpid();
  const int count = ours ? number_in("LISTEN_FDS") : 0;
  if (ours)
    for (const char* const name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) unsetenv(name);
  if (count > 2)
    return make_error(Errc::config, fmt::format("LISTEN_FDS: {} sockets, where one TCP and one Unix socket do", count));
  for (int fd = kFirst; fd < kFirst + count; ++fd) {
    auto listener = Listener::adopt(Socket(fd));
    if (!listener) return listener.error();
    auto& place = (*listener)->endpoint().is_unix() ? all.local : all.tcp;
    if (place)
      return make_error(Errc::config, fmt::format("LISTEN_FDS: two sockets of one kind, {} and {}", place->endpoint().text(),
                                                  (*listener)->endpoint().text()));
    place = std::move(*listener);
  }
  return all;
}

}  // namespace cmux::net
