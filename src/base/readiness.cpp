#include "base/readiness.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#if CMUX_LINUX
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <system_error>
#endif

namespace cmux {

using Descriptor = boost::asio::posix::stream_descriptor;

#if CMUX_LINUX

struct Readiness::State {
  explicit State(boost::asio::io_context& context)
      : epoll(epoll_create1(EPOLL_CLOEXEC)), bell(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), queue(std::in_place, context) {
    if (epoll < 0 || bell < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
    add(bell, EPOLLIN | EPOLLET, nullptr);  // never read: every write is an edge
    queue->assign(epoll);
  }
  ~State() {
    close(epoll);
    close(bell);
  }
  // Of one that is in it already: its edges that were told of come again.
  void add(int descriptor, std::uint32_t events, void* pointer) {
    epoll_event event{events, {pointer}};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0) return;
    if (errno != EEXIST || epoll_ctl(epoll, EPOLL_CTL_MOD, descriptor, &event) != 0)
      throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
  const int epoll, bell;
  std::optional<Descriptor> queue;  // the epoll descriptor: readable when something in it is ready
  bool armed = false;
  int next = 0, count = 0;
  std::array<epoll_event, 64> batch;  // a turn's: when a crowd leaves, its end is not all the work of one
};

Readiness::Readiness(boost::asio::io_context& context) : state_(std::make_unique<State>(context)) {}
Readiness::~Readiness() = default;

void Readiness::detach() {
  state_->queue->release();
  state_->queue.reset();
}

void Readiness::watch(Pollable& pollable) { state_->add(pollable.fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, &pollable); }

void Readiness::ring() noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(state_->bell, &one, sizeof one);
}

void Readiness::unwatch(Pollable& pollable) noexcept {
  epoll_ctl(state_->epoll, EPOLL_CTL_DEL, pollable.fd, nullptr);
  // It may still be in the batch that is being handed out.
  for (int i = state_->next; i < state_->count; ++i) {
    epoll_event& event = state_->batch[static_cast<std::size_t>(i)];
    if (event.data.ptr == &pollable) event.data.ptr = nullptr;
  }
}

void Readiness::arm() {
  if (std::exchange(state_->armed, true)) return;
  state_->queue->async_wait(Descriptor::wait_read, [state = state_.get()](const boost::system::error_code& failed) {
    if (!failed) state->armed = false;  // when it has failed the state may be gone
  });
}

int Readiness::take(int limit) {
  State& now = *state_;
  now.count = epoll_wait(now.epoll, now.batch.data(), static_cast<int>(now.batch.size()), limit);
  const int taken = now.count;
  for (now.next = 0; now.next < now.count;) {
    const epoll_event& event = now.batch[static_cast<std::size_t>(now.next++)];
    if (!event.data.ptr) continue;
    auto& pollable = *static_cast<Pollable*>(event.data.ptr);
    const bool broken = event.events & (EPOLLERR | EPOLLHUP);
    if (broken || event.events & EPOLLRDHUP) pollable.hang_up();
    if (pollable.hung_up || event.events & EPOLLIN) pollable.readable.set();
    if (broken || event.events & EPOLLOUT) pollable.writable.set();
  }
  now.count = 0;
  return taken;
}

#else

// Outlives its pollable for as long as Asio has a wait of it: a cancelled wait still comes back.
struct Waits : std::enable_shared_from_this<Waits> {
  Waits(boost::asio::io_context& context, Pollable& watched) : descriptor(context, watched.fd), pollable(&watched) {}
  ~Waits() { descriptor.release(); }  // the socket closes it

  void start(Descriptor::wait_type what, bool Waits::*waiting, Event Pollable::*flag) {
    if (std::exchange(this->*waiting, true)) return;
    descriptor.async_wait(what, [self = shared_from_this(), what, waiting, flag](const boost::system::error_code&) {
      (*self).*waiting = false;
      Pollable* const woken = self->pollable;
      if (!woken) return;
      (woken->*flag).set();
      if (what == Descriptor::wait_read && woken->on_readable) woken->on_readable(woken->readable_argument);
    });
  }
  Descriptor descriptor;
  Pollable* pollable;
  bool reading = false, writing = false;
};

void Pollable::await_readable() {
  readable.clear();
  waits->start(Descriptor::wait_read, &Waits::reading, &Pollable::readable);
}

void Pollable::await_writable() {
  writable.clear();
  waits->start(Descriptor::wait_write, &Waits::writing, &Pollable::writable);
}

struct Readiness::State {
  boost::asio::io_context& context;
};

Readiness::Readiness(boost::asio::io_context& context) : state_(new State{context}) {}
Readiness::~Readiness() = default;

void Readiness::detach() {}

void Readiness::watch(Pollable& pollable) {
  if (!pollable.waits) pollable.waits = std::make_shared<Waits>(state_->context, pollable);
}

void Readiness::unwatch(Pollable& pollable) noexcept {
  if (!pollable.waits) return;
  pollable.waits->pollable = nullptr;
  pollable.waits->descriptor.release();  // ends the waits, and not the descriptor
  pollable.waits.reset();
}

void Readiness::ring() noexcept {}
void Readiness::arm() {}
int Readiness::take(int) { return 0; }

#endif

}  // namespace cmux
