#include "http2/held.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "base/loop.hpp"
#include "base/memory.hpp"

namespace cmux::http2 {
namespace {

constexpr std::size_t kMuch = 8 * 1024 * 1024;  // after that much was held, the memory goes back to the system

constexpr auto kSeldom = std::chrono::seconds(1);

struct Together {
  std::size_t bytes = 0, most = 0;
  Clock::time_point given_back;
  Link connections;  // those that hold something
};
thread_local Together together;

}  // namespace

Held::Held() = default;

Stream* Held::set(Holder& holder, std::size_t bytes) {
  const std::size_t before = holder.bytes;
  if (bytes == before) return nullptr;
  CMUX_CHECK(bytes_ >= before && together.bytes >= bytes_, "what is held is counted");
  holder.bytes = bytes;
  bytes_ += bytes - before;
  together.bytes += bytes - before;
  if (bytes == 0) holder.unlink();
  else if (bytes < before || before == 0) holder.link_before(holders_);
  if (bytes_ == 0) unlink();
  else if (!linked()) link_after(together.connections);
  if (bytes < before) {
    if (together.bytes != 0 || together.most <= kMuch || Loop::current().now() - together.given_back < kSeldom) return nullptr;
    together.most = 0;
    together.given_back = Loop::current().now();
    Loop::current().post(give_back_memory);
    return nullptr;
  }
  together.most = std::max(together.most, together.bytes);
  if (bytes_ > kMost) return oldest();
  if (together.bytes <= kMostTogether) return nullptr;
  Held* worst = this;
  for (Link* link = together.connections.next(); link != &together.connections; link = link->next())
    if (auto& one = static_cast<Held&>(*link); one.bytes_ > worst->bytes_) worst = &one;
  return worst->oldest();
}

void Held::invariants() const {
  std::size_t sum = 0;
  for (const Link* link = holders_.next(); link != &holders_; link = link->next()) {
    const auto& one = static_cast<const Holder&>(*link);
    CMUX_CHECK(one.bytes > 0, "who holds nothing is not on the list");
    sum += one.bytes;
  }
  CMUX_CHECK(sum == bytes_, "a connection counts what its streams hold");
  CMUX_CHECK(linked() == (bytes_ > 0), "a connection is on the list while it holds something");
  CMUX_CHECK(bytes_ <= together.bytes, "a thread counts what its connections hold");
}

Stream* Held::oldest() { return &static_cast<Holder&>(*holders_.next()).stream; }

}  // namespace cmux::http2
