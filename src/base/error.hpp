// Errors as values. Every operation of the data path returns a Result; exceptions are for start-up and for bugs.
#pragma once

#include <boost/system/result.hpp>
#include <cstdint>
#include <string>
#include <string_view>

namespace cmux {

// What went wrong, in the terms of the proxy's answers (RFC 9209 section 2.3 where it has a name for it).
enum class Errc : std::uint8_t {
  closed,       // the peer ended the connection where a message had to go on
  reset,        // the connection was reset
  refused,      // connection refused
  unreachable,  // no route, network down
  dns,          // the name does not resolve
  dns_timeout,  // nobody said in time whether it does
  connect_timeout,
  timeout,      // the peer did not go on in time
  tls,          // handshake or record failure
  certificate,  // the peer's certificate was not accepted
  malformed,    // the peer broke the protocol
  too_large,    // something is over a limit
  unsupported,  // valid, but not offered here
  loop,         // the destination is this process
  cancelled,    // given up by our side: the other end of the exchange is gone
  limit,        // a configured limit on connections or streams
  config,       // refused settings or arguments
  system,       // the operating system refused: detail says what
};

enum class Side : std::uint8_t { local, downstream, upstream };

struct Error {
  Errc code = Errc::system;
  Side side = Side::local;
  bool retryable = false;    // the peer cannot have acted on the request
  std::uint16_t status = 0;  // the HTTP status that says it best, where the code alone does not
  std::string detail;        // for people; never holds a secret
};

template <class T = void>
using Result = boost::system::result<T, Error>;

inline Error make_error(Errc code, std::string detail = {}) { return Error{code, Side::local, false, 0, std::move(detail)}; }

// A short name for logs, metrics and Proxy-Status.
std::string_view name_of(Errc code);

// The errno of a failed connect, read or write as an Error.
Error from_errno(int number, std::string_view doing);

[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& where);

}  // namespace cmux
