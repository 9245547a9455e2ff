// Workers: all of an instance's, as the main thread sees them: told things by posting, and asked things, whose answers come back
// to its loop.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "proxy/worker.hpp"

namespace cmux::app {

class Workers {
 public:
  // `loop` is the main thread's, and outlives the workers.
  explicit Workers(Loop& loop) : loop_(loop) {}
  Workers(const Workers&) = delete;

  // What reports call outlives the workers.
  void start(unsigned count, proxy::OptionsPtr options, std::function<void(const proxy::Record&)> report,
             std::function<void(proxy::TunnelFailure)> failed);
  // Aborts what is open. False: one hangs, and its thread with it.
  bool stop(milliseconds limit);

  const std::vector<std::unique_ptr<proxy::Worker>>& all() const { return all_; }
  proxy::Worker& first() const { return *all_.front(); }
  void want(inspect::Level level) const;  // of each exchange that begins

  void tell(const std::function<void(proxy::Worker&)>& work) const;
  // Returns when all have done it.
  Task<void> ask(std::function<void(proxy::Worker&)> work);
  Task<proxy::Counters> counters();
  // Of these, in their order.
  Task<std::vector<policy::Usage>> usage(std::vector<policy::ContextPtr> contexts);
  // `drained` is set when none has anything open any more, or by the caller, who lets the others go then.
  void drain(const std::shared_ptr<Event>& drained) const;

 private:
  Loop& loop_;
  std::vector<std::unique_ptr<proxy::Worker>> all_;
};

}  // namespace cmux::app
