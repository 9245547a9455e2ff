#include "base/wheel.hpp"

#include <algorithm>

#include "base/loop.hpp"

namespace cmux {

void Deadline::after(milliseconds delay) {
  if (delay.count() <= 0) return cancel();
  Loop& loop = Loop::current();
  loop.wheel().set(*this, loop.now() + delay);
}

void Deadline::unlink() {
  *link_ = next_;
  if (next_) next_->link_ = link_;
  link_ = nullptr;
  --Loop::current().wheel().linked_;
}

void Wheel::set(Deadline& deadline, Clock::time_point due) {
  const auto since = std::chrono::duration_cast<milliseconds>(due - start_);
  deadline.tick_ = static_cast<std::uint64_t>(since / kTick) + 2;         // never early
  if (deadline.link_ && deadline.tick_ >= deadline.linked_tick_) return;  // found late when its slot comes: moved then
  if (deadline.link_) deadline.unlink();
  link(deadline);
}

void Wheel::link(Deadline& deadline) {
  // One past the turn that is being fired at the most, so that no slot holds two turns of the wheel.
  deadline.linked_tick_ = std::min(std::max(deadline.tick_, tick_ + 1), tick_ + kSlots - 1);
  Deadline*& head = slots_[deadline.linked_tick_ % kSlots];
  deadline.next_ = head;
  if (head) head->link_ = &deadline.next_;
  deadline.link_ = &head;
  head = &deadline;
  if (linked_++ == 0 || deadline.linked_tick_ < earliest_) earliest_ = deadline.linked_tick_;
}

void Wheel::fire(Clock::time_point now) {
  const auto target = static_cast<std::uint64_t>(std::chrono::duration_cast<milliseconds>(now - start_) / kTick) + 1;
  if (linked_ == 0) {
    tick_ = std::max(tick_, target);
    return;
  }
  while (tick_ < target) {
    ++tick_;
    while (Deadline* deadline = slots_[tick_ % kSlots]) {
      deadline->unlink();
      if (deadline->tick_ == 0) continue;
      if (deadline->tick_ > tick_) {
        link(*deadline);
        continue;
      }
      deadline->tick_ = 0;
      deadline->callback_(deadline->argument_);
    }
  }
}

milliseconds Wheel::left(Clock::time_point now) const {
  if (linked_ == 0) return milliseconds(-1);
  for (earliest_ = std::max(earliest_, tick_ + 1); earliest_ < tick_ + kSlots; ++earliest_)
    if (slots_[earliest_ % kSlots]) {
      const auto due = start_ + (earliest_ - 1) * kTick;
      return std::max(std::chrono::duration_cast<milliseconds>(due - now) + milliseconds(1), milliseconds(0));
    }
  return milliseconds(-1);
}

}  // namespace cmux
