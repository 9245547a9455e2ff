#include "app/series.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <catch2/catch.hpp>

using namespace cmux;
using namespace cmux::app;
using namespace std::chrono_literals;

namespace {

const auto kNow = std::chrono::system_clock::time_point(1'700'000'000'000ms);

}  // namespace

TEST_CASE("series: percentiles are read off a histogram's buckets") {
  proxy::Histogram times;
  CHECK_FALSE(percentile(times, 0.5));
  for (int i = 0; i < 100; ++i) times.add(700us);
  CHECK(*percentile(times, 0.5) == 750);
  CHECK(*percentile(times, 1.0) == 1000);
  for (int i = 0; i < 100; ++i) times.add(3s);
  CHECK(*percentile(times, 0.5) == 1000);
  CHECK(*percentile(times, 0.75) == 3'750'000);
  proxy::Histogram long_ones;
  long_ones.add(1h);
  CHECK(*percentile(long_ones, 0.5) == 60'000'000);
}

TEST_CASE("series: a step is what has come since the one before; an hour of them is kept") {
  Series series;
  proxy::Counters counters;
  counters.requests = 100;
  counters.errors["reset"] = 7;
  series.add(kNow, counters, {});
  CHECK(series.json().at("requests").as_array().empty());
  counters.requests = 130;
  counters.open_connections = 4;
  counters.errors["reset"] = 9;
  counters.duration.add(700us);
  counters.dns.add(700us);
  series.add(kNow + 10s, counters, {{"ctx-1", 30, counters.duration}});
  counters.open_connections = 1;
  series.add(kNow + 20s, counters, {{"ctx-1", 30, counters.duration}});
  const auto json = series.json();
  CHECK(json.at("step") == 10);
  CHECK(json.at("end") == "2023-11-14T22:13:40.000Z");
  CHECK(json.at("requests") == boost::json::value({30, 0}));
  CHECK(json.at("open") == boost::json::value({4, 1}));
  CHECK(json.at("p50") == boost::json::value({750, nullptr}));
  CHECK(json.at("errors").at("reset") == boost::json::value({2, 0}));
  CHECK(json.at("byPhase").at("dns").at("p99") == boost::json::value({995, nullptr}));
  CHECK(json.at("byPhase").at("tls").at("p99") == boost::json::value({nullptr, nullptr}));
  CHECK(json.at("byContext").at("ctx-1").at("requests") == boost::json::value({30, 0}));
  for (int i = 0; i < 1000; ++i) series.add(kNow, counters, {});
  CHECK(series.json().at("requests").as_array().size() == Series::kSteps);
}

TEST_CASE("series: the contexts with the most requests are told of") {
  Series series;
  series.add(kNow, {}, {});
  std::vector<proxy::ContextTimes> contexts;
  for (std::uint64_t i = 1; i <= 100; ++i) contexts.push_back({fmt::format("ctx-{}", i), i, {}});
  series.add(kNow, {}, contexts);
  const auto json = series.json();
  const auto& told = json.at("byContext").as_object();
  CHECK(told.size() == Series::kMostContexts);
  CHECK(told.contains("ctx-100"));
  CHECK(told.contains("ctx-69"));
  CHECK_FALSE(told.contains("ctx-68"));
}
