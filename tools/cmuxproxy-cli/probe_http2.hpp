// A probe's requests on one HTTP/2 connection to the proxy, by prior knowledge.
#pragma once

#include "http2/client.hpp"
#include "probe_request.hpp"

namespace cmux::cli {

class ProbeHttp2 {
 public:
  explicit ProbeHttp2(const ProbeRequest& request) : request_(request) {}
  // The error: why there is no response, or no whole one.
  Task<Result<void>> send(ProbeResult& result);
  void cancel();
  Task<void> end();

 private:
  Task<Result<void>> connect(ProbeResult& result);
  Task<Result<void>> fetch(http::Stream& stream, ProbeResult& result);

  const ProbeRequest& request_;
  http2::Options options_;
  std::unique_ptr<http2::ClientConnection> connection_;
  Scope scope_;
};

}  // namespace cmux::cli
