#include "app/proxy_options.hpp"

#include <algorithm>

namespace cmux::app {

proxy::Options proxy_options(const Settings& settings) {
  proxy::Options options;
  options.http1.limits.head = settings.max_header;
  options.http1.limits.start_line = settings.max_url;
  options.http1.max_body = settings.max_body;
  options.http1.head_timeout = settings.header_timeout;
  options.http1.send_timeout = settings.send_timeout;
  options.http1.idle_timeout = settings.idle_timeout;
  options.http2.limits = options.http1.limits;
  options.http2.max_body = settings.max_body;
  options.http2.head_timeout = settings.header_timeout;
  options.http2.send_timeout = settings.send_timeout;
  options.http2.idle_timeout = settings.idle_timeout;
  options.offer_http2 = settings.http2;
  options.intercept = settings.intercept;
  options.max_requests = settings.max_requests;
  options.max_per_context = settings.max_context_requests;
  options.silent_timeout = settings.silent_timeout;
  options.pool.h2c_hosts = settings.upstream_h2c;
  options.pool.idle_timeout = settings.upstream_keep_alive;
  options.pool.idle_plain = settings.upstream_keep_alive_plain;
  options.pool.http2.limits = options.http1.limits;
  options.pool.http2.response_timeout = settings.response_timeout;
  options.pool.http2.send_timeout = settings.send_timeout;
  options.pool.http2.idle_timeout = std::max(options.pool.idle_timeout, milliseconds(1));
  options.pool.http2.stream_window = 256 * 1024;
  options.pool.http2.most_window = 1024 * 1024;
  options.pool.http2.ping_interval = settings.ping_interval;
  options.pool.http1.limits = options.http1.limits;
  options.pool.http1.response_timeout = settings.response_timeout;
  options.pool.http1.body_timeout = settings.body_timeout;
  options.pool.http2.body_timeout = settings.body_timeout;
  options.pool.http1.send_timeout = settings.send_timeout;
  options.pool.dial.timeout = settings.connect_timeout;
  options.pool.dial.patience = settings.refused_timeout;
  options.pool.tls = {settings.upstream_ca, settings.insecure_upstream, settings.upstream_ca_written};
  options.pool.tls_timeout = settings.tls_timeout;
  options.pool.parents = settings.parents;
  options.resolve = settings.resolve;
  options.hosts = {settings.domains, settings.never_route};
  options.via = settings.via;
  options.rewrites = settings.rewrites;
  return options;
}

}  // namespace cmux::app
