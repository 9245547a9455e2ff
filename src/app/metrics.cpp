#include "app/metrics.hpp"

#include <boost/json.hpp>

#include <fmt/format.h>

#include "base/log.hpp"
#include "base/time_text.hpp"

namespace cmux::app {
namespace {

namespace json = boost::json;

struct Metric {
  std::string_view name, type, help;
  std::uint64_t proxy::Counters::*value;
};
constexpr Metric kMetrics[] = {
    {"connections_total", "counter", "Client connections accepted", &proxy::Counters::connections},
    {"connections_open", "gauge", "Client connections open now", &proxy::Counters::open_connections},
    {"connections_shed_total", "counter", "Client connections closed unheard, for want of descriptors", &proxy::Counters::shed},
    {"requests_total", "counter", "Requests read", &proxy::Counters::requests},
    {"requests_open", "gauge", "Requests under way now", &proxy::Counters::open_requests},
    {"requests_refused_total", "counter", "Requests that the proxy itself answered with 4xx", &proxy::Counters::refused},
    {"requests_failed_total", "counter", "Requests that the proxy itself answered with 5xx", &proxy::Counters::failed},
    {"requests_retried_total", "counter", "Requests sent a second time on a new connection", &proxy::Counters::retried},
    {"tunnels_total", "counter", "Tunnels opened: CONNECT and upgrades", &proxy::Counters::tunnels},
    {"tunnels_open", "gauge", "Tunnels open now", &proxy::Counters::open_tunnels},
    {"upstream_connections_total", "counter", "Connections opened to upstreams", &proxy::Counters::upstream_connections},
    {"upstream_connections_idle", "gauge", "Connections to upstreams kept for reuse", &proxy::Counters::idle_upstreams},
};

json::value or_null(const std::string& text) { return text.empty() ? json::value() : json::value(text); }

}  // namespace

void add(proxy::Counters& sum, const proxy::Counters& part) {
  for (const Metric& metric : kMetrics) sum.*metric.value += part.*metric.value;
}

std::string metrics_text(const proxy::Counters& counters, const Facts& facts) {
  std::string out;
  const auto line = [&](std::string_view name, std::string_view type, std::string_view help, std::uint64_t value) {
    out += fmt::format("# HELP cmuxproxy_{0} {1}.\n# TYPE cmuxproxy_{0} {2}\ncmuxproxy_{0} {3}\n", name, help, type, value);
  };
  for (const Metric& metric : kMetrics) line(metric.name, metric.type, metric.help, counters.*metric.value);
  line("contexts", "gauge", "Contexts that exist now", facts.contexts);
  line("uptime_seconds", "gauge", "Time since the instance started",
       static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(facts.uptime).count()));
  line("draining", "gauge", "1 while what is under way is waited for, at a stop", facts.draining ? 1 : 0);
  line("log_lines_dropped_total", "counter", "Log lines that stderr did not take", log::dropped());
  return out;
}

std::string record_json(const proxy::Record& record) {
  json::object out;
  out["time"] = rfc3339(std::chrono::system_clock::now());
  out["context"] = or_null(record.context);
  out["method"] = record.method;
  out["url"] = record.url;
  out["destination"] = or_null(record.destination);
  out["parent"] = or_null(record.parent);
  out["status"] = record.status;
  out["error"] = or_null(record.error);
  out["detail"] = or_null(record.detail);
  out["downstream"] = record.downstream;
  out["upstream"] = or_null(record.upstream);
  out["reused"] = record.reused;
  out["timing"] = json::object{{"dns", record.dns.count()},
                               {"connect", record.connect.count()},
                               {"tls", record.tls.count()},
                               {"firstByte", record.first_byte.count()},
                               {"total", record.total.count()}};
  return json::serialize(out);
}

}  // namespace cmux::app
