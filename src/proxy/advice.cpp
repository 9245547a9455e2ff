#include "proxy/advice.hpp"

#include <utility>

namespace cmux::proxy {

std::string_view advice_for(std::string_view wanted) {
  // RFC 9209 section 2.3, as the proxy uses it.
  static constexpr std::pair<std::string_view, std::string_view> kAdvice[] = {
      {"dns_timeout", "no name server answers: check the network (a VPN?), or serve with --resolve PATTERN=ADDR"},
      {"dns_error", "the destination's name does not resolve: check the route's domain, or serve with --resolve PATTERN=ADDR"},
      {"connection_refused", "nothing listens at the destination: is the workspace running, and its proxy?"},
      {"connection_timeout", "the destination does not answer: is the workspace awake, is a VPN or firewall in between?"},
      {"connection_terminated", "the destination closed the connection before it answered: look at the workspace's own log"},
      {"connection_read_timeout", "the destination took too long: look at the workspace's own log"},
      {"destination_ip_unroutable", "there is no way to the destination's network: check the network connection"},
      {"destination_unavailable", "the destination cannot be used now: is the workspace running?"},
      {"http_response_timeout",
       "the dev server did not answer in time; serve with a longer --response-timeout if it is just slow"},
      {"tls_protocol_error", "the TLS handshake failed: does the destination speak TLS on that port?"},
      {"tls_certificate_error",
       "the destination's certificate is not trusted: serve with --upstream-ca FILE if its CA is your own"},
      {"tls_alert_received", "the destination refused the TLS handshake: check the host's name in the route"},
      {"http_protocol_error", "the destination's response is not valid HTTP: does another protocol listen on that port?"},
      {"http_response_header_section_size", "the response's header is too large; serve with a larger --max-header"},
      {"http_response_incomplete", "the response broke off: look at the workspace's own log"},
      {"http_request_denied", "the credentials are not a living context's: make one with cmuxproxy ctx create"},
      {"http_request_error", "the proxy refused the request itself: the details say why"},
      {"connection_limit_reached", "the proxy has too much to do: wait, or serve with a larger --max-requests"},
      {"proxy_loop_detected", "the destination is the proxy itself: give the context a route, or use another port"},
      {"proxy_configuration_error", "the proxy is set up wrongly for this: the details say which setting to look at"},
      {"proxy_internal_error", "something failed inside the proxy: look at the log of cmuxproxy serve"},
  };
  for (const auto& [error, advice] : kAdvice)
    if (error == wanted) return advice;
  return {};
}

}  // namespace cmux::proxy
