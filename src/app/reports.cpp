#include "app/reports.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "base/log.hpp"
#include "base/time_text.hpp"

namespace cmux::app {
namespace {

namespace json = boost::json;

json::value or_null(std::string_view text) {
  return text.empty() ? json::value() : json::value(json::string_view(text.data(), text.size()));
}

std::string_view or_dash(std::string_view text) { return text.empty() ? "-" : text; }

double in_ms(std::chrono::microseconds time) { return static_cast<double>(time.count()) / 1000; }

}  // namespace

std::string record_json(const proxy::Record& record) {
  json::object out;
  out["time"] = rfc3339(record.began);
  out["context"] = or_null(record.context);
  out["method"] = or_null(record.method);
  out["url"] = or_null(record.url);
  out["destination"] = or_null(record.destination);
  out["parent"] = or_null(record.parent);
  out["status"] = record.status;
  out["error"] = or_null(record.error);
  out["detail"] = or_null(log::printable(record.detail));
  out["downstream"] = or_null(record.downstream);
  out["upstream"] = or_null(record.upstream);
  out["reused"] = record.reused;
  out["tunnel"] = record.tunnel;
  out["retries"] = record.retries;
  out["bytes"] = json::object{{"sent", record.sent}, {"received", record.received}};
  out["timing"] = json::object{{"dns", record.dns.count()},
                               {"connect", record.connect.count()},
                               {"tls", record.tls.count()},
                               {"firstByte", record.first_byte.count()},
                               {"total", record.total.count()}};
  return json::serialize(out);
}

std::string record_text(const proxy::Record& record) {
  std::string out =
      fmt::format("access {} {} {} context={} to={} protocols={},{} sent={} received={} total={:.3f}ms", or_dash(record.method),
                  or_dash(record.url), record.status, or_dash(record.context), or_dash(record.destination),
                  or_dash(record.downstream), or_dash(record.upstream), record.sent, record.received, in_ms(record.total));
  if (record.first_byte.count() > 0) out += fmt::format(" first-byte={:.3f}ms", in_ms(record.first_byte));
  if (record.tunnel) out += " tunnel";
  if (record.reused) out += " reused";
  if (record.retries > 0) out += fmt::format(" retries={}", record.retries);
  if (!record.error.empty()) out += fmt::format(" error={}", record.error);
  if (!record.detail.empty()) out += fmt::format(": {}", record.detail);
  return out;
}

Reports::~Reports() { log::on_line(nullptr); }

// Nothing is made for who does not want it.
void Reports::take(const proxy::Record& record) {
  const bool observed = observed_, logged = access_log_;
  if (!observed && !logged) return;
  std::string data = observed || log::is_json() ? record_json(record) : std::string();
  if (logged) log::write(log::Level::info, record_text(record), data.empty() ? std::string() : "\"request\":" + data);
  if (!observed) return;
  loop_.post([this, context = record.context, data = std::move(data)]() mutable {
    publish_({"request", std::move(context), std::move(data)});
  });
}

void Reports::take(proxy::TunnelFailure failed) {
  loop_.post([this, failed = std::move(failed)] {
    if (!contexts_.find(failed.context)) return;  // released meanwhile
    admin::TunnelFailure& last = failures_[failed.context];
    last = {std::chrono::system_clock::now(), failed.target, failed.error, log::printable(failed.detail)};
    json::object data = admin::failure_to_json(last);
    data["context"] = failed.context;
    publish_({"context.tunnel-failed", failed.context, json::serialize(data)});
  });
}

const admin::TunnelFailure* Reports::failure_of(const std::string& context) const {
  const auto found = failures_.find(context);
  return found == failures_.end() ? nullptr : &found->second;
}

void Reports::changed(Change change, const policy::Context& context, std::string_view reason) {
  if (change == Change::released) failures_.erase(context.id);
  const std::string_view type = change == Change::added      ? "context.created"
                                : change == Change::rerouted ? "context.rerouted"
                                                             : "context.released";
  if (!reason.empty()) log_release(context.id, reason);
  json::object data{{"time", rfc3339(std::chrono::system_clock::now())}, {"context", context.id}};
  if (!reason.empty()) data["reason"] = json::string_view(reason.data(), reason.size());
  publish_({std::string(type), context.id, json::serialize(data)});
}

// Many may go at once: they are one line.
void Reports::log_release(const std::string& id, std::string_view reason) {
  if (released_ > 0 && reason != release_reason_) log_releases();
  if (released_++ == 0) loop_.post([this] { log_releases(); });
  release_id_ = id;
  release_reason_ = reason;
}

void Reports::log_releases() {
  const std::size_t count = std::exchange(released_, 0);
  if (count == 1) log::info("released context {}: {}", release_id_, release_reason_);
  else if (count > 1) log::info("released {} contexts: {}", count, release_reason_);
}

void Reports::set_observed(bool observed) {
  observed_ = observed;
  if (!observed) return log::on_line(nullptr);
  const auto before = log::kept();
  if (!before.empty()) last_line_ = before.back().number;
  log::on_line([this] { loop_.post([this] { publish_lines(); }); });
}

void Reports::publish_lines() {
  for (const log::Line& line : log::kept(last_line_)) {
    last_line_ = line.number;
    publish_({"log", {}, json::serialize(admin::line_to_json(line))});
  }
}

}  // namespace cmux::app
