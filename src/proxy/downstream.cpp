#include "proxy/downstream.hpp"

#include "base/log.hpp"
#include "http1/parser.hpp"

namespace cmux::proxy {
namespace {

constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";  // RFC 9113 section 3.4
constexpr std::size_t kSniffed = 4096;

class RequestHandler final : public http::Handler {
 public:
  RequestHandler(Worker& worker, Entrance entrance) : worker_(worker), entrance_(std::move(entrance)) {}
  Task<void> serve(http::Stream& stream) override {
    Exchange exchange(worker_, entrance_, stream);
    co_await exchange.run();
  }

 private:
  Worker& worker_;
  Entrance entrance_;
};

// A client that has not said anything yet: nothing is lost by closing it.
class Silent final : public http::Drainable {
 public:
  Silent(Worker& worker, net::Transport& transport) : worker_(worker), transport_(transport) {
    worker_.open().insert(this);
    deadline_.after(worker_.options().http1.idle_timeout);
  }
  ~Silent() { worker_.open().erase(this); }
  void drain() override { transport_.abort(make_error(Errc::closed, "shutting down"), false); }

 private:
  Worker& worker_;
  net::Transport& transport_;
  Deadline deadline_{[](void* self) { static_cast<Silent*>(self)->drain(); }, this};
};

}  // namespace

Protocol sniff(std::string_view bytes) {
  if (bytes.empty()) return Protocol::unknown;
  if (bytes.front() == 0x16) return Protocol::tls;
  if (bytes.starts_with(kHttp2Preface)) return Protocol::http2;
  if (kHttp2Preface.starts_with(bytes)) return Protocol::unknown;
  const std::size_t space = bytes.find_first_of(" \r\n");
  if (space == std::string_view::npos) return http1::is_token(bytes) && bytes.size() <= 32 ? Protocol::unknown : Protocol::raw;
  if (bytes[space] != ' ' || !http1::is_token(bytes.substr(0, space))) return Protocol::raw;
  if (space + 1 == bytes.size()) return Protocol::unknown;
  const char next = bytes[space + 1];
  // Origin form, asterisk form, or the scheme of an absolute form. A line of another protocol ("EHLO example") is none of them.
  if (next == '/' || next == '*') return Protocol::http1;
  const std::string_view target = bytes.substr(space + 1);
  for (const std::string_view scheme : {"http://", "https://", "ws://", "wss://"})
    if (http::equal_ignoring_case(target.substr(0, scheme.size()), scheme.substr(0, target.size())))
      return target.size() >= scheme.size() ? Protocol::http1 : Protocol::unknown;
  return Protocol::raw;
}

Task<void> refuse_tls(net::Transport& transport) {
  // handshake_failure (RFC 8446 section 6): what a TLS client can show its user.
  constexpr std::string_view kAlert("\x15\x03\x03\x00\x02\x02\x28", 7);
  co_await net::write_all(transport, kAlert);
}

Task<void> serve_connection(Worker& worker, std::unique_ptr<net::Transport> transport, Entrance entrance) {
  // One byte tells HTTP/1 from TLS; the parser says what is wrong with anything else.
  Buffer seen;
  {
    Silent silent(worker, *transport);
    auto read = co_await net::read_some(*transport, seen, kSniffed);
    if (!read || *read == 0) co_return;
  }
  const bool tls = seen.view().front() == 0x16;
  if (tls) {
    log::info("refused a TLS connection to the proxy port: not available yet");
    co_await refuse_tls(*transport);
    co_return;
  }
  transport->unread(seen.view());
  seen.release();
  co_await serve_requests(worker, std::move(transport), std::move(entrance));
}

Task<void> serve_requests(Worker& worker, std::unique_ptr<net::Transport> transport, Entrance entrance) {
  RequestHandler handler(worker, std::move(entrance));
  co_await http1::serve(std::move(transport), handler, "http", worker.options().http1, worker.open());
}

}  // namespace cmux::proxy
