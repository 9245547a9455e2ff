#include "app/series.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <set>

#include "base/time_text.hpp"

namespace cmux::app {
namespace {

namespace json = boost::json;
using proxy::ContextTimes;
using proxy::Counters;
using proxy::Histogram;

constexpr std::pair<const char*, Histogram Counters::*> kPhases[] = {
    {"dns", &Counters::dns}, {"connect", &Counters::connect}, {"tls", &Counters::tls}, {"firstByte", &Counters::first_byte}};

json::value or_null(const std::optional<std::int64_t>& value) { return value ? json::value(*value) : json::value(); }

}  // namespace

// Within a bucket times are taken to lie evenly.
std::optional<std::int64_t> percentile(const Histogram& times, double share) {
  std::uint64_t all = 0;
  for (std::size_t i = 0; i <= Histogram::kBounds.size(); ++i) all += times.count(i);
  if (all == 0) return std::nullopt;
  const double wanted = share * static_cast<double>(all);
  double below = 0;
  for (std::size_t i = 0; i < Histogram::kBounds.size(); ++i) {
    const double here = static_cast<double>(times.count(i));
    if (here > 0 && below + here >= wanted) {
      const double from = i == 0 ? 0 : static_cast<double>(Histogram::kBounds[i - 1]);
      const double to = static_cast<double>(Histogram::kBounds[i]);
      return static_cast<std::int64_t>(from + (to - from) * (wanted - below) / here);
    }
    below += here;
  }
  return Histogram::kBounds.back();
}

void Series::add(std::chrono::system_clock::time_point now, const Counters& so_far, std::vector<ContextTimes> contexts) {
  if (before_) {
    Step step;
    step.requests = so_far.requests - before_->requests;
    step.open = so_far.open_connections;
    const auto of = [&](Histogram Counters::*times) {
      const Histogram difference = (so_far.*times).since(*before_.*times);
      return Percentiles{percentile(difference, 0.5), percentile(difference, 0.9), percentile(difference, 0.99)};
    };
    step.whole = of(&Counters::duration);
    for (std::size_t i = 0; i < std::size(kPhases); ++i) step.phases[i] = of(kPhases[i].second);
    for (const auto& [error, count] : so_far.errors) {
      const auto was = before_->errors.find(error);
      const std::uint64_t more = count - (was == before_->errors.end() ? 0 : was->second);
      if (more > 0) step.errors[std::string(error)] = more;
    }
    std::vector<std::pair<std::uint64_t, const ContextTimes*>> busy;
    for (const ContextTimes& each : contexts) {
      const auto was = contexts_before_.find(each.context);
      const std::uint64_t more = each.requests - (was == contexts_before_.end() ? 0 : was->second.requests);
      if (more > 0) busy.emplace_back(more, &each);
    }
    std::sort(busy.begin(), busy.end(), std::greater<>());
    if (busy.size() > kMostContexts) busy.resize(kMostContexts);
    for (const auto& [more, each] : busy) {
      const auto was = contexts_before_.find(each->context);
      const Histogram difference = was == contexts_before_.end() ? each->duration : each->duration.since(was->second.duration);
      step.contexts[each->context] = {more, percentile(difference, 0.5), percentile(difference, 0.99)};
    }
    steps_.push_back(std::move(step));
    if (steps_.size() > kSteps) steps_.pop_front();
  }
  end_ = now;
  before_ = so_far;
  contexts_before_.clear();
  for (ContextTimes& each : contexts) {
    std::string name = each.context;
    contexts_before_.emplace(std::move(name), std::move(each));
  }
}

json::object Series::json() const {
  json::object out;
  out["step"] = kStep.count();
  out["end"] = rfc3339(end_);
  const auto column = [&](auto value) {
    json::array list;
    for (const Step& step : steps_) list.push_back(value(step));
    return list;
  };
  out["requests"] = column([](const Step& step) { return json::value(step.requests); });
  out["open"] = column([](const Step& step) { return json::value(step.open); });
  const auto three = [&](auto of) {
    return json::object{{"p50", column([&](const Step& step) { return or_null(of(step).p50); })},
                        {"p90", column([&](const Step& step) { return or_null(of(step).p90); })},
                        {"p99", column([&](const Step& step) { return or_null(of(step).p99); })}};
  };
  for (auto& [name, list] : three([](const Step& step) { return step.whole; })) out[name] = std::move(list);
  json::object& phases = out["byPhase"].emplace_object();
  for (std::size_t i = 0; i < std::size(kPhases); ++i)
    phases[kPhases[i].first] = three([i](const Step& step) { return step.phases[i]; });
  std::set<std::string> errors;
  std::map<std::string, std::uint64_t> requests;
  for (const Step& step : steps_) {
    for (const auto& [error, count] : step.errors) errors.insert(error);
    for (const auto& [context, use] : step.contexts) requests[context] += use.requests;
  }
  std::vector<std::pair<std::uint64_t, std::string>> contexts;
  for (const auto& [context, count] : requests) contexts.emplace_back(count, context);
  std::sort(contexts.begin(), contexts.end(), std::greater<>());
  if (contexts.size() > kMostContexts) contexts.resize(kMostContexts);
  json::object& by_error = out["errors"].emplace_object();
  for (const std::string& error : errors)
    by_error[error] = column([&](const Step& step) {
      const auto found = step.errors.find(error);
      return json::value(found == step.errors.end() ? 0 : found->second);
    });
  json::object& by_context = out["byContext"].emplace_object();
  for (const auto& [count, context] : contexts) {
    const auto use = [&name = context](const Step& step) {
      const auto found = step.contexts.find(name);
      return found == step.contexts.end() ? Use{} : found->second;
    };
    by_context[context] = json::object{{"requests", column([&](const Step& step) { return json::value(use(step).requests); })},
                                       {"p50", column([&](const Step& step) { return or_null(use(step).p50); })},
                                       {"p99", column([&](const Step& step) { return or_null(use(step).p99); })}};
  }
  return out;
}

}  // namespace cmux::app
