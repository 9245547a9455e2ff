// Registrar: keeps a machine's entry in a fleet's store (fleet.hpp): takes the lease of its id, goes on with it, and gives it
// back at a stop. On the main thread's loop.
#pragma once

#include <string>

#include "gateway/fleet.hpp"
#include "redis/link.hpp"

namespace cmux::gateway {

class Registrar {
 public:
  struct Entry {
    std::string id;
    std::string url;  // of the machine's gateway; empty: made from `port`, and the address from which the store is reached
    std::uint16_t port = 0;
    milliseconds lease{30'000};
  };
  Registrar(redis::Url url, upstream::DiallerOptions options, Entry entry);

  void start() { link_.start(); }
  // Gives the lease back as soon as possible, and does no more.
  void leave();
  // Leaves, and returns when that is done, or cannot be. To be called before the end.
  Task<void> close();
  redis::Link& link() { return link_; }
  const std::string& problem() const { return problem_; }  // of the entry: another machine has it; empty: none

  static constexpr milliseconds kLongestRenewal{10'000};  // and never later than after a third of the lease
  static constexpr milliseconds kLeave{1'000};            // for giving it back, where the store does not answer

 private:
  Task<Result<void>> hold(redis::Connection& connection);
  void tell(const std::string& url, const std::string& held);

  redis::Link link_;
  const Entry entry_;
  std::string told_, problem_;  // told_: the URL of the entry that the log has told of last
  bool leaving_ = false;
  Event left_{true};  // nothing is held, or asked for
};

}  // namespace cmux::gateway
