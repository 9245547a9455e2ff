#include "app/workers.hpp"

#include <mutex>

#include "app/metrics.hpp"
#include "base/signals.hpp"

namespace cmux::app {

void Workers::start(unsigned count, proxy::OptionsPtr options, std::function<void(const proxy::Record&)> report,
                    std::function<void(proxy::TunnelFailure)> failed) {
  for (unsigned i = 0; i < count; ++i) all_.push_back(std::make_unique<proxy::Worker>(options, report, failed));
  const SignalsBlocked blocked;  // in the workers
  for (const auto& worker : all_) worker->start();
}

bool Workers::stop(milliseconds limit) {
  bool ended = true;
  for (const auto& worker : all_) ended = worker->stop(limit) && ended;
  return ended;
}

void Workers::want(inspect::Level level) const {
  for (const auto& worker : all_) worker->wanted = level;
}

void Workers::tell(const std::function<void(proxy::Worker&)>& work) const {
  for (const auto& worker : all_) {
    proxy::Worker* const told = worker.get();
    told->post([told, work] { work(*told); });
  }
}

Task<void> Workers::ask(std::function<void(proxy::Worker&)> work) {
  Event done;
  std::size_t left = all_.size();
  tell([this, &work, &done, &left](proxy::Worker& worker) {
    work(worker);
    loop_.post([&done, &left] {
      if (--left == 0) done.set();
    });
  });
  co_await done;
}

Task<proxy::Counters> Workers::counters() {
  proxy::Counters sum;
  std::mutex adding;
  std::function<void(proxy::Worker&)> collect = [&](proxy::Worker& worker) {
    const proxy::Counters part = worker.counters();
    const std::lock_guard lock(adding);
    add(sum, part);
  };
  co_await ask(std::move(collect));
  co_return sum;
}

Task<std::vector<policy::Usage>> Workers::usage(std::vector<policy::ContextPtr> contexts) {
  std::vector<policy::Usage> sum(contexts.size());
  std::mutex adding;
  std::function<void(proxy::Worker&)> collect = [&](proxy::Worker& worker) {
    const std::lock_guard lock(adding);
    for (std::size_t i = 0; i < contexts.size(); ++i) sum[i].add(worker.usage(contexts[i]->username));
  };
  co_await ask(std::move(collect));
  co_return sum;
}

void Workers::drain(const std::shared_ptr<Event>& drained) const {
  // Shared with the workers' answers: one may come when the time is over.
  const auto left = std::make_shared<std::size_t>(all_.size());
  tell([&loop = loop_, drained, left](proxy::Worker& worker) {
    worker.drain([&loop, drained, left] {
      loop.post([drained, left] {
        if (--*left == 0) drained->set();
      });
    });
  });
}

}  // namespace cmux::app
