#include "base/loop.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

namespace cmux {
namespace {

thread_local Loop* current_loop = nullptr;

// So many turns may pass without Asio while the sockets keep the loop busy.
constexpr unsigned kMostSkipped = 16;

void set_event(void* event) { static_cast<Event*>(event)->set(); }

}  // namespace

void resume_soon(std::coroutine_handle<> handle) { Loop::current().resume_soon(handle); }
void resume_last(std::coroutine_handle<> handle) { Loop::current().resume_last(handle); }

Loop& Loop::current() { return *current_loop; }

// One thread runs it, others post: the reactor needs no locks, the queue does.
Loop::Loop()
    : context_(std::make_unique<boost::asio::io_context>(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO)),
      readiness_(*context_),
      now_(Clock::now()),
      wheel_(now_) {
  context_->get_executor().on_work_started();  // never out of work: run_one() waits
  if (!current_loop) current_loop = this;
}

Loop::~Loop() {
  // What was posted goes without having run. It may own what watches or waits on this loop.
  Loop* const before = std::exchange(current_loop, this);
  readiness_.detach();
  context_.reset();
  current_loop = before == this ? nullptr : before;
}

void Loop::stop() {
  post([this] { stop_ = true; });
}

// The order matters: either the loop sees the post before it waits, or this sees that it waits.
void Loop::post(std::function<void()> work) {
  posts_.fetch_add(1);
  boost::asio::post(*context_, [this, work = std::move(work)] {
    posts_.fetch_sub(1);
    now_ = Clock::now();  // it runs where the loop has waited, however long: deadlines that it sets count from here
    work();
  });
  if (alone_.exchange(false)) readiness_.ring();
}

void Loop::run() {
  current_loop = this;
  now_ = Clock::now();
  while (true) {
    run_ready();
    if (std::exchange(stop_, false)) return;
    wait();
    now_ = Clock::now();
    wheel_.fire(now_);
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

// One Asio handler a turn at the most: those that are left come without a system call, and the coroutines that one has woken run
// before the next. (A turn that is a posted handler itself would cost a second epoll_wait(2): posts run behind the reactor.)
void Loop::wait() {
  const bool more = !ready_.empty() || !last_.empty();
  if (Readiness::kStandsAlone && asio_waits_ == 0 && wait_alone(more)) return;
  if ((busy_ || more) && take_without_asio()) return;
  readiness_.arm();
  skipped_ = 0;
  const milliseconds left = wheel_.left(now_);
  if (more) context_->poll_one();
  else if (left.count() < 0) context_->run_one();
  else context_->run_one_for(left);
  busy_ = readiness_.take(0) > 1;
}

// While Asio waits for nothing but posts, as on a worker that only moves bytes, waiting for the sockets needs no more than
// itself.
bool Loop::wait_alone(bool more) {
  if (!more) alone_.store(true);
  if (posts_.load() != 0) {
    alone_.store(false);
    return false;
  }
  readiness_.take(more ? 0 : static_cast<int>(wheel_.left(now_).count()));
  alone_.store(false);
  return true;
}

// Under load the next events are there already: one call then gets them, where waiting for the descriptor through Asio takes
// three.
bool Loop::take_without_asio() {
  if (++skipped_ > kMostSkipped) return false;
  const int taken = readiness_.take(0);
  busy_ = taken > 1;
  return taken > 0;
}

Task<void> sleep_for(milliseconds delay) {
  Event elapsed;
  Deadline deadline(set_event, &elapsed);
  deadline.after(delay);
  co_await elapsed;
}

}  // namespace cmux
