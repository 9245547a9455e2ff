// Inverse: destination_of() the other way round, from a workspace's URL to the loopback port that leads there. Pure.
#pragma once

#include "policy/route.hpp"

namespace cmux::policy {

class Inverse {
 public:
  struct Found {
    std::uint16_t port = 0;
    std::size_t prefix = 0;  // how many bytes of the path are the route's own (Destination::path_prefix)
  };

  Inverse() = default;  // finds nothing
  // `destination` is where the route takes that target.
  Inverse(const Route& route, Scheme target_scheme, std::string_view target_host, std::uint16_t target_port,
          const Destination& destination);

  // The port of the URL with that scheme, authority and what follows (path, query, fragment). A URL without a scheme ("//host/",
  // RFC 3986 section 4.2) has the destination's. Plain http counts as the https destination's, on the same port or both on
  // their usual ones: dev servers behind something that speaks TLS for them do not know better. https is not taken for a plain
  // destination: a server that insists on https would send its clients in circles. Where the route has one place for all
  // ports (cmuxProxyOrigin), the port is the target's.
  std::optional<Found> find(std::optional<Scheme> scheme, const net::Authority& authority, std::string_view path) const;

  // The same for an origin alone. Where it does not tell the ports apart, the port is the target's.
  std::optional<std::uint16_t> find_origin(Scheme scheme, const net::Authority& authority) const;

 private:
  std::optional<std::string> place(std::optional<Scheme> scheme, const net::Authority& authority) const;
  std::optional<Found> match(std::string_view shape, std::string_view text) const;

  // "host:port/prefix", with a byte that no URL holds wherever the port stands.
  std::string shape_;
  std::size_t authority_size_ = 0;  // of shape_, before the prefix
  Scheme scheme_ = Scheme::http;
  std::uint16_t target_port_ = 0;
};

}  // namespace cmux::policy
