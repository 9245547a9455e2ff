#if !defined(__linux__) || defined(CMUX_PORTABLE_POLLER)

#include <poll.h>

#include "base/poller.hpp"

namespace cmux {
namespace {

// Asks only for what a flag does not say yet, so that a ready but unread socket does not spin the loop.
class PollPoller final : public Poller {
 public:
  void add(Pollable& pollable) override {
    pollable.slot = watched_.size();
    watched_.push_back(&pollable);
  }

  void remove(Pollable& pollable) noexcept override {
    watched_[pollable.slot] = watched_.back();
    watched_[pollable.slot]->slot = pollable.slot;
    watched_.pop_back();
    for (Pollable*& waiting : batch_)
      if (waiting == &pollable) waiting = nullptr;
  }

  void wait(int limit) override {
    descriptors_.clear();
    batch_.clear();
    for (Pollable* pollable : watched_) {
      short events = 0;
      if (!pollable->readable.is_set()) events |= POLLIN;
      if (!pollable->writable.is_set()) events |= POLLOUT;
#ifdef POLLRDHUP
      if (!pollable->hung_up) events |= POLLRDHUP;
#endif
      if (events == 0) continue;
      descriptors_.push_back({pollable->fd, events, 0});
      batch_.push_back(pollable);
    }
    if (poll(descriptors_.data(), static_cast<nfds_t>(descriptors_.size()), limit) <= 0) return;
    for (std::size_t i = 0; i < descriptors_.size(); ++i) {
      const short events = descriptors_[i].revents;
      if (events == 0 || !batch_[i]) continue;
      const bool broken = events & (POLLERR | POLLHUP | POLLNVAL);
      bool ended = broken;
#ifdef POLLRDHUP
      ended = ended || events & POLLRDHUP;
#endif
      report(*batch_[i], events & POLLIN, broken || events & POLLOUT, ended);
    }
  }

 private:
  std::vector<Pollable*> watched_, batch_;
  std::vector<pollfd> descriptors_;
};

}  // namespace

std::unique_ptr<Poller> Poller::create() { return std::make_unique<PollPoller>(); }

}  // namespace cmux

#endif
