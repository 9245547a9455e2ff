#include "net/transport.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace cmux::net {

Io Transport::read(std::span<char> into) {
  if (prefix_.empty()) return read_through(into);
  const std::size_t count = std::min(into.size(), prefix_.size());
  std::memcpy(into.data(), prefix_.view().data(), count);
  prefix_.consume(count);
  if (prefix_.empty()) prefix_.release();
  return Io::moved(count);
}

void Transport::unread(std::string_view bytes) {
  Buffer joined;
  joined.append(bytes);
  joined.append(prefix_.view());
  prefix_ = std::move(joined);
}

Task<Result<std::size_t>> read_some(Transport& transport, Buffer& into, std::size_t room, const bool* stopped) {
  while (true) {
    const Io io = transport.read(into.prepare(room));
    switch (io.state) {
      case Io::State::moved: into.commit(io.count); co_return io.count;
      case Io::State::end: co_return std::size_t{0};
      case Io::State::failed: co_return transport.error();
      case Io::State::blocked: break;
    }
    if (into.empty()) into.release();  // who only waits holds no memory
    if (stopped && *stopped) co_return make_error(Errc::cancelled);
    co_await transport.readable();
  }
}

Task<Result<void>> write_all(Transport& transport, std::string_view first, std::string_view second, std::string_view third) {
  std::array<std::string_view, 3> pieces{first, second, third};
  while (true) {
    const Io io = transport.write(pieces);
    if (io.state == Io::State::failed) co_return transport.error();
    std::size_t left = io.state == Io::State::moved ? io.count : 0, rest = 0;
    for (std::string_view& piece : pieces) {
      const std::size_t taken = std::min(left, piece.size());
      piece.remove_prefix(taken);
      left -= taken;
      rest += piece.size();
    }
    if (rest == 0) co_return Result<void>{};
    if (io.state == Io::State::blocked) co_await transport.writable();
  }
}

}  // namespace cmux::net
