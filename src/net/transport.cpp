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
    into.shrink();
    if (stopped && *stopped) co_return make_error(Errc::cancelled);
    co_await transport.readable();
  }
}

namespace {

using Three = std::array<std::string_view, 3>;

// Takes what was written off the pieces. True: nothing is left.
bool drop_written(Three& pieces, const Io& io) {
  std::size_t left = io.state == Io::State::moved ? io.count : 0, rest = 0;
  for (std::string_view& piece : pieces) {
    const std::size_t taken = std::min(left, piece.size());
    piece.remove_prefix(taken);
    left -= taken;
    rest += piece.size();
  }
  return rest == 0;
}

// Whether the peer of a write that waits takes anything. The system tells of room only once there is plenty of it, which may take
// a slow reader of a large buffer longer than the limit: so what it has acknowledged is looked at now and then.
class Stall {
 public:
  Stall(Transport& transport, milliseconds limit) : transport_(transport), step_((limit + milliseconds(kLooks - 1)) / kLooks) {
    progress();
  }
  void progress() {
    looks_ = 0;
    deadline_.after(step_);
  }
  bool over() const { return looks_ > kLooks; }
  // ... and what the peer was sent before lies where it lay. The system may have room for more by now: it makes its buffers
  // larger.
  bool deaf() const { return over() && waiting_ > 0; }

 private:
  static constexpr int kLooks = 8;
  void look() {
    const std::size_t now = transport_.unacknowledged();
    // The first look has nothing to compare with.
    if (looks_ > 0 && now < waiting_) looks_ = 0;
    waiting_ = now;
    if (++looks_ > kLooks) transport_.writable().set();
    else deadline_.after(step_);
  }

  Transport& transport_;
  const milliseconds step_;
  int looks_ = 0;
  std::size_t waiting_ = 0;
  Deadline deadline_{[](void* self) { static_cast<Stall*>(self)->look(); }, this};
};

// What could not be written at once. Apart, so that what can be pays for no timer.
Task<Result<void>> write_rest(Transport& transport, milliseconds limit, Three pieces) {
  Stall stall(transport, limit);
  for (bool blocked = true;;) {
    if (blocked) co_await transport.writable();
    if (stall.deaf()) break;
    const Io io = transport.write(pieces);
    if (io.state == Io::State::failed) co_return transport.error();
    if (drop_written(pieces, io)) co_return Result<void>{};
    blocked = io.state == Io::State::blocked;
    if (!blocked) stall.progress();
    else if (stall.over()) break;
  }
  co_return make_error(Errc::timeout, "the peer has taken nothing of what waits for it in time");
}

}  // namespace

Task<Result<void>> write_all(Transport& transport, milliseconds limit, std::string_view first, std::string_view second,
                             std::string_view third) {
  Three pieces{first, second, third};
  while (true) {
    const Io io = transport.write(pieces);
    if (io.state == Io::State::failed) co_return transport.error();
    if (drop_written(pieces, io)) co_return Result<void>{};
    if (io.state == Io::State::blocked) co_return co_await write_rest(transport, limit, pieces);
  }
}

}  // namespace cmux::net
