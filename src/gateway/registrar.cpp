#include "gateway/registrar.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.hpp"

namespace cmux::gateway {

Registrar::Registrar(redis::Url url, upstream::DiallerOptions options, Entry entry)
    : link_("the fleet's store", std::move(url), std::move(options),
            [this](redis::Connection& connection) { return hold(connection); }),
      entry_(std::move(entry)) {}

Task<Result<void>> Registrar::hold(redis::Connection& connection) {
  left_.clear();
  const std::shared_ptr<void> leaves(nullptr, [this](void*) { left_.set(); });
  net::Endpoint own = connection.local();
  own.set_port(entry_.port);
  const std::string url = entry_.url.empty() ? fmt::format("h2c://{}", own.text()) : entry_.url;
  while (!leaving_) {
    redis::Command command = fleet::take_lease(entry_.id, url, entry_.lease);
    auto held = co_await connection.ask(std::move(command));
    if (!held) co_return held.error();
    link_.up();
    tell(url, held->text);
    if (!leaving_) co_await link_.rest(std::min(entry_.lease / 3, kLongestRenewal));
  }
  redis::Command command = fleet::give_lease(entry_.id, url);
  auto given = co_await connection.ask(std::move(command));
  link_.finish();
  if (given) co_return Result<void>{};
  co_return given.error();
}

void Registrar::tell(const std::string& url, const std::string& held) {
  const std::string& entry = held.empty() ? url : held;
  if (std::exchange(told_, entry) == entry) return;
  problem_.clear();
  if (held.empty()) return log::info("registered as machine {} at {}", entry_.id, url);
  problem_ = fmt::format("machine {} is registered by another, at {}: this one waits until that lease has ended", entry_.id,
                         log::printable(held));
  log::warn("{}", problem_);
}

void Registrar::leave() {
  leaving_ = true;
  link_.wake();
}

Task<void> Registrar::close() {
  leave();
  Deadline late([](void* left) { static_cast<Event*>(left)->set(); }, &left_);
  late.after(kLeave);
  co_await left_;
  late.cancel();
  co_await link_.close();
}

}  // namespace cmux::gateway
