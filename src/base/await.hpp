// `awaited`: the completion token by which a coroutine of a loop waits for any operation of Asio's or Beast's:
//
//   const auto error = co_await socket.async_connect(endpoint, awaited);         // boost::system::error_code
//   auto [error, count] = co_await socket.async_read_some(buffer, awaited);      // more than one result: a tuple
//
// The operation starts when it is awaited, and its completion queues the coroutine on the loop like any Event. To give up, close
// or cancel the object: the operation then comes back with an error, and only then may what it points at go. An operation that is
// still open when its loop is destroyed never comes back.
#pragma once

#include <boost/asio/async_result.hpp>
#include <coroutine>
#include <optional>
#include <tuple>
#include <utility>

#include "base/loop.hpp"

namespace cmux {

struct Awaited {};
inline constexpr Awaited awaited;

// One operation, in the frame of the coroutine that awaits it.
template <class Initiation, class Inputs, class... Results>
class Operation {
 public:
  Operation(Initiation initiation, Inputs inputs) : initiation_(std::move(initiation)), inputs_(std::move(inputs)) {}
  Operation(const Operation&) = delete;

  // What Asio calls. It is moved about, so it points at the operation, which is not.
  struct Handler {
    Operation* operation;
    void operator()(Results... results) {
      operation->results_.emplace(std::move(results)...);
      Loop::current().asio_ended();
      resume_soon(operation->waiter_);
    }
  };

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    waiter_ = waiter;
    Loop::current().asio_began();
    std::apply([this](auto&... inputs) { std::move(initiation_)(Handler{this}, std::move(inputs)...); }, inputs_);
  }
  auto await_resume() {
    if constexpr (sizeof...(Results) == 1) return std::get<0>(std::move(*results_));
    else return std::move(*results_);
  }

 private:
  Initiation initiation_;
  Inputs inputs_;
  std::coroutine_handle<> waiter_;
  std::optional<std::tuple<Results...>> results_;
};

}  // namespace cmux

template <class... Results>
class boost::asio::async_result<cmux::Awaited, void(Results...)> {
 public:
  template <class Initiation, class... Inputs>
  static auto initiate(Initiation&& initiation, cmux::Awaited, Inputs&&... inputs) {
    using Stored = std::tuple<std::decay_t<Inputs>...>;
    return cmux::Operation<std::decay_t<Initiation>, Stored, std::decay_t<Results>...>(std::forward<Initiation>(initiation),
                                                                                       Stored(std::forward<Inputs>(inputs)...));
  }
};
