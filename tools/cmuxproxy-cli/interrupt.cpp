#include "interrupt.hpp"

namespace cmux::cli {

Interrupt::Interrupt(std::function<void()> callback) : callback_(std::move(callback)) {
  std::function<void(int)> once = [this](int number) {
    signals_.close();
    signal_ = number;
    callback_();
  };
  scope_.spawn(signals_.run(std::move(once)));
}

Task<void> Interrupt::stop() {
  signals_.close();
  co_await scope_.join();
}

}  // namespace cmux::cli
