#include "proxy/waiting_page.hpp"

#include <fmt/format.h>

#include <span>
#include <utility>

#include "http1/semantics.hpp"
#include "proxy/advice.hpp"
#include "tls/digest.hpp"
#include "web/waiting.inc"  // kWaitingHtml, kWaitingCss, kWaitingJs

namespace cmux::proxy {
namespace {

using Values = std::span<const std::pair<std::string_view, std::string>>;

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    }
  }
  return out;
}

// Each {{name}} once, from left to right: what is put in is not looked at again.
std::string filled(std::string_view text, Values values) {
  std::string out;
  while (true) {
    const std::size_t begin = text.find("{{"), end = text.find("}}");
    out += text.substr(0, begin);
    if (begin == text.npos || end == text.npos) return out;
    const std::string_view name = text.substr(begin + 2, end - begin - 2);
    for (const auto& [known, value] : values)
      if (known == name) out += value;
    text.remove_prefix(end + 2);
  }
}

bool is_absent(std::string_view error) {
  return error.starts_with("connection_") || error.starts_with("dns_") || error.starts_with("destination_");
}

}  // namespace

bool is_navigation(const http::Head& request) {
  if (const auto mode = request.fields.get("Sec-Fetch-Mode")) return *mode == "navigate";
  const std::string_view accept = request.fields.get(http::Name::accept).value_or("");
  const std::size_t html = accept.find("text/html"), json = accept.find("json");
  return html != accept.npos && html < json;  // npos is larger than any place
}

std::string waiting_page(const Refusal& refusal, std::string_view method) {
  const bool safe = method == "GET" || method == "HEAD";
  const std::string target = escaped(refusal.target.empty() ? "the page" : refusal.target);
  const std::string_view advice = advice_for(refusal.error);
  const std::pair<std::string_view, std::string> values[] = {
      {"method", safe ? "GET" : escaped(method)},
      {"target", target},
      {"scheme", std::string(refusal.scheme)},
      {"headline", fmt::format("{} {}", target, is_absent(refusal.error) ? "does not answer" : "cannot be shown")},
      {"detail", escaped(refusal.detail)},
      {"advice", advice.empty() ? "" : fmt::format("<p>What to look at: {}.</p>\n", escaped(advice))},
      {"state", safe ? "Load this page again when the workspace is back." : "What you sent may not have reached the workspace."},
      {"status", fmt::format("{}", refusal.status)},
      {"reason", std::string(http1::reason_of(refusal.status))},
      {"error", escaped(refusal.error)},
      {"refresh", safe ? "<noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>\n" : ""},
      {"style", std::string(kWaitingCss)},
      {"script", std::string(kWaitingJs)},
  };
  return filled(kWaitingHtml, values);
}

const std::string& waiting_page_policy() {
  static const std::string policy = fmt::format(
      "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; connect-src 'self'; img-src data:; base-uri 'none'; "
      "form-action 'none'",
      tls::base64(tls::sha256(kWaitingCss)), tls::base64(tls::sha256(kWaitingJs)));
  return policy;
}

}  // namespace cmux::proxy
