// Dialler: opens connections to origins, straight or through a parent proxy. One a worker, for its pool and its tunnels.
#pragma once

#include <memory>
#include <string>

#include "http1/client.hpp"
#include "net/dial.hpp"
#include "tls/client.hpp"
#include "upstream/origin.hpp"
#include "upstream/parent.hpp"

namespace cmux::upstream {

struct DiallerOptions {
  http1::ClientOptions http1;  // of what a parent may answer to CONNECT, the limits
  net::DialOptions dial;       // the time is for all but TLS with the origin: a parent's own TLS, and its answer, too
  tls::ClientSettings tls;
  milliseconds tls_timeout{10'000};
  Parents parents;
  std::string
      hop;  // what this instance calls itself towards parents, so that a request that comes round is known; empty: nothing
};

// What the connection is for.
enum class Use : std::uint8_t {
  requests,  // HTTP/1.1 that a parent may read
  bytes,     // what must reach the origin as it is
  own,       // the same, for who may reach the proxy's own listeners, too
};

struct Reached {
  std::unique_ptr<net::Transport> transport;
  std::shared_ptr<const DiallerOptions> options;  // that it was opened by
  const Parent* parent = nullptr;                 // of these, what it goes through; null: straight
  bool at_parent = false;                         // it ends there: requests are to have the form that a proxy wants
};

// What a request that has these hops behind it shows a parent: them, and this instance.
std::string with_hop(std::string_view hops, std::string_view hop);

// The error as one of the upstream side, naming the origin, and the parent on the way there.
Error upstream_error(Error error, const Origin& origin, const Parent* parent = nullptr);

class Dialler {
 public:
  Dialler(net::Resolver& resolver, std::shared_ptr<const DiallerOptions> options)
      : resolver_(resolver), options_(std::move(options)) {}
  Dialler(const Dialler&) = delete;

  // For what is opened from now on.
  void apply(std::shared_ptr<const DiallerOptions> options);

  // Without the origin's own TLS. `client`: whose share of the look-ups it takes (net/lookup.hpp). `hops`: of a CONNECT that is
  // passed on, those behind it.
  Task<Result<Reached>> reach(Origin origin, Use use, net::DialTiming* timing, std::string client, std::string hops = {});
  // TLS on top, verified for `origin`'s host. `alpn` as of tls::ClientContext.
  Task<Result<std::unique_ptr<net::Transport>>> secure(std::unique_ptr<net::Transport> transport, Origin origin,
                                                       std::string_view alpn);

 private:
  const Parent* parent_of(const Origin& origin, Use use) const;
  Task<Result<void>> pass(Reached& reached, const Origin& origin, const std::string& hops);

  net::Resolver& resolver_;
  std::shared_ptr<const DiallerOptions> options_;
  std::unique_ptr<tls::ClientContext> tls_;  // null: not needed yet; reading the system's CAs takes time
};

}  // namespace cmux::upstream
