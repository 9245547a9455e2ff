#include "probe_report.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "probe.hpp"
#include "proxy/advice.hpp"

namespace cmux::cli {
namespace {

using std::chrono::microseconds;

std::string in_ms(microseconds time) { return fmt::format("{:.2f}", static_cast<double>(time.count()) / 1000); }

microseconds time_member(const json::value& event, std::string_view key) {
  const json::value& value = member(member(event, "timing"), key);
  const std::int64_t* const number = value.if_int64();
  return microseconds(number ? *number : 0);
}

std::string or_unknown(const std::string& text) { return text.empty() ? "unknown" : text; }

std::string failure_of(const ProbeResult& result, const json::value& event) {
  if (!result.failure.empty()) return result.failure;
  if (const std::string detail = text_member(event, "detail"); !detail.empty()) return detail;
  return {};
}

std::string_view hint_of(const ProbeResult& result) {
  if (!result.proxy_error.empty()) return proxy::advice_for(result.proxy_error);
  if (result.status == 0) return "no response at all: does the instance run? cmuxproxy probe, without a URL, checks it";
  return {};
}

// Names are of the proxy's own kind too where no response came: "closed", "reset".
std::string error_of(const ProbeResult& result, const json::value& event) {
  return !result.proxy_error.empty() ? result.proxy_error : text_member(event, "error");
}

json::value or_null(std::string_view text) {
  return text.empty() ? json::value() : json::value(json::string_view(text.data(), text.size()));
}

}  // namespace

void ProbeReport::begin(const std::string& context, const ProbeRequest& request) {
  context_ = context;
  url_ = request.url.text();
  method_ = request.method;
  websocket_ = request.websocket;
  if (websocket_) url_.replace(0, 4, "ws");
}

bool ProbeReport::is_good(const ProbeResult& result) const {
  return result.status != 0 && result.failure.empty() && result.proxy_error.empty() && (!websocket_ || result.echoed.has_value());
}

void ProbeReport::add(const ProbeResult& result, const json::value& event) {
  const bool good = is_good(result);
  good_ = good_ && good;
  refused_ = refused_ || result.status >= 400;
  totals_.push_back(result.total);
  if (json_) {
    requests_.push_back(document_of(result, event));
    return;
  }
  print_verdict(result, event);
  if (totals_.size() == 1) print_first(result, event);
  std::fflush(stdout);
}

void ProbeReport::print_verdict(const ProbeResult& result, const json::value& event) const {
  const bool good = is_good(result);
  const std::string status = result.status == 0 ? "no response" : fmt::format("{} {}", result.status, result.reason);
  print(fmt::format("{} {} -> {}  {} ms\n", method_, url_, painted(status, good ? Colour::green : Colour::red),
                    in_ms(result.total)));
  if (good) return;
  if (const std::string error = error_of(result, event); !error.empty()) print(fmt::format("  error      {}\n", error));
  if (const std::string why = failure_of(result, event); !why.empty()) print(fmt::format("  because    {}\n", why));
  if (websocket_ && !result.echoed && result.proxy_error.empty() && result.status != 0)
    print("  because    the far end refused the WebSocket\n");
  if (const std::string_view hint = hint_of(result); !hint.empty()) print(fmt::format("  try        {}\n", hint));
}

void ProbeReport::print_first(const ProbeResult& result, const json::value& event) const {
  print(fmt::format("  context    {}\n", context_));
  if (result.echoed)
    print(fmt::format("  echo       {}\n", *result.echoed ? "the text came back" : "none (not every server echoes)"));
  if (event.is_null()) return;
  print(fmt::format("  went to    {}\n", or_unknown(text_member(event, "destination"))));
  if (const std::string parent = text_member(event, "parent"); !parent.empty()) print(fmt::format("  through    {}\n", parent));
  const std::string upstream = text_member(event, "upstream");
  const bool reused = member(event, "reused") == json::value(true);
  print(fmt::format("  protocols  {} to the proxy, {} upstream{}\n", or_unknown(text_member(event, "downstream")),
                    upstream.empty() ? "none" : upstream,
                    upstream.empty() ? ""
                    : reused         ? " (reused connection)"
                                     : " (new connection)"));
  print_times(result, event);
}

void ProbeReport::print_times(const ProbeResult& result, const json::value& event) const {
  const bool reused = member(event, "reused") == json::value(true);
  const auto row = [](std::string_view name, const std::string& value) { print(fmt::format("  {:<22} {:>9}\n", name, value)); };
  const auto step = [&](std::string_view name, std::string_view key) {
    const microseconds time = time_member(event, key);
    row(name, reused || time.count() == 0 ? "-" : in_ms(time));
  };
  row("time", "ms");
  row("connect to the proxy", result.reused ? "-" : in_ms(result.connect));
  step("DNS", "dns");
  step("connect", "connect");
  step("TLS", "tls");
  row("first byte", in_ms(result.first_byte));
  const microseconds upstream = time_member(event, "firstByte");
  row("first byte, upstream", upstream.count() == 0 ? "-" : in_ms(upstream));
  row("total", in_ms(result.total));
}

json::object ProbeReport::document_of(const ProbeResult& result, const json::value& event) const {
  json::object out;
  out["ok"] = is_good(result);
  out["status"] = result.status == 0 ? json::value() : json::value(result.status);
  out["error"] = or_null(error_of(result, event));
  out["detail"] = or_null(failure_of(result, event));
  out["hint"] = or_null(is_good(result) ? std::string_view() : hint_of(result));
  for (const char* key : {"destination", "parent", "downstream", "upstream", "reused"}) out[key] = member(event, key);
  out["proxyConnectionReused"] = result.reused;
  out["bytes"] = result.bytes;
  if (websocket_) out["echoed"] = result.echoed ? json::value(*result.echoed) : json::value();
  json::object& timing = out["timing"].emplace_object();
  timing["proxyConnect"] = result.connect.count();
  for (const char* key : {"dns", "connect", "tls"})
    timing[key] = event.is_null() ? json::value() : json::value(time_member(event, key).count());
  timing["firstByte"] = result.first_byte.count();
  timing["total"] = result.total.count();
  return out;
}

void ProbeReport::finish() {
  if (json_) {
    json::object document;
    document["ok"] = good_;
    document["context"] = context_;
    document["method"] = method_;
    document["url"] = url_;
    document["requests"] = std::move(requests_);
    print_json(document);
    return;
  }
  if (totals_.size() < 2) return;
  std::sort(totals_.begin(), totals_.end());
  print(fmt::format("{} requests: {} ms at least, {} ms median, {} ms at most\n", totals_.size(), in_ms(totals_.front()),
                    in_ms(totals_[totals_.size() / 2]), in_ms(totals_.back())));
}

}  // namespace cmux::cli
