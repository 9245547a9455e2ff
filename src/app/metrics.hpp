// The workers' counters as Prometheus' text format (docs/metrics.md). Names keep to that ecosystem's habits: base units, _total
// for what only grows, and labels with few values, none of which a client or a workspace chooses.
#pragma once

#include <boost/json/fwd.hpp>
#include <optional>
#include <string>

#include "app/store_facts.hpp"
#include "proxy/worker.hpp"

namespace cmux::app {

void add(proxy::Counters& sum, const proxy::Counters& part);

// Their part of GET /v1/status.
void add_status(boost::json::object& status, const proxy::Counters& counters);

struct Facts {  // of the instance
  std::size_t contexts = 0;
  std::uint64_t contexts_created = 0;
  std::chrono::system_clock::time_point started;
  std::optional<std::time_t> ca_ends;
  bool draining = false;
  std::optional<StoreFacts> store = {};
};
boost::json::value store_json(const std::optional<StoreFacts>& store);  // for status; null: there is none
std::string metrics_text(const proxy::Counters& counters, const Facts& facts);

}  // namespace cmux::app
