#include "app/metrics.hpp"

#include <fmt/format.h>

#include <array>
#include <boost/json.hpp>
#include <ctime>

#include "base/log.hpp"
#include "base/time_text.hpp"

namespace cmux::app {
namespace {

using proxy::Counters;
using proxy::Histogram;

struct Metric {
  std::string_view name, type, help;
  std::uint64_t Counters::*value;
};
constexpr Metric kMetrics[] = {
    {"connections_total", "counter", "Client connections accepted", &Counters::connections},
    {"connections_open", "gauge", "Client connections open now", &Counters::open_connections},
    {"connections_shed_total", "counter", "Client connections closed unheard, for want of descriptors", &Counters::shed},
    {"certificates_issued_total", "counter", "Certificates made for clients by the local CA", &Counters::certificates},
    {"requests_total", "counter", "Requests read", &Counters::requests},
    {"requests_open", "gauge", "Requests under way now", &Counters::open_requests},
    {"requests_retried_total", "counter", "Requests sent a second time on a new connection", &Counters::retried},
    {"tunnels_total", "counter", "Tunnels opened: CONNECT, upgrades and raw bytes on forwarded ports", &Counters::tunnels},
    {"tunnels_open", "gauge", "Tunnels open now", &Counters::open_tunnels},
    {"upstream_connections_total", "counter", "Connections opened to upstreams", &Counters::upstream_connections},
    {"upstream_connections_open", "gauge", "Connections to upstreams open now, but those of tunnels to where a client said",
     &Counters::open_upstreams},
    {"upstream_connections_idle", "gauge", "Of these, those that are kept for the next request", &Counters::idle_upstreams},
    {"upstream_origins", "gauge", "Origins that connections are kept of, or were of late", &Counters::origins},
};

struct Timing {
  std::string_view name, help;
  Histogram Counters::*times;
};
constexpr Timing kTimings[] = {
    {"request_duration_seconds", "From a request's head to the end of its response; without tunnels", &Counters::duration},
    {"request_first_byte_seconds", "From a request's head to that of the response from upstream; without tunnels",
     &Counters::first_byte},
    {"upstream_dns_seconds", "To look up a name for a new connection upstream", &Counters::dns},
    {"upstream_connect_seconds", "To connect upstream", &Counters::connect},
    {"upstream_tls_seconds", "To shake hands upstream", &Counters::tls},
};

constexpr std::array<std::string_view, 3> kSources{"workspace", "direct", "proxy"};

// Families of samples, each with its HELP and TYPE lines before it.
class Page {
 public:
  void begin(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text_ += fmt::format("# HELP {0} {1}.\n# TYPE {0} {2}\n", name, help, type);
  }
  template <class Value>
  void sample(Value value, std::string_view labels = {}, std::string_view suffix = {}) {
    const std::string_view open = labels.empty() ? "" : "{", close = labels.empty() ? "" : "}";
    text_ += fmt::format("{}{}{}{}{} {}\n", name_, suffix, open, labels, close, value);
  }
  void histogram(std::string_view name, std::string_view help, const Histogram& times) {
    begin(name, "histogram", help);
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < Histogram::kBounds.size(); ++i) {
      count += times.count(i);
      sample(count, fmt::format("le=\"{}\"", seconds(Histogram::kBounds[i])), "_bucket");
    }
    count += times.count(Histogram::kBounds.size());
    sample(count, "le=\"+Inf\"", "_bucket");
    sample(seconds(times.microseconds()), {}, "_sum");
    sample(count, {}, "_count");
  }
  std::string take() { return std::move(text_); }

 private:
  static double seconds(std::int64_t microseconds) { return static_cast<double>(microseconds) / 1e6; }
  std::string name_, text_;
};

double unix_seconds(std::chrono::system_clock::time_point time) {
  return static_cast<double>(std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count()) / 1000;
}

void add_traffic(Page& page, const Counters& counters) {
  page.begin("cmuxproxy_responses_total", "counter", "Responses by who made them and by their status");
  for (std::size_t source = 0; source < kSources.size(); ++source)
    for (unsigned first = 1; first <= 5; ++first)
      page.sample(counters.responses[source][first - 1], fmt::format("source=\"{}\",code=\"{}xx\"", kSources[source], first));
  page.begin("cmuxproxy_errors_total", "counter", "Exchanges and tunnels that went wrong, by cause");
  for (const auto& [error, count] : counters.errors) page.sample(count, fmt::format("error=\"{}\"", error));
  page.begin("cmuxproxy_bytes_total", "counter", "Bytes of bodies and tunnels, by who sent them");
  page.sample(counters.client_said, "from=\"client\"");
  page.sample(counters.upstream_said, "from=\"upstream\"");
  page.begin("cmuxproxy_tls_handshakes_total", "counter", "TLS handshakes with clients");
  page.sample(counters.tls_accepted, "result=\"ok\"");
  page.sample(counters.tls_failed, "result=\"failed\"");
}

void add_facts(Page& page, const Facts& facts) {
  page.begin("cmuxproxy_contexts", "gauge", "Contexts that exist now");
  page.sample(facts.contexts);
  page.begin("cmuxproxy_contexts_created_total", "counter", "Contexts made");
  page.sample(facts.contexts_created);
  page.begin("cmuxproxy_draining", "gauge", "1 while what is under way is waited for, at a stop");
  page.sample(facts.draining ? 1 : 0);
  page.begin("cmuxproxy_log_lines_dropped_total", "counter", "Log lines that stderr did not take");
  page.sample(log::dropped());
  page.begin("cmuxproxy_ca_not_after_timestamp_seconds", "gauge", "When the local CA's certificate ends; no sample without a CA");
  if (facts.ca_ends) page.sample(*facts.ca_ends);
  page.begin("cmuxproxy_build_info", "gauge", "1, with the version");
  page.sample(1, "version=\"" CMUXPROXY_VERSION "\"");
  page.begin("process_start_time_seconds", "gauge", "When the process started");
  page.sample(fmt::format("{:.3f}", unix_seconds(facts.started)));
  page.begin("process_cpu_seconds_total", "counter", "CPU time that the process has taken");
  page.sample(static_cast<double>(std::clock()) / CLOCKS_PER_SEC);
}

// Without samples where there is no store.
void add_store(Page& page, const std::optional<StoreFacts>& store) {
  const auto* const fleet = store && store->fleet ? &*store->fleet : nullptr;
  page.begin("cmuxproxy_store_up", "gauge", "1 while the fleet's store answers; no sample without one");
  if (store) page.sample(store->up ? 1 : 0);
  page.begin("cmuxproxy_store_failures_total", "counter", "Connections to the fleet's store that ended or could not be made");
  if (store) page.sample(store->failures);
  page.begin("cmuxproxy_store_read_timestamp_seconds", "gauge", "When all of the fleet's store was read last");
  if (fleet && fleet->read) page.sample(fmt::format("{:.3f}", unix_seconds(*fleet->read)));
  page.begin("cmuxproxy_store_machines", "gauge", "Machines that have registered themselves");
  if (fleet) page.sample(fleet->machines);
  page.begin("cmuxproxy_store_machines_refused", "gauge", "Machines in the store that are nonsense, or too many");
  if (fleet) page.sample(fleet->refused);
  page.begin("cmuxproxy_store_tokens_revoked", "gauge", "Revoked tokens that have not expired yet");
  if (fleet) page.sample(fleet->revoked);
}

}  // namespace

boost::json::value store_json(const std::optional<StoreFacts>& store) {
  if (!store) return nullptr;
  boost::json::object out{{"url", store->url},
                          {"up", store->up},
                          {"problem", store->problem.empty() ? boost::json::value() : boost::json::value(store->problem)},
                          {"failures", store->failures}};
  if (const auto& fleet = store->fleet) {
    out["readAt"] = fleet->read ? boost::json::value(rfc3339(*fleet->read)) : boost::json::value();
    out["machines"] = fleet->machines;
    out["refused"] = fleet->refused;
    out["revoked"] = fleet->revoked;
  }
  return out;
}

void add(Counters& sum, const Counters& part) {
  for (const Metric& metric : kMetrics) sum.*metric.value += part.*metric.value;
  for (const Timing& timing : kTimings) (sum.*timing.times).add(part.*timing.times);
  for (const auto value : {&Counters::client_said, &Counters::upstream_said, &Counters::tls_accepted, &Counters::tls_failed})
    sum.*value += part.*value;
  for (std::size_t source = 0; source < sum.responses.size(); ++source)
    for (std::size_t i = 0; i < sum.responses[source].size(); ++i) sum.responses[source][i] += part.responses[source][i];
  for (const auto& [error, count] : part.errors) sum.errors[error] += count;
}

void add_status(boost::json::object& status, const Counters& counters) {
  using boost::json::object;
  using proxy::Source;
  status["connections"] = object{{"open", counters.open_connections}, {"total", counters.connections}, {"shed", counters.shed}};
  status["requests"] = object{{"open", counters.open_requests},
                              {"total", counters.requests},
                              {"refused", counters.answers(Source::proxy, 4)},
                              {"failed", counters.answers(Source::proxy, 5)}};
  status["upstream"] = object{{"open", counters.open_upstreams},
                              {"idle", counters.idle_upstreams},
                              {"opened", counters.upstream_connections},
                              {"retried", counters.retried}};
  status["tunnels"] = counters.tunnels;
  status["openTunnels"] = counters.open_tunnels;
}

std::string metrics_text(const Counters& counters, const Facts& facts) {
  Page page;
  for (const Metric& metric : kMetrics) {
    page.begin(fmt::format("cmuxproxy_{}", metric.name), metric.type, metric.help);
    page.sample(counters.*metric.value);
  }
  for (const Timing& timing : kTimings)
    page.histogram(fmt::format("cmuxproxy_{}", timing.name), timing.help, counters.*timing.times);
  add_traffic(page, counters);
  add_facts(page, facts);
  add_store(page, facts.store);
  return page.take();
}

}  // namespace cmux::app
