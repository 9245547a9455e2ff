// The counters' text, and docs/metrics.md, which is made from it: CMUX_UPDATE_DOCS=1 writes the page anew.
#include <catch2/catch.hpp>

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "app/metrics.hpp"
#include "source.hpp"

using namespace cmux;
using namespace cmux::app;
using namespace std::chrono_literals;
using Catch::Contains;
using proxy::Counters;
using proxy::Histogram;
using proxy::Source;

namespace {

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Every family once, with one of each that comes from elsewhere.
std::string everything() {
  Counters counters;
  counters.errors["connection_refused"] = 1;
  Facts facts;
  facts.ca_ends = 1;
  facts.store = StoreFacts{};
  facts.store->fleet = StoreFacts::Fleet{};
  facts.store->fleet->read = std::chrono::system_clock::time_point{};
  return metrics_text(counters, facts);
}

// "source, code" of a sample's labels.
std::string label_names(std::string_view sample) {
  std::string out;
  for (std::size_t at = sample.find('{'); at != std::string_view::npos && sample[at] != '}';) {
    const std::size_t equals = sample.find('=', at), end = sample.find('"', equals + 2);
    out += fmt::format("{}`{}`", out.empty() ? "" : ", ", sample.substr(at + 1, equals - at - 1));
    at = end + 1;
  }
  return out;
}

std::string made_page() {
  std::string out =
      "# Metrics\n\n"
      "What `GET /metrics` of the admin API tells ([observing.md](observing.md) says how to ask). Made from the program by\n"
      "`tests/unit/app/metrics_test.cpp`, which holds it against it. Counters begin with the instance. `source` is `workspace` "
      "(by a\n"
      "context's route), `direct` (where the client said) or `proxy` (its own answers); `code` is `1xx` to `5xx`; `error` is a "
      "name of\n"
      "RFC 9209 section 2.3 or says why an exchange broke off (`reset`, `cancelled`, …); no label is a client's or a workspace's "
      "choice.\n\n"
      "| metric | type | labels | says |\n|---|---|---|---|\n";
  std::istringstream lines(everything());
  std::string help, name, type;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# HELP ")) {
      name = line.substr(7, line.find(' ', 7) - 7);
      help = line.substr(8 + name.size());
    } else if (line.starts_with("# TYPE ")) {
      type = line.substr(line.rfind(' ') + 1);
    } else if (!name.empty()) {
      help.pop_back();
      out += fmt::format("| `{}` | {} | {} | {} |\n", name, type, type == "histogram" ? "`le`" : label_names(line), help);
      name.clear();
    }
  }
  return out;
}

}  // namespace

TEST_CASE("metrics: docs/metrics.md is what the program has") {
  const std::string page = made_page(), path = source("docs/metrics.md");
  if (std::getenv("CMUX_UPDATE_DOCS")) std::ofstream(path) << page;
  INFO("CMUX_UPDATE_DOCS=1 writes it anew");
  CHECK(text_of(path) == page);
}

TEST_CASE("metrics: a time is in the bucket of the first bound that it is not above") {
  Histogram times;
  times.add(0us);
  times.add(500us);
  times.add(501us);
  times.add(60s);
  times.add(61s);
  CHECK(times.count(0) == 2);
  CHECK(times.count(1) == 1);
  CHECK(times.count(Histogram::kBounds.size() - 1) == 1);
  CHECK(times.count(Histogram::kBounds.size()) == 1);
  CHECK(times.microseconds() == 121'001'001);
}

TEST_CASE("metrics: workers are added up, whatever they count") {
  Counters one, other;
  one.requests = 1, other.requests = 2;
  one.tls_failed = 3, other.tls_accepted = 4;
  one.client_said = 5, other.upstream_said = 6;
  one.answered(Source::workspace, 204);
  other.answered(Source::workspace, 299);
  other.answered(Source::proxy, 503);
  other.answered(Source::proxy, 0);
  other.answered(Source::proxy, 999);
  one.errors["reset"] = 1, other.errors["reset"] = 1, other.errors["timeout"] = 1;
  one.duration.add(700us);
  other.duration.add(2s);
  Counters sum;
  add(sum, one);
  add(sum, other);
  const std::string text = metrics_text(sum, Facts{});
  for (const char* const line :
       {"cmuxproxy_requests_total 3\n", "cmuxproxy_tls_handshakes_total{result=\"failed\"} 3\n",
        "cmuxproxy_tls_handshakes_total{result=\"ok\"} 4\n", "cmuxproxy_bytes_total{from=\"client\"} 5\n",
        "cmuxproxy_bytes_total{from=\"upstream\"} 6\n", "cmuxproxy_responses_total{source=\"workspace\",code=\"2xx\"} 2\n",
        "cmuxproxy_responses_total{source=\"proxy\",code=\"5xx\"} 1\n", "cmuxproxy_errors_total{error=\"reset\"} 2\n",
        "cmuxproxy_errors_total{error=\"timeout\"} 1\n", "cmuxproxy_request_duration_seconds_bucket{le=\"0.0005\"} 0\n",
        "cmuxproxy_request_duration_seconds_bucket{le=\"0.001\"} 1\n",
        "cmuxproxy_request_duration_seconds_bucket{le=\"+Inf\"} 2\n", "cmuxproxy_request_duration_seconds_count 2\n",
        "cmuxproxy_request_duration_seconds_sum 2.0007\n"})
    CHECK_THAT(text, Contains(std::string("\n") + line));
}
