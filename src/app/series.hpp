// Series: the last hour in steps, made from the metrics, for plots. What stands for a step is the difference of two counters, and
// percentiles are read off the histograms' buckets. The main thread's.
#pragma once

#include <array>
#include <boost/json/fwd.hpp>
#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "proxy/counters.hpp"

namespace cmux::app {

// The time, in microseconds, that so large a share of these took at the most; nothing where there are none.
std::optional<std::int64_t> percentile(const proxy::Histogram& times, double share);

class Series {
 public:
  static constexpr std::chrono::seconds kStep{10};
  static constexpr std::size_t kSteps = 360;
  static constexpr std::size_t kMostContexts = 32;  // of a step, and of the hour: those with the most requests

  // Every step; what `so_far` counts only grows, but what is open.
  void add(std::chrono::system_clock::time_point now, const proxy::Counters& so_far, std::vector<proxy::ContextTimes> contexts);
  boost::json::object json() const;

 private:
  struct Percentiles {
    std::optional<std::int64_t> p50, p90, p99;
  };
  struct Use {
    std::uint64_t requests = 0;
    std::optional<std::int64_t> p50, p99;
  };
  struct Step {
    std::uint64_t requests = 0, open = 0;
    Percentiles whole;
    std::array<Percentiles, 4> phases;
    std::map<std::string, std::uint64_t> errors;
    std::map<std::string, Use> contexts;
  };
  std::deque<Step> steps_;
  std::chrono::system_clock::time_point end_{};
  std::optional<proxy::Counters> before_;
  std::map<std::string, proxy::ContextTimes> contexts_before_;
};

}  // namespace cmux::app
