#include "base/error.hpp"

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include <fmt/format.h>

namespace cmux {

std::string_view name_of(Errc code) {
  switch (code) {
    case Errc::closed: return "closed";
    case Errc::reset: return "reset";
    case Errc::refused: return "refused";
    case Errc::unreachable: return "unreachable";
    case Errc::dns: return "dns";
    case Errc::connect_timeout: return "connect-timeout";
    case Errc::timeout: return "timeout";
    case Errc::tls: return "tls";
    case Errc::certificate: return "certificate";
    case Errc::malformed: return "malformed";
    case Errc::too_large: return "too-large";
    case Errc::unsupported: return "unsupported";
    case Errc::loop: return "loop";
    case Errc::cancelled: return "cancelled";
    case Errc::limit: return "limit";
    case Errc::busy: return "busy";
    case Errc::config: return "config";
    case Errc::system: return "system";
  }
  return "unknown";
}

Remedy Error::remedy() const {
  if (side == Side::downstream) return Remedy::change;
  switch (code) {
    case Errc::refused:
    case Errc::unreachable:
    case Errc::dns:
    case Errc::connect_timeout:
    case Errc::tls:
    case Errc::certificate: return Remedy::elsewhere;
    default: break;
  }
  if (!retryable) return Remedy::none;
  return untouched ? Remedy::resend : Remedy::repeat;
}

Error from_errno(int number, std::string_view doing) {
  Errc code = Errc::system;
  switch (number) {
    case ECONNREFUSED: code = Errc::refused; break;
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE: code = Errc::reset; break;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EADDRNOTAVAIL: code = Errc::unreachable; break;
    case ETIMEDOUT: code = Errc::connect_timeout; break;
    default: break;
  }
  return make_error(code, fmt::format("{}: {}", doing, std::strerror(number)));
}

void throw_exception_from_error(const Error& error, const boost::source_location&) {
  throw std::runtime_error(fmt::format("{}: {}", name_of(error.code), error.detail));
}

}  // namespace cmux
