// Inspection: what is kept of exchanges by all workers together, as the admin API shows it; and how much each exchange is to
// tell. The main thread's. Who asks waits for the workers' answers; no worker waits for anybody.
#pragma once

#include <functional>

#include "admin/exchanges.hpp"
#include "app/series.hpp"
#include "app/settings.hpp"
#include "app/workers.hpp"

namespace cmux::app {

class Inspection final : public admin::Exchanges {
 public:
  // `changed` is called when level() may have.
  Inspection(Workers& workers, const policy::ContextStore& contexts, std::function<void()> changed)
      : workers_(workers), contexts_(contexts), changed_(std::move(changed)) {}

  const std::shared_ptr<inspect::Numbers>& numbers() const { return numbers_; }
  // After the workers have been started, too.
  void use(const Settings& settings);
  // How much is to be kept of each exchange; `nothing` where that is not wanted.
  inspect::Level level() const;
  // Measures for series() until stop().
  void begin();
  Task<void> stop();

  // --- admin::Exchanges ---
  Task<admin::Changes> changes(std::uint64_t after, std::size_t most, std::string context) override;
  Task<inspect::CapturePtr> find(std::uint64_t number) override;
  Task<std::vector<std::uint64_t>> numbers(std::string context) override;
  Task<void> clear() override;
  Task<boost::json::object> capture() override;
  void set_capture(std::optional<inspect::Level> level) override;
  void watched(bool by_somebody) override;
  Task<Result<std::uint64_t>> replay(const inspect::Replay& replay) override;
  boost::json::object series() const override;

 private:
  Task<inspect::Holdings> holdings();
  Task<void> measure();

  Workers& workers_;
  const policy::ContextStore& contexts_;
  const std::function<void()> changed_;
  const std::shared_ptr<inspect::Numbers> numbers_ = std::make_shared<inspect::Numbers>();
  std::optional<inspect::Level> setting_, set_;  // nothing: while somebody watches
  std::size_t memory_ = 0;
  bool watched_ = false;
  Series series_;
  Scope scope_;
  Deadline again_{[](void* self) { static_cast<Inspection*>(self)->begin(); }, this};
};

}  // namespace cmux::app
