// AutoForwards: the ports that listen in contexts' workspaces. Whoever asks is told; and for a context that wants so, each is
// forwarded under its own number while it listens there. What is taken on this machine is tried again until it is free. The far
// end's word alone decides what appears, never a client's request. The main thread's.
#pragma once

#include <map>
#include <memory>

#include "admin/api.hpp"
#include "app/doors.hpp"
#include "app/workers.hpp"

namespace cmux::app {

class AutoForwards {
 public:
  static constexpr std::size_t kMost = 64;              // ports of a context
  static constexpr std::size_t kMostListening = 1'000;  // that are told of a workspace
  static constexpr std::uint16_t kLeast = 1024;         // those below are this machine's own services'
  static constexpr milliseconds kLook{2'000};           // between two questions
  static constexpr milliseconds kSlowLook{30'000};      // ... where they are not answered: each time twice as long, up to that

  AutoForwards(Loop& loop, Workers& workers, std::function<void(const admin::EventRecord&)> publish)
      : loop_(loop), workers_(workers), publish_(std::move(publish)) {}
  AutoForwards(const AutoForwards&) = delete;

  // `doors` outlives what is open.
  void changed(policy::ContextStore::Change change, const policy::ContextPtr& context, Doors& doors);
  // Asks its far end.
  Task<Result<std::vector<std::uint16_t>>> ask(policy::ContextPtr context);
  // Returns when it has been asked for the first time, at once where it is not followed. One may wait.
  Task<void> settled(const std::string& context);
  const admin::AutoForward* of(const std::string& context) const;  // null: it is not followed
  // No more questions.
  void stop();
  Task<void> join() { return scope_.join(); }

 private:
  struct Followed;
  Task<void> follow(std::shared_ptr<Followed> one);
  void take(Followed& one, const Result<std::vector<std::uint16_t>>& answer);

  Loop& loop_;
  Workers& workers_;
  const std::function<void(const admin::EventRecord&)> publish_;
  std::map<std::string, std::shared_ptr<Followed>> followed_;  // by context
  Scope scope_;
};

}  // namespace cmux::app
