#include "inspect/ring.hpp"

#include <algorithm>

namespace cmux::inspect {
namespace {

constexpr std::size_t kSpare = 256;  // captures whose memory waits for the next ones

}  // namespace

Ring::~Ring() { clear(); }

void Ring::limit(std::size_t bytes) {
  limit_ = bytes;
  arena_.limit(bytes);
  fit();
}

Ring::Held Ring::make() {
  std::unique_ptr<Capture> made;
  if (spare_.empty()) {
    made = std::make_unique<Capture>();
  } else {
    made = std::move(spare_.back());
    spare_.pop_back();
  }
  return Held(made.release(), Return{this});
}

void Ring::take_back(Capture* capture) {
  std::unique_ptr<Capture> held(capture);
  if (held->linked()) drop_open(*held);
  if (spare_.size() >= kSpare) return;
  held->clear();
  spare_.push_back(std::move(held));
}

void Ring::add(Capture& capture) {
  capture.number = numbers_->exchanges.fetch_add(1, std::memory_order_relaxed) + 1;
  capture.link_before(open_);
  ++opened_;
  changed(capture);
}

void Ring::changed(Capture& capture) {
  if (!capture.linked()) return;
  capture.change = numbers_->changes.fetch_add(1, std::memory_order_relaxed) + 1;
  capture.link_before(open_);
  grown(capture);
}

void Ring::grown(Capture& capture) {
  if (!capture.linked()) return;
  charge(capture);
  if (used() > limit_) fit();
}

void Ring::charge(Capture& capture) {
  const std::size_t bytes = capture.bytes();
  charged_ += bytes - capture.charged;
  capture.charged = bytes;
}

void Ring::ended(Capture& capture) {
  if (!capture.linked()) return;
  capture.change = numbers_->changes.fetch_add(1, std::memory_order_relaxed) + 1;
  capture.unlink();
  --opened_;
  charged_ -= capture.charged;
  while (!ended_.empty() && used() + arena_.growth(capture.charged) > limit_) drop_first();
  ended_.emplace_back(capture, arena_);
  charged_ += ended_.back().bytes();
  if (used() > limit_) fit();
}

void Ring::fit() {
  for (arena_.give_back_spare(); used() > limit_; arena_.give_back_spare()) {
    if (!ended_.empty()) drop_first();
    else if (open_.linked()) drop_open(static_cast<Capture&>(*open_.next()));
    else return;
  }
}

void Ring::drop_first() {
  charged_ -= ended_.front().bytes();
  if (ended_.front().change() > told_) ++lost_;
  ended_.pop_front();
  arena_.give_back_first();
}

void Ring::drop_open(Capture& capture) {
  capture.unlink();
  --opened_;
  charged_ -= capture.charged;
  capture.charged = 0;
  if (capture.change > told_) ++lost_;
  capture.forget();
}

std::vector<Changed> Ring::changes(std::uint64_t after, std::uint64_t until, std::size_t most, const std::string& context) const {
  std::vector<Changed> out;
  auto sealed = std::upper_bound(ended_.begin(), ended_.end(), after,
                                 [](std::uint64_t change, const Sealed& one) { return change < one.change(); });
  const Link* link = open_.next();
  // Both are in order: the earlier change of the two is the next.
  while (out.size() < most) {
    while (link != &open_ && static_cast<const Capture&>(*link).change <= after) link = link->next();
    const Capture* const open = link == &open_ ? nullptr : &static_cast<const Capture&>(*link);
    const bool from_ended = sealed != ended_.end() && (!open || sealed->change() < open->change);
    if (!from_ended && !open) break;
    const std::uint64_t change = from_ended ? sealed->change() : open->change;
    if (change > until) break;
    const bool wanted = context.empty() || (from_ended ? sealed->is_of(context) : open->context == context);
    if (wanted) out.push_back({change, from_ended ? sealed->record() : Record(*open)});
    if (from_ended) ++sealed;
    else link = link->next();
  }
  return out;
}

CapturePtr Ring::find(std::uint64_t number) const {
  CapturePtr found;
  each_open([&](const Capture& open) {
    if (open.number == number) found = std::make_shared<const Capture>(open);
  });
  if (found) return found;
  const auto same = [number](const Sealed& one) { return one.number() == number; };
  const auto at = std::find_if(ended_.begin(), ended_.end(), same);
  return at == ended_.end() ? nullptr : at->capture();
}

std::vector<std::uint64_t> Ring::numbers_of(const std::string& context) const {
  std::vector<std::uint64_t> out;
  for (const Sealed& one : ended_)
    if (context.empty() || one.is_of(context)) out.push_back(one.number());
  each_open([&](const Capture& open) {
    if (context.empty() || open.context == context) out.push_back(open.number);
  });
  return out;
}

Holdings Ring::holdings() const {
  Holdings out{used(), ended_.size() + opened_, {}, lost_};
  for (const Sealed& one : ended_) out.first = std::min(out.first.value_or(one.number()), one.number());
  return out;
}

void Ring::told(std::uint64_t until) {
  told_ = std::max(told_, until);
  lost_ = 0;
}

void Ring::clear() {
  while (open_.linked()) drop_open(static_cast<Capture&>(*open_.next()));
  while (!ended_.empty()) drop_first();
  arena_.give_back_spare();
  lost_ = 0;
}

}  // namespace cmux::inspect
