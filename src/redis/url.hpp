// Url: where a Redis or Valkey is, as redis://[user[:password]@]host[:port][/database]; rediss:// with TLS. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "upstream/origin.hpp"

namespace cmux::redis {

struct Url {
  upstream::Origin origin;
  std::string username;  // empty: the server's default user
  std::string password;  // empty: none is shown
  unsigned database = 0;
  std::string text() const;  // without user and password
};
// Errors (Errc::config) do not quote what may be a secret.
Result<Url> parse_url(std::string_view text);

}  // namespace cmux::redis
