#include "net/linger.hpp"

namespace cmux::net {
namespace {

constexpr milliseconds kLinger{1'000};  // RFC 1928 section 6 allows ten seconds
constexpr std::uint64_t kMostDropped = 4 * 1024 * 1024;
constexpr std::size_t kRoom = 4096;

}  // namespace

Task<void> linger(Transport& transport, Buffer& in) {
  transport.shutdown_write();
  Deadline late([](void* silent) { static_cast<Transport*>(silent)->abort(make_error(Errc::timeout)); }, &transport);
  late.after(kLinger);
  for (std::uint64_t dropped = 0; dropped < kMostDropped;) {
    in.clear();
    const auto read = co_await read_some(transport, in, kRoom);
    if (!read || *read == 0) break;
    dropped += *read;
  }
}

}  // namespace cmux::net
