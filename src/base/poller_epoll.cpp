#if defined(__linux__) && !defined(CMUX_PORTABLE_POLLER)

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "base/poller.hpp"

namespace cmux {
namespace {

class EpollPoller final : public Poller {
 public:
  EpollPoller() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    if (epoll_ < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  }
  ~EpollPoller() override { close(epoll_); }

  void add(Pollable& pollable) override {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.ptr = &pollable;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, pollable.fd, &event) != 0)
      throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }

  void remove(Pollable& pollable) noexcept override {
    epoll_ctl(epoll_, EPOLL_CTL_DEL, pollable.fd, nullptr);
    // It may still be in the batch that is being handed out.
    for (int i = next_; i < count_; ++i)
      if (batch_[static_cast<std::size_t>(i)].data.ptr == &pollable) batch_[static_cast<std::size_t>(i)].data.ptr = nullptr;
  }

  void wait(int limit) override {
    count_ = epoll_wait(epoll_, batch_.data(), static_cast<int>(batch_.size()), limit);
    for (next_ = 0; next_ < count_;) {
      const epoll_event& event = batch_[static_cast<std::size_t>(next_++)];
      if (!event.data.ptr) continue;
      const bool broken = event.events & (EPOLLERR | EPOLLHUP);
      report(*static_cast<Pollable*>(event.data.ptr), event.events & EPOLLIN, broken || event.events & EPOLLOUT,
             broken || event.events & EPOLLRDHUP);
    }
    count_ = 0;
  }

 private:
  int epoll_;
  int next_ = 0, count_ = 0;
  std::array<epoll_event, 256> batch_;
};

}  // namespace

std::unique_ptr<Poller> Poller::create() { return std::make_unique<EpollPoller>(); }

}  // namespace cmux

#endif
