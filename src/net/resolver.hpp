// Names to addresses: overrides first, then literals, then localhost without DNS, then the system's resolver (net/lookup), cached
// for a short time. One a worker, on its thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/list.hpp"
#include "net/lookup.hpp"

namespace cmux::net {

// "*.cmux.test=127.0.0.1:8443": a glob over the host ('*' and '?'), an IP address, and optionally another port.
struct Override {
  std::string pattern, ip;
  std::uint16_t port = 0;  // 0: the asked one
};
Result<Override> parse_override(std::string_view text);
bool matches_glob(std::string_view pattern, std::string_view text);

// How long addresses are kept, and of how many names; then all are forgotten.
struct CacheLimits {
  milliseconds good_for{10'000};
  std::size_t names = 1024;
};

class Resolver {
 public:
  explicit Resolver(std::vector<Override> overrides = {}, Lookups* lookups = nullptr, CacheLimits limits = {});
  ~Resolver();

  // All addresses in the order to try them (RFC 8305 section 4: families in turn). Never empty on success. `host` is normalised.
  // Errors: Errc::dns; Errc::dns_timeout when `timeout` (0: none) has passed; Errc::limit when too many wait; Errc::cancelled.
  // `client` has a share of the look-ups of its own.
  Task<Result<std::vector<Endpoint>>> resolve(std::string host, std::uint16_t port, milliseconds timeout = milliseconds(0),
                                              std::string client = {});
  // The host is where an override says.
  bool overrides(std::string_view host) const { return override_of(host) != nullptr; }
  // Other overrides, for what is asked from now on.
  void apply(std::vector<Override> overrides) { overrides_ = std::move(overrides); }
  // Ends every wait, from now on.
  void cancel();

 private:
  struct Lookup;
  struct Waiter;
  struct Cached {
    std::vector<Endpoint> endpoints;
    Clock::time_point until;
  };
  const Override* override_of(std::string_view host) const;
  Result<Lookup*> look_up(const std::string& host, const std::string& client);
  void answered(const std::string& host, Lookups::Answer answer);
  void keep(const std::string& host, const std::vector<Endpoint>& endpoints);

  std::vector<Override> overrides_;
  Lookups* lookups_;  // null: the process's, once it is needed
  const CacheLimits limits_;
  std::map<std::string, Cached, std::less<>> cache_;
  std::map<std::string, std::unique_ptr<Lookup>, std::less<>> running_;
  bool cancelled_ = false;
  std::shared_ptr<Resolver*> self_ = std::make_shared<Resolver*>(this);  // for answers that come when this is gone
};

}  // namespace cmux::net
