// What the tests of costly clients have in common.
#pragma once

#include <algorithm>

#include "frames.hpp"
#include "rows.hpp"

namespace e2e::h2 {

struct FloodSetup {
  explicit FloodSetup(const Strings& flags = {}) : proxy(flags, &workspace) {}
  Workspace workspace;
  Proxy proxy;
  Context context = context_to(proxy, "h2c", workspace.http_port());

  Lines get(std::string_view path) const { return request(context, path); }
  // Streams 1, 3, 5 and so on, each with these bytes.
  static std::string repeated(std::int64_t count, const std::function<std::string(std::uint32_t)>& bytes) {
    std::string out;
    for (std::int64_t i = 0; i < count; ++i) out += bytes(static_cast<std::uint32_t>(2 * i + 1));
    return out;
  }
  bool serves() const { return proxy.get(context, "http://localhost:3000/").status == 200; }
  bool is_quiet() const {
    return eventually([&] {
      const auto now = proxy.api("GET", "/v1/status").json();
      return number_in(now.at("connections").as_object(), "open") == 0 && number_in(now.at("requests").as_object(), "open") == 0;
    });
  }
  // Runs it, and says how many KB the proxy's peak has grown by. Sanitizers keep what is freed: there it is not looked at.
  std::size_t growth(const std::function<void()>& body) {
    REQUIRE(serves());
    const std::size_t before = proxy.process().peak_kb();
    body();
    // The kernel's count is only as exact as its counters for each CPU: it can go back a little.
    return slow() ? 0 : std::max(proxy.process().peak_kb(), before) - before;
  }
};

inline std::uint32_t code_at_end(ClientSide& client) { return client.end().value_or(99); }

inline std::string many(std::string_view frame, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += frame;
  return out;
}

}  // namespace e2e::h2
