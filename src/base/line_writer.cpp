#include "base/line_writer.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/signals.hpp"

namespace cmux {
namespace {

constexpr std::size_t kKept = 16 * 1024;  // of memory for the next lines; a burst's is given back

void empty(std::string& text) {
  text.clear();
  if (text.capacity() > kKept) text.shrink_to_fit();
}

// False: the descriptor takes nothing, for good or for now.
bool write_out(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(descriptor, text.data(), text.size());
    if (count > 0) {
      text.remove_prefix(static_cast<std::size_t>(count));
    } else if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      pollfd wanted{descriptor, POLLOUT, 0};
      if (::poll(&wanted, 1, -1) < 0 && errno != EINTR) return false;
    } else if (count == 0 || errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace

struct LineWriter::State {
  State(int number, Gap make_gap, bool closes) : descriptor(number), gap(std::move(make_gap)), owned(closes) {}
  void run();

  const int descriptor;
  const Gap gap;
  const bool owned;

  std::mutex mutex;  // guards what follows
  std::condition_variable wake, written;
  std::string pending;                 // lines that wait
  std::uint64_t lines = 0, lost = 0;   // in `pending`; dropped behind them
  std::uint64_t added = 0, taken = 0;  // lines in all: left in the queue; through with, whether written or not
  std::uint64_t dropped = 0;
  bool asleep = false;   // the thread waits to be woken
  bool hurried = false;  // somebody waits for it
  bool ending = false;   // nothing comes any more
};

// Between two looks at the queue the thread stays away for a moment, so that a busy time costs neither a system call nor a switch
// of threads a line.
void LineWriter::State::run() {
  std::string batch;
  std::uint64_t failed = 0;  // lines that were not written since the last that was
  std::unique_lock lock(mutex);
  while (true) {
    asleep = true;
    wake.wait(lock, [this] { return lines > 0 || lost > 0 || ending; });
    asleep = false;
    if (lines == 0 && lost == 0) break;
    batch.swap(pending);
    const std::uint64_t count = std::exchange(lines, 0), behind = std::exchange(lost, 0);
    lock.unlock();
    if (failed > 0 && gap) batch.insert(0, gap(failed));
    if (behind > 0 && gap) batch += gap(behind);
    const bool done = write_out(descriptor, batch);
    empty(batch);
    failed = done ? 0 : failed + count + behind;
    lock.lock();
    taken += count;
    if (!done) dropped += count;
    written.notify_all();
    wake.wait_for(lock, kGather, [this] { return hurried || ending || pending.size() > kMost / 2; });
    hurried = false;
  }
  if (owned) ::close(descriptor);
}

LineWriter::LineWriter(int descriptor, Gap gap, bool owned) : state_(std::make_shared<State>(descriptor, std::move(gap), owned)) {
  const SignalsBlocked blocked;
  std::thread([state = state_] { state->run(); }).detach();
}

LineWriter::~LineWriter() {
  const std::lock_guard lock(state_->mutex);
  state_->ending = true;
  state_->wake.notify_one();
}

void LineWriter::add(std::string_view line, Rank rank) {
  State& state = *state_;
  const std::lock_guard lock(state.mutex);
  const std::size_t most = rank == Rank::important ? kMost + kReserved : kMost;
  // Behind a gap come only important ones, until the gap can be told.
  if (state.pending.size() + line.size() > most || (state.lost > 0 && rank == Rank::usual)) {
    ++state.lost;
    ++state.dropped;
  } else {
    state.pending += line;
    ++state.lines;
    ++state.added;
  }
  if (state.asleep || state.pending.size() > kMost / 2) state.wake.notify_one();
}

bool LineWriter::flush(milliseconds limit) {
  State& state = *state_;
  std::unique_lock lock(state.mutex);
  const std::uint64_t wanted = state.added;
  state.hurried = true;
  state.wake.notify_one();
  return state.written.wait_for(lock, limit, [&] { return state.taken >= wanted; });
}

std::uint64_t LineWriter::dropped() const {
  const std::lock_guard lock(state_->mutex);
  return state_->dropped;
}

}  // namespace cmux
