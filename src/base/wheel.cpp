#include "base/wheel.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "base/loop.hpp"

namespace cmux {

void Deadline::after(milliseconds delay) {
  if (delay.count() <= 0) return cancel();
  Loop& loop = Loop::current();
  loop.wheel().set(*this, loop.now() + delay);
}

void Deadline::unlink() {
  CMUX_CHECK(*link_ == this, "a deadline is where its slot says");
  CMUX_CHECK(wheel_->linked_ > 0, "a wheel counts its deadlines");
  *link_ = next_;
  if (next_) next_->link_ = link_;
  link_ = nullptr;
  --wheel_->linked_;
}

// Those that are left fire no more, and may be destroyed later.
Wheel::~Wheel() {
  for (Deadline* head : slots_)
    for (Deadline* one = head; one; one = one->next_) one->link_ = nullptr;
}

void Wheel::set(Deadline& deadline, Clock::time_point due) {
  const auto since = std::chrono::duration_cast<milliseconds>(due - start_);
  CMUX_CHECK(since.count() >= 0, "a deadline is set on a wheel that turns already");
  CMUX_CHECK(!deadline.link_ || deadline.wheel_ == this, "a deadline stays with the loop that it was first set on");
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
  deadline.wheel_ = this;
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
  CMUX_INVARIANTS(*this);
}

void Wheel::invariants() const {
  std::size_t count = 0;
  for (std::size_t slot = 0; slot < kSlots; ++slot)
    for (Deadline* const* link = &slots_[slot]; *link; link = &(*link)->next_) {
      const Deadline& one = **link;
      CMUX_CHECK(one.link_ == link, "each deadline knows what points at it");
      CMUX_CHECK(one.linked_tick_ % kSlots == slot, "each deadline is in its tick's slot");
      CMUX_CHECK(one.linked_tick_ > tick_ && one.linked_tick_ < tick_ + kSlots, "no slot holds what is past or of another turn");
      CMUX_CHECK(one.tick_ == 0 || one.tick_ >= one.linked_tick_, "no deadline is linked behind its time");
      CMUX_CHECK(one.linked_tick_ >= earliest_, "nothing is earlier than the earliest");
      ++count;
    }
  CMUX_CHECK(count == linked_, "the wheel knows how many deadlines it has");
}

milliseconds Wheel::left(Clock::time_point now) const {
  if (linked_ == 0) return milliseconds(-1);
  for (earliest_ = std::max(earliest_, tick_ + 1); earliest_ < tick_ + kSlots; ++earliest_)
    if (slots_[earliest_ % kSlots]) {
      // Signed: what is due may lie behind `now`, where a loop runs again and has fired nothing yet.
      const auto due = start_ + static_cast<milliseconds::rep>(earliest_ - 1) * kTick;
      return std::max(std::chrono::duration_cast<milliseconds>(due - now) + milliseconds(1), milliseconds(0));
    }
  return milliseconds(-1);
}

}  // namespace cmux
