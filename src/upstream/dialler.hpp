// Dialler: opens connections to origins, straight or through a parent proxy. One a worker, for its pool and its tunnels.
#pragma once

#include <memory>
#include <string>
#include <vector>

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
};

// What the connection is for.
enum class Use : std::uint8_t {
  requests,  // HTTP/1.1 that a parent may read
  bytes,     // what must reach the origin as it is
  own,       // the same, for who may reach the proxy's own listeners, too
};

struct Reached {
  std::unique_ptr<net::Transport> transport;
  const Parent* parent = nullptr;  // what it goes through; null: straight
  bool at_parent = false;          // it ends there: requests are to have the form that a proxy wants
};

// The error as one of the upstream side, naming the origin, and the parent on the way there.
Error upstream_error(Error error, const Origin& origin, const Parent* parent = nullptr);

class Dialler {
 public:
  // `options` outlive it, and so do those of apply().
  Dialler(net::Resolver& resolver, const DiallerOptions& options) : resolver_(resolver), options_(&options) {}
  Dialler(const Dialler&) = delete;

  // For what is opened from now on.
  void apply(const DiallerOptions& options);

  // Without the origin's own TLS. `client`: whose share of the look-ups it takes (net/lookup.hpp).
  Task<Result<Reached>> reach(Origin origin, Use use, net::DialTiming* timing, std::string client);
  // TLS on top, verified for `origin`'s host. `alpn` as of tls::ClientContext.
  Task<Result<std::unique_ptr<net::Transport>>> secure(std::unique_ptr<net::Transport> transport, Origin origin,
                                                       std::string_view alpn);

 private:
  const Parent* parent_of(const Origin& origin, Use use) const;
  Task<Result<void>> pass(Reached& reached, const Origin& origin);

  net::Resolver& resolver_;
  const DiallerOptions* options_;
  // The last one is in use; others outlive what was made with them. Reading the system's CAs takes time: not before they are
  // needed.
  std::vector<std::unique_ptr<tls::ClientContext>> tls_;
};

}  // namespace cmux::upstream
