// What a probe found, as lines for people while it goes on, or as one JSON document at its end.
#pragma once

#include "cli.hpp"
#include "probe_request.hpp"

namespace cmux::cli {

class ProbeReport {
 public:
  explicit ProbeReport(bool as_json) : json_(as_json) {}

  void begin(const std::string& context, const ProbeRequest& request);
  // `event`: the proxy's own report of the request; null where there is none.
  void add(const ProbeResult& result, const json::value& event);
  void finish();
  bool good() const { return good_; }
  bool refused() const { return refused_; }  // a status was 400 or more

 private:
  bool is_good(const ProbeResult& result) const;
  void print_first(const ProbeResult& result, const json::value& event) const;
  void print_verdict(const ProbeResult& result, const json::value& event) const;
  void print_times(const ProbeResult& result, const json::value& event) const;
  json::object document_of(const ProbeResult& result, const json::value& event) const;

  bool json_, good_ = true, refused_ = false;
  std::string context_, url_, method_;
  bool websocket_ = false;
  json::array requests_;
  std::vector<std::chrono::microseconds> totals_;
};

}  // namespace cmux::cli
