#include "app/signals.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace cmux::app {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
int write_end = -1;

void handler(int number) {
  const int kept = errno;
  const char byte = static_cast<char>(number);
  [[maybe_unused]] auto written = write(write_end, &byte, 1);
  errno = kept;
}

}  // namespace

Signals::Signals(std::function<void(int)> callback) : callback_(std::move(callback)) {
  int ends[2];
  if (pipe(ends) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  for (int end : ends) {
    fcntl(end, F_SETFL, fcntl(end, F_GETFL) | O_NONBLOCK);
    fcntl(end, F_SETFD, FD_CLOEXEC);
  }
  pollable_.fd = ends[0];
  write_end = ends[1];
  Loop::current().watch(pollable_);
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  for (int number : kSignals) sigaction(number, &action, nullptr);
}

Signals::~Signals() {
  for (int number : kSignals) signal(number, SIG_DFL);
  Loop::current().unwatch(pollable_);
  ::close(pollable_.fd);
  ::close(write_end);
}

void Signals::close() {
  closed_ = true;
  pollable_.readable.set();
}

Task<void> Signals::run() {
  while (!closed_) {
    co_await pollable_.readable;
    char byte = 0;
    if (read(pollable_.fd, &byte, 1) == 1) callback_(byte);
    else pollable_.readable.clear();
  }
}

}  // namespace cmux::app
