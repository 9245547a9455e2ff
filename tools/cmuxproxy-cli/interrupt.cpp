#include "interrupt.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace cmux::cli {
namespace {

int pipe_end = -1;  // a handler can reach nothing else

extern "C" void on_signal(int number) {
  const int saved = errno;
  const auto byte = static_cast<unsigned char>(number);
  [[maybe_unused]] const auto written = write(pipe_end, &byte, 1);
  errno = saved;
}

void set_handlers(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = handler == SIG_DFL ? 0 : static_cast<int>(SA_RESETHAND);
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

Interrupt::Interrupt(std::function<void()> callback) : callback_(std::move(callback)) {
  int ends[2];
  if (pipe(ends) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  for (const int end : ends) {
    fcntl(end, F_SETFL, O_NONBLOCK);
    fcntl(end, F_SETFD, FD_CLOEXEC);
  }
  pollable_.fd = ends[0];
  pipe_end = ends[1];
  Loop::current().watch(pollable_);
  scope_.spawn(run());
  set_handlers(on_signal);
}

Interrupt::~Interrupt() {
  Loop::current().unwatch(pollable_);
  close(pollable_.fd);
  close(pipe_end);
}

Task<void> Interrupt::run() {
  while (!stopped_ && signal_ == 0) {
    unsigned char byte = 0;
    if (read(pollable_.fd, &byte, 1) == 1) {
      signal_ = byte;
      callback_();
      break;
    }
    pollable_.readable.clear();
    co_await pollable_.readable;
  }
}

Task<void> Interrupt::stop() {
  set_handlers(SIG_DFL);
  stopped_ = true;
  pollable_.readable.set();
  co_await scope_.join();
}

}  // namespace cmux::cli
