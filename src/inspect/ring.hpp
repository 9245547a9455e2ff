// Ring: what one worker keeps of exchanges, for the inspector: so many bytes; those that have ended first go first, and of those
// that are still open the oldest, where nothing else is left. Nothing of it is shared: who wants to see asks the worker's thread,
// as for its counters, and gets copies.
//
// Every beginning, head of an answer, message and end has a number of its own over all workers, and so a reader knows where it
// is: what has changed since then, the oldest change first, is all that it has to be told.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "inspect/conversation.hpp"
#include "inspect/sealed.hpp"

namespace cmux::inspect {

// What all rings of an instance count together.
struct Numbers {
  std::atomic<std::uint64_t> exchanges{0}, changes{0};
};

struct Changed {
  std::uint64_t change = 0;
  Record record;
};

struct Holdings {
  std::size_t bytes = 0, exchanges = 0;
  std::optional<std::uint64_t> first;  // what began earlier and has ended is gone; nothing: none that has ended is there
};

class Ring {
 public:
  static constexpr std::size_t kBody = 1024 * 1024;   // bytes of a body that are kept at the most
  static constexpr std::size_t kMessage = 64 * 1024;  // ... of a WebSocket's message
  static constexpr std::size_t kGone = 4096;          // exchanges that went, of which it is known when they changed last

  explicit Ring(std::shared_ptr<Numbers> numbers) : numbers_(std::move(numbers)) {}
  ~Ring();
  Ring(const Ring&) = delete;

  void limit(std::size_t bytes);
  std::size_t body_limit() const { return std::min(kBody, limit_ / 8); }
  UnpackBudget& budget() { return budget_; }

  // An exchange that begins; its memory is another's that has ended, mostly.
  struct Return {
    Ring* ring = nullptr;
    void operator()(Capture* capture) const { ring->take_back(capture); }
  };
  using Held = std::unique_ptr<Capture, Return>;
  Held make();
  void add(Capture& capture);  // gives it its number, and keeps it
  // Does nothing where it is not kept, or not any more.
  void changed(Capture& capture);  // what is told of it has
  void grown(Capture& capture);    // what is kept of it has
  void ended(Capture& capture);    // it goes on as a copy

  // The oldest `most` changes after `after`, up to `until`, by their numbers.
  std::vector<Changed> changes(std::uint64_t after, std::uint64_t until, std::size_t most, const std::string& context) const;
  CapturePtr find(std::uint64_t number) const;                              // null: not here
  std::vector<std::uint64_t> numbers_of(const std::string& context) const;  // empty: of all
  Holdings holdings() const;
  // The last changes of what went for its room, those after `after`: whoever was told of all before that has missed them. In no
  // order; the latest kGone at the most.
  std::vector<std::uint64_t> gone(std::uint64_t after) const;
  void clear();

 private:
  void take_back(Capture* capture);
  std::size_t used() const { return charged_ + arena_.bytes(); }
  void charge(Capture& capture);
  void drop_first();
  void note_gone(std::uint64_t change);
  void fit();
  void drop_open(Capture& capture);
  template <class Each>
  void each_open(Each each) const {
    for (const Link* link = open_.next(); link != &open_; link = link->next()) each(static_cast<const Capture&>(*link));
  }

  std::shared_ptr<Numbers> numbers_;
  Arena arena_;
  std::deque<Sealed> ended_;  // in the order of their ends, and so of their changes
  Link open_;                 // of Capture; the last change last
  std::size_t opened_ = 0;    // how many these are
  std::vector<std::unique_ptr<Capture>> spare_;
  std::size_t limit_ = 0, charged_ = 0;  // bytes; charged_ besides the arena's
  std::deque<std::uint64_t> gone_;       // the earliest that went first
  UnpackBudget budget_;
};

}  // namespace cmux::inspect
