#include "redis/url.hpp"

#include <fmt/format.h>

#include <charconv>

#include "net/address.hpp"
#include "upstream/user_info.hpp"

namespace cmux::redis {
namespace {

constexpr std::uint16_t kPort = 6379;
constexpr unsigned kMostDatabase = 9'999;

Error refused(std::string_view why) {
  return make_error(Errc::config,
                    fmt::format("expected redis://[user[:password]@]host[:port][/database] or rediss://…; {}", why));
}

}  // namespace

std::string Url::text() const {
  const net::Authority at{origin.host, origin.host.find(':') != std::string::npos, origin.port};
  return fmt::format("{}://{}{}", origin.tls ? "rediss" : "redis", at.text(), database ? fmt::format("/{}", database) : "");
}

Result<Url> parse_url(std::string_view text) {
  Url out;
  const std::size_t colon = text.find("://");
  const std::string scheme = colon == text.npos ? std::string() : net::to_lower(text.substr(0, colon));
  if (scheme != "redis" && scheme != "rediss") return refused("there are no other schemes");
  out.origin.tls = scheme == "rediss";
  std::string_view rest = text.substr(colon + 3);
  // Behind a password that holds a slash as it is stands no host that could be read.
  if (const std::size_t at = rest.rfind('@'); at != rest.npos) {
    const auto user = upstream::parse_user_info(rest.substr(0, at));
    if (!user) return refused("user or password holds a control character, or % without two digits (write %25)");
    out.username = user->username;
    out.password = user->password;
    if (out.password.empty() && rest.substr(0, at).find(':') != rest.npos) return refused("the password is empty");
    rest.remove_prefix(at + 1);
  }
  if (const std::size_t slash = rest.find('/'); slash != rest.npos) {
    const std::string_view digits = rest.substr(slash + 1);
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), out.database);
    const bool whole = read.ec == std::errc() && read.ptr == digits.data() + digits.size();
    if (!digits.empty() && (!whole || out.database > kMostDatabase)) return refused("the database is no number from 0 to 9999");
    rest = rest.substr(0, slash);
  }
  auto authority = net::parse_authority(rest);
  if (!authority) return refused(authority.error().detail);
  out.origin.host = authority->host;
  out.origin.port = authority->port.value_or(kPort);
  return out;
}

}  // namespace cmux::redis
