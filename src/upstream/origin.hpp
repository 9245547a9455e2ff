// Origin: who is connected to. Equal origins share connections.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>

namespace cmux::upstream {

struct Origin {
  bool tls = false;
  bool h2c = false;  // HTTP/2 without TLS, by prior knowledge
  std::string host;  // normalised, no brackets
  std::uint16_t port = 0;

  bool operator==(const Origin&) const = default;
  // Spelled out: the std::string of libc++ 14 has no <=>.
  bool operator<(const Origin& other) const {
    return std::tie(tls, h2c, host, port) < std::tie(other.tls, other.h2c, other.host, other.port);
  }
  // "https://host:port", "h2c://…"
  std::string text() const;
};

}  // namespace cmux::upstream
