// Names to addresses: overrides first, then literals, then localhost without DNS, then the system's resolver on threads of its
// own, cached for a short time. One a worker; the threads outlive it only as long as a look-up hangs.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/loop.hpp"
#include "net/address.hpp"

namespace cmux::net {

// "*.cmux.test=127.0.0.1:8443": a glob over the host ('*' and '?'), an IP address, and optionally another port.
struct Override {
  std::string pattern, ip;
  std::uint16_t port = 0;  // 0: the asked one
};
Result<Override> parse_override(std::string_view text);
bool matches_glob(std::string_view pattern, std::string_view text);

class Resolver {
 public:
  explicit Resolver(std::vector<Override> overrides = {});
  ~Resolver();

  // All addresses in the order to try them (RFC 8305 section 4: families in turn). Never empty on success. `host` is normalised.
  Task<Result<std::vector<Endpoint>>> resolve(const std::string& host, std::uint16_t port);

 private:
  struct Lookup;
  struct Cached {
    std::vector<Endpoint> endpoints;
    Clock::time_point until;
  };
  std::vector<Override> overrides_;
  std::map<std::string, Cached, std::less<>> cache_;
  std::map<std::string, std::shared_ptr<Lookup>, std::less<>> running_;
};

}  // namespace cmux::net
