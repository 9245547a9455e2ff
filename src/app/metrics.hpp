// The workers' counters as Prometheus' text format, and a finished exchange as JSON.
#pragma once

#include <string>

#include "proxy/worker.hpp"

namespace cmux::app {

void add(proxy::Counters& sum, const proxy::Counters& part);
struct Facts {  // of the instance
  std::size_t contexts = 0;
  Clock::duration uptime{};
  bool draining = false;
};
std::string metrics_text(const proxy::Counters& counters, const Facts& facts);
// One line: the data of a "request" event.
std::string record_json(const proxy::Record& record);

}  // namespace cmux::app
