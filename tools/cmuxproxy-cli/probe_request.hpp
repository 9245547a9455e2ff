// One request through the proxy port, as a client would send it: absolute form, or inside a CONNECT, or a WebSocket. Runs on the
// loop of who makes it.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/loop.hpp"

namespace cmux::cli {

struct ProbeUrl {
  std::string scheme, authority, path;  // path with its query
  std::string text() const { return scheme + "://" + authority + path; }
};
// ws and wss become http and https, and set `websocket`. Throws Exit with kUsage.
ProbeUrl parse_probe_url(const std::string& text, bool& websocket);

struct ProbeRequest {
  ProbeUrl url;
  std::string method = "GET";
  std::vector<std::pair<std::string, std::string>> headers;
  bool connect = false, websocket = false;
  bool socks = false;  // with `connect`: by SOCKS5 in place of HTTP
  bool http2 = false;  // to the proxy, by prior knowledge; none of the others then
  std::string proxy, username, password;
  std::string ca_file;  // of the local CA, which https inside a tunnel to localhost shows
};

struct ProbeResult {
  unsigned status = 0;  // 0: no response
  std::string reason;
  std::string proxy_error;     // of Proxy-Status: the response is the proxy's own
  std::string failure;         // no response, or it broke off: why
  bool reused = false;         // the connection to the proxy was there already
  bool tunnel_failed = false;  // the response is to CONNECT
  std::uint64_t bytes = 0;
  std::optional<bool> echoed;  // WebSocket: the text came back
  std::chrono::microseconds connect{0}, first_byte{0}, total{0};
};

// "cmuxproxy; error=dns_error; details=…": the error's name, where the proxy made the response (RFC 9209).
std::string proxy_error_of(std::string_view status);
// A server's words on a terminal: ASCII, since among the other characters there are such that it obeys.
std::string printable_ascii(std::string_view text);

class ProbeHttp2;

class ProbeClient {
 public:
  explicit ProbeClient(ProbeRequest request);
  ~ProbeClient();
  Task<ProbeResult> send();
  // From a signal: what waits fails.
  void cancel();
  // Before this and the loop end.
  Task<void> end();

 private:
  struct Connection;  // one to the proxy, with what is spoken on it
  Task<Result<void>> open(ProbeResult& result);
  Task<Result<void>> open_tunnel(ProbeResult& result);
  Task<Result<void>> secure(const std::string& host, const std::string& authority);
  Task<Result<void>> exchange(ProbeResult& result, Clock::time_point start);
  template <class Stream>
  Task<Result<void>> fetch(Stream& stream, ProbeResult& result, Clock::time_point start);
  template <class Stream>
  Task<Result<void>> open_websocket(Stream& stream, ProbeResult& result, Clock::time_point start);

  ProbeRequest request_;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<ProbeHttp2> http2_;
  bool cancelled_ = false;
};

}  // namespace cmux::cli
