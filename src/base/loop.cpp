#include "base/loop.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "base/poller.hpp"

namespace cmux {
namespace {
thread_local Loop* current_loop = nullptr;
}

void resume_soon(std::coroutine_handle<> handle) { Loop::current().resume_soon(handle); }
void resume_last(std::coroutine_handle<> handle) { Loop::current().resume_last(handle); }

Loop& Loop::current() { return *current_loop; }

Loop::Loop() : poller_(Poller::create()), start_(Clock::now()), now_(start_) {
  int ends[2];
  if (pipe(ends) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  for (int end : ends) {
    fcntl(end, F_SETFL, fcntl(end, F_GETFL) | O_NONBLOCK);
    fcntl(end, F_SETFD, FD_CLOEXEC);
  }
  wake_read_.fd = ends[0];
  wake_write_ = ends[1];
  poller_->add(wake_read_);
  if (!current_loop) current_loop = this;
}

Loop::~Loop() {
  // What was posted may own what watches or waits on this loop.
  Loop* const before = std::exchange(current_loop, this);
  while (!posted_.empty()) std::exchange(posted_, {});
  current_loop = before == this ? nullptr : before;
  poller_->remove(wake_read_);
  close(wake_read_.fd);
  close(wake_write_);
}

void Loop::watch(Pollable& pollable) { poller_->add(pollable); }
void Loop::unwatch(Pollable& pollable) noexcept { poller_->remove(pollable); }

void Loop::stop() {
  post([this] { stop_ = true; });
}

void Loop::post(std::function<void()> work) {
  bool wake;
  {
    std::lock_guard lock(posted_mutex_);
    wake = posted_.empty();
    posted_.push_back(std::move(work));
  }
  if (wake) {
    const char byte = 0;
    // A full pipe already holds a wake-up.
    [[maybe_unused]] auto written = write(wake_write_, &byte, 1);
  }
}

void Loop::run() {
  current_loop = this;
  update_now();
  while (true) {
    run_ready();
    if (std::exchange(stop_, false)) return;
    poller_->wait(wait_limit());
    update_now();
    if (wake_read_.readable.is_set()) run_posted();
    fire_due();
  }
}

void Loop::run(Task<void> task) {
  Scope scope;
  struct Until {
    static Task<void> done(Loop& loop, Task<void> inner) {
      co_await inner;
      loop.stop();
    }
  };
  current_loop = this;
  scope.spawn(Until::done(*this, std::move(task)));
  run();
}

void Loop::run_ready() {
  // A few rounds, so that a wake-up between two coroutines needs no system call; then the sockets' turn, so that nobody starves:
  // not who waits for the end of the turn either.
  constexpr int kRounds = 8;
  for (int round = 0; round <= kRounds; ++round) {
    if (ready_.empty() || round == kRounds) ready_.insert(ready_.end(), last_.begin(), last_.end()), last_.clear();
    if (ready_.empty()) return;
    running_.swap(ready_);
    for (std::coroutine_handle<> handle : running_) handle.resume();
    running_.clear();
  }
}

void Loop::run_posted() {
  wake_read_.readable.clear();
  char drain[64];
  while (read(wake_read_.fd, drain, sizeof drain) > 0) {}
  std::vector<std::function<void()>> work;
  {
    std::lock_guard lock(posted_mutex_);
    work.swap(posted_);
  }
  for (auto& item : work) item();
}

void Loop::update_now() { now_ = Clock::now(); }

// --- timers -----------------------------------------------------------------------------------------------------------------

void Deadline::after(milliseconds delay) {
  if (delay.count() <= 0) return cancel();
  Loop& loop = Loop::current();
  const auto since = std::chrono::duration_cast<milliseconds>(loop.now_ - loop.start_ + delay);
  tick_ = static_cast<std::uint64_t>(since / Loop::kTick) + 2;  // never early
  if (link_ && tick_ >= linked_tick_) return;                   // found late when its slot comes: moved then
  unlink();
  loop.link(*this);
}

void Deadline::unlink() {
  if (!link_) return;
  *link_ = next_;
  if (next_) next_->link_ = link_;
  link_ = nullptr;
  --Loop::current().armed_;
}

void Loop::link(Deadline& deadline) {
  // One past the turn that is being fired at the most, so that no slot holds two turns of the wheel.
  deadline.linked_tick_ = std::min(std::max(deadline.tick_, tick_ + 1), tick_ + kSlots - 1);
  Deadline*& head = wheel_[deadline.linked_tick_ % kSlots];
  deadline.next_ = head;
  if (head) head->link_ = &deadline.next_;
  deadline.link_ = &head;
  head = &deadline;
  ++armed_;
}

void Loop::fire_due() {
  const auto target = static_cast<std::uint64_t>(std::chrono::duration_cast<milliseconds>(now_ - start_) / kTick) + 1;
  if (armed_ == 0) {
    tick_ = std::max(tick_, target);
    return;
  }
  while (tick_ < target) {
    ++tick_;
    while (Deadline* deadline = wheel_[tick_ % kSlots]) {
      deadline->unlink();
      if (deadline->tick_ == 0) continue;
      if (deadline->tick_ > tick_) {
        link(*deadline);
        continue;
      }
      deadline->tick_ = 0;
      deadline->callback_(deadline->argument_);
    }
  }
}

int Loop::wait_limit() const {
  if (!ready_.empty() || !last_.empty()) return 0;
  if (armed_ == 0) return -1;
  for (std::uint64_t ahead = 1; ahead < kSlots; ++ahead)
    if (wheel_[(tick_ + ahead) % kSlots]) {
      const auto due = start_ + (tick_ + ahead - 1) * kTick;
      const auto left = std::chrono::duration_cast<milliseconds>(due - now_).count() + 1;
      return left < 0 ? 0 : static_cast<int>(left);
    }
  return -1;
}

namespace {
void set_event(void* event) { static_cast<Event*>(event)->set(); }
}  // namespace

Task<void> sleep_for(milliseconds delay) {
  Event elapsed;
  Deadline deadline(set_event, &elapsed);
  deadline.after(delay);
  co_await elapsed;
}

}  // namespace cmux
