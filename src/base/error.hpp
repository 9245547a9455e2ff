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
  busy,         // the peer takes no more for now: a limit of its own
  config,       // refused settings or arguments
  system,       // the operating system refused: detail says what
};

enum class Side : std::uint8_t { local, downstream, upstream };

// What whoever has sent a request may do about the error that it ended in.
enum class Remedy : std::uint8_t {
  none,       // nothing: the peer may have acted on it, or has said what is to be said
  repeat,     // send it once more over a new connection: the peer may have acted on it, but twice is like once (RFC 9110
              // section 9.2.2)
  resend,     // ... whatever it is, and whoever sends it, the client too: the peer has not acted on it
  elsewhere,  // there is no connection: another address, or another time
  change,     // it is the client's fault: another request
};

struct Error {
  Errc code = Errc::system;
  Side side = Side::local;
  bool retryable = false;    // the request may be sent once more over a new connection
  std::uint16_t status = 0;  // the HTTP status that says it best, where the code alone does not
  std::string detail;        // for people; never holds a secret
  bool untouched = false;    // with `retryable`: the peer cannot have acted on the request

  Remedy remedy() const;
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
