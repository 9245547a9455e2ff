// Hosts, ports and authorities as text, and socket addresses. Everything is parsed whole; nothing is matched by prefix.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace cmux::net {

// A host as a client wrote it, normalised: lower case, no brackets, no trailing dot. An IPv6 literal keeps the client's spelling
// ("::ffff:7f00:1" stays so: servers compare it with what the browser sends), a zone id keeps its case.
struct Authority {
  std::string host;  // "localhost", "127.0.0.1", "::1", "fe80::1%eth0"
  bool ipv6 = false;
  std::optional<std::uint16_t> port;  // 1 to 65535

  // "host", "host:port" or "[v6]:port" (RFC 3986 section 3.2), a zone id as "%25eth0" (RFC 6874).
  std::string text() const;
};

// Parses "host[:port]". Errors are Errc::malformed with status 400, and never quote the text, which may hold a password: user
// info, an empty host, an empty port, port 0 or above 65535, stray characters, percent-encoding, a bare IPv6 literal with more
// than one reading ("::1:80"). Names may hold letters, digits, '-', '_' and '.', each label 1 to 63 characters, 253 in all.
// Shortened and non-decimal IPv4 ("127.1", "0x7f.1") passes as a name: only what the resolver makes of it counts then.
Result<Authority> parse_authority(std::string_view text);

// A decimal port, 1 to 65535, digits only.
std::optional<std::uint16_t> parse_port(std::string_view text);

// localhost, *.localhost, 127.0.0.0/8, ::1 (in any spelling, with any zone), ::ffff:127.x.y.z, 0.0.0.0, ::.
// `host` is normalised as in Authority. IPv4 is dotted decimal with four parts, and nothing else.
// Names under cmux.localhost are loopback here; policy::is_loopback_target() knows the exceptions.
bool is_loopback_name(std::string_view host);

// Is `host` equal to `domain`, or a name under it? Both normalised. Nothing is under an empty domain.
bool is_under(std::string_view host, std::string_view domain);

// A DNS name: labels of 1 to 63 letters, digits and inner dashes, in either case, 253 characters in all, no trailing dot.
bool is_dns_name(std::string_view text);

// `text` with ASCII letters in lower case.
std::string to_lower(std::string_view text);

// An IP address and a port, or a Unix socket's path. A default one is neither, with size 0. A plain value: copies are
// independent.
struct Endpoint {
  sockaddr_storage storage{};
  socklen_t size = 0;

  // No name look-up, no brackets. A zone id is an interface's name or number; an interface that does not exist gives nothing.
  static std::optional<Endpoint> from_ip(std::string_view ip, std::uint16_t port);
  // Errc::config for an empty path, one with a NUL, or one that does not fit (107 bytes on Linux).
  static Result<Endpoint> from_unix(std::string_view path);
  std::uint16_t port() const;         // host byte order; 0 for a Unix socket
  void set_port(std::uint16_t port);  // nothing for a Unix socket
  bool is_unix() const { return storage.ss_family == AF_UNIX; }
  bool is_any() const;       // 0.0.0.0, :: or ::ffff:0.0.0.0
  bool is_loopback() const;  // 127/8, ::1, ::ffff:127/104
  // The same IP address, whatever it is called: ::ffff:127.0.0.1 is 127.0.0.1, and a zone tells only link-local addresses apart
  // (RFC 4007 section 6). False for Unix sockets; ports are not looked at.
  bool same_ip(const Endpoint& other) const;
  std::string ip() const;    // "127.0.0.1", "::1", "fe80::1%eth0"; empty for a Unix socket
  std::string text() const;  // "127.0.0.1:80", "[::1]:80", "unix:/path"
};

}  // namespace cmux::net
