// Sealed: an exchange that has ended, as one block of an arena's memory: what a ring keeps most of is small, and goes at once.
#pragma once

#include <memory>

#include "inspect/arena.hpp"
#include "inspect/record.hpp"

namespace cmux::inspect {

class Sealed {
 public:
  // Takes the conversation out of it; the rest is copied. Whoever owns it gives the memory back to the arena.
  Sealed(Capture& capture, Arena& arena);
  Sealed(Sealed&&) noexcept;
  ~Sealed();

  std::uint64_t number() const { return number_; }
  std::uint64_t change() const { return change_; }
  std::size_t bytes() const;  // of memory, about, besides the arena's
  bool is_of(std::string_view context) const;
  Record record() const;
  CapturePtr capture() const;

 private:
  struct Index;
  struct Reader;

  std::uint64_t number_, change_;
  const char* block_;
  std::unique_ptr<Conversation> conversation_;
};

}  // namespace cmux::inspect
