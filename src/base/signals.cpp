#include "base/signals.hpp"

#include <boost/asio/signal_set.hpp>

#include "base/await.hpp"
#include "base/loop.hpp"

namespace cmux {

struct Signals::State {
  explicit State(std::initializer_list<int> taken) : numbers(taken) {
    for (const int number : numbers) set.add(number);
  }
  const std::vector<int> numbers;
  boost::asio::signal_set set{Loop::current().context()};
  bool closed = false;
};

Signals::Signals(std::initializer_list<int> numbers) : state_(std::make_unique<State>(numbers)) {}
Signals::~Signals() = default;

Task<void> Signals::run(std::function<void(int)> callback) {
  while (!state_->closed) {
    const auto [failed, number] = co_await state_->set.async_wait(awaited);
    if (!failed && !state_->closed) callback(number);
  }
}

void Signals::close() {
  state_->closed = true;
  boost::system::error_code ignored;
  state_->set.clear(ignored);
  state_->set.cancel(ignored);
}

void Signals::close_ignoring() {
  const SignalsBlocked blocked;  // none comes in between
  close();
  for (const int number : state_->numbers) signal(number, SIG_IGN);
}

SignalsBlocked::SignalsBlocked() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before_);
}
SignalsBlocked::~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

}  // namespace cmux
