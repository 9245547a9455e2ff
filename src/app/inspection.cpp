#include "app/inspection.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <mutex>

#include "base/log.hpp"
#include "inspect/view.hpp"
#include "proxy/replay.hpp"

namespace cmux::app {
namespace {

namespace json = boost::json;
using inspect::Level;

std::optional<Level> level_of(Capturing setting) {
  switch (setting) {
    case Capturing::automatic: return std::nullopt;
    case Capturing::off: return Level::nothing;
    case Capturing::heads: return Level::heads;
    case Capturing::bodies: return Level::bodies;
  }
  return std::nullopt;
}

}  // namespace

void Inspection::use(const Settings& settings) {
  if (setting_ != level_of(settings.capture)) set_.reset();  // who changes the setting means it
  setting_ = level_of(settings.capture);
  memory_ = settings.capture_memory;
  if (workers_.all().empty()) return;
  const std::size_t share = memory_ / workers_.all().size();
  workers_.tell([share](proxy::Worker& worker) { worker.ring().limit(share); });
}

void Inspection::begin() {
  again_.after(std::chrono::duration_cast<milliseconds>(Series::kStep));
  scope_.spawn(measure());
}

Task<void> Inspection::stop() {
  again_.cancel();
  co_await scope_.join();
}

Task<void> Inspection::measure() {
  const proxy::Counters sum = co_await workers_.counters();
  std::map<std::string, proxy::ContextTimes> contexts;
  std::mutex adding;
  std::function<void(proxy::Worker&)> collect = [&](proxy::Worker& worker) {
    const std::vector<proxy::ContextTimes> part = worker.context_times();
    const std::lock_guard lock(adding);
    for (const proxy::ContextTimes& each : part) {
      proxy::ContextTimes& all = contexts[each.context];
      all.context = each.context;
      all.requests += each.requests;
      all.duration.add(each.duration);
    }
  };
  co_await workers_.ask(std::move(collect));
  std::vector<proxy::ContextTimes> list;
  for (auto& [name, times] : contexts) list.push_back(std::move(times));
  series_.add(std::chrono::system_clock::now(), sum, std::move(list));
}

Level Inspection::level() const {
  if (set_) return *set_;
  if (setting_) return *setting_;
  return watched_ ? Level::bodies : Level::nothing;
}

void Inspection::set_capture(std::optional<Level> level) {
  set_ = level;
  changed_();
}

void Inspection::watched(bool by_somebody) {
  watched_ = by_somebody;
  changed_();
}

Task<admin::Changes> Inspection::changes(std::uint64_t after, std::size_t most, std::string context) {
  // What has happened up to here is in the rings by the time their workers get to answer.
  const std::uint64_t until = numbers_->changes.load();
  admin::Changes out;
  out.first = numbers_->exchanges.load() + 1;
  std::vector<std::uint64_t> gone;
  std::mutex adding;
  std::function<void(proxy::Worker&)> collect = [&](proxy::Worker& worker) {
    std::vector<inspect::Changed> part = worker.ring().changes(after, until, most, context);
    const inspect::Holdings holdings = worker.ring().holdings();
    // It has lost nothing who begins.
    const std::vector<std::uint64_t> part_gone = after == 0 ? std::vector<std::uint64_t>() : worker.ring().gone(after);
    const std::lock_guard lock(adding);
    std::move(part.begin(), part.end(), std::back_inserter(out.list));
    gone.insert(gone.end(), part_gone.begin(), part_gone.end());
    if (holdings.first) out.first = std::min(out.first, *holdings.first);
  };
  co_await workers_.ask(std::move(collect));
  std::sort(out.list.begin(), out.list.end(), [](const auto& a, const auto& b) { return a.change < b.change; });
  out.next = until;
  if (out.list.size() >= most) {
    out.list.resize(most);
    out.next = out.list.back().change;
  }
  // What changed later is the next answer's to tell of.
  out.lost = static_cast<std::uint64_t>(std::count_if(gone.begin(), gone.end(), [&](auto change) { return change <= out.next; }));
  co_return out;
}

Task<inspect::CapturePtr> Inspection::find(std::uint64_t number) {
  inspect::CapturePtr found;
  std::mutex finding;
  std::function<void(proxy::Worker&)> look = [&](proxy::Worker& worker) {
    inspect::CapturePtr here = worker.ring().find(number);
    if (!here) return;
    const std::lock_guard lock(finding);
    found = std::move(here);
  };
  co_await workers_.ask(std::move(look));
  co_return found;
}

Task<std::vector<std::uint64_t>> Inspection::numbers(std::string context) {
  std::vector<std::uint64_t> out;
  std::mutex adding;
  std::function<void(proxy::Worker&)> collect = [&](proxy::Worker& worker) {
    const std::vector<std::uint64_t> part = worker.ring().numbers_of(context);
    const std::lock_guard lock(adding);
    out.insert(out.end(), part.begin(), part.end());
  };
  co_await workers_.ask(std::move(collect));
  std::sort(out.begin(), out.end());
  co_return out;
}

Task<void> Inspection::clear() {
  std::function<void(proxy::Worker&)> forget = [](proxy::Worker& worker) { worker.ring().clear(); };
  co_await workers_.ask(std::move(forget));
}

Task<inspect::Holdings> Inspection::holdings() {
  inspect::Holdings sum;
  std::mutex adding;
  std::function<void(proxy::Worker&)> collect = [&](proxy::Worker& worker) {
    const inspect::Holdings part = worker.ring().holdings();
    const std::lock_guard lock(adding);
    sum.bytes += part.bytes;
    sum.exchanges += part.exchanges;
  };
  co_await workers_.ask(std::move(collect));
  co_return sum;
}

Task<json::object> Inspection::capture() {
  const inspect::Holdings held = co_await holdings();
  const Level now = level();
  json::object out;
  out["mode"] = now == Level::bodies ? "bodies" : now == Level::heads ? "heads" : "off";
  out["memory"] = json::object{{"used", held.bytes}, {"limit", memory_}};
  out["bodyLimit"] = std::min(inspect::Ring::kBody, memory_ / workers_.all().size() / 8);
  out["exchanges"] = held.exchanges;
  co_return out;
}

json::object Inspection::series() const { return series_.json(); }

Task<Result<std::uint64_t>> Inspection::replay(const inspect::Replay& replay) {
  const policy::ContextPtr context = contexts_.find(replay.context);
  if (!context) co_return Error{Errc::unsupported, Side::downstream, false, 404, "its context has gone"};
  // Any worker does.
  std::optional<Result<std::uint64_t>> begun;
  proxy::Worker* const chosen = &workers_.first();
  std::function<void(proxy::Worker&)> begin = [&](proxy::Worker& worker) {
    if (&worker == chosen) begun = proxy::begin_replay(worker, context->username, replay);
  };
  co_await workers_.ask(std::move(begin));
  if (*begun) log::info("exchange {} is sent again as {}", inspect::id_of(replay.of), inspect::id_of(**begun));
  co_return *begun;
}

}  // namespace cmux::app
