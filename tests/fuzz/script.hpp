// A peer that says what the fuzzer wrote, and then is gone: a Transport without a socket.
#pragma once

#include <string>

#include "fuzz.hpp"
#include "net/transport.hpp"

namespace cmux::fuzz {

class Script final : public net::Transport {
 public:
  // `piece`: how many bytes come at once. Between two pieces, and before every `piece`th byte can be written, there is a wait.
  Script(std::string input, std::size_t piece, std::string& output) : input_(std::move(input)), piece_(piece), output_(output) {
    readable_.set(), writable_.set();
  }

  net::Io write(net::Pieces pieces) override {
    if (failed_) return net::Io::failed();
    if ((full_ = !full_)) return net::Io::blocked();
    std::size_t count = 0;
    for (const std::string_view each : pieces) {
      const std::string_view part = each.substr(0, 3 * piece_ - std::min(count, 3 * piece_));
      output_ += part, count += part.size();
    }
    return net::Io::moved(count);
  }
  Event& readable() override { return readable_; }
  Event& writable() override { return writable_; }
  void shutdown_write() override {}
  void abort(Error error, bool) noexcept override {
    error_ = std::move(error);
    failed_ = true;
    readable_.set(), writable_.set();
  }
  bool hung_up() const override { return at_ == input_.size(); }
  void on_hang_up(void (*callback)(void*), void* argument) override {
    callback_ = callback, argument_ = argument;
    if (callback && hung_up()) callback(argument);
  }
  bool broken() const override { return hung_up(); }
  bool may_read() const override { return true; }

 protected:
  net::Io read_through(std::span<char> into) override {
    if (failed_) return net::Io::failed();
    if (at_ == input_.size()) return net::Io::end();
    if ((empty_ = !empty_)) return net::Io::blocked();
    const std::size_t count = input_.copy(into.data(), std::min(into.size(), piece_), at_);
    at_ += count;
    if (hung_up() && callback_) std::exchange(callback_, nullptr)(argument_);
    return net::Io::moved(count);
  }

 private:
  const std::string input_;
  const std::size_t piece_;
  std::string& output_;
  std::size_t at_ = 0;
  Event readable_, writable_;
  bool failed_ = false, full_ = false, empty_ = false;
  void (*callback_)(void*) = nullptr;
  void* argument_ = nullptr;
};

// Takes every request, checks it, and answers with its body.
class Echo final : public http::Handler {
 public:
  Task<void> serve(http::Stream& stream) override;
};

// Sends a request and reads what comes, to its end.
Task<void> ask(http::Stream& stream, http::Head head, bool with_body);

// One for all runs of a process.
Loop& loop();

}  // namespace cmux::fuzz
