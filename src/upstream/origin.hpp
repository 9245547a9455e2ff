// Origin: who is connected to. Equal origins share connections.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace cmux::upstream {

struct Origin {
  bool tls = false;
  bool h2c = false;  // HTTP/2 without TLS, by prior knowledge
  std::string host;  // normalised, no brackets
  std::uint16_t port = 0;

  auto operator<=>(const Origin&) const = default;
  // "https://host:port", "h2c://…"
  std::string text() const;
};

}  // namespace cmux::upstream
