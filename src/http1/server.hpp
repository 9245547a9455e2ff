// The server side of an HTTP/1 connection: requests one after the other, each given to the handler as a Stream.
#pragma once

#include <set>

#include "http1/half.hpp"
#include "http1/parser.hpp"

namespace cmux::http1 {

struct ServerOptions {
  Limits limits;
  std::uint64_t max_body = 0;          // bytes; more is 413; 0: without limit
  milliseconds head_timeout{10'000};   // from a request's first byte to the end of its head: 408
  milliseconds send_timeout{120'000};  // for the client to take some of what waits for it; 0: none
  milliseconds idle_timeout{120'000};  // between requests: closed
  milliseconds abort_grace{1'000};     // a client that only half-closed may still get an answer for that long without progress
};

// Serves the connection until it ends. `scheme` is what origin-form requests get. While it runs it is in `open`, for drain().
Task<void> serve(std::unique_ptr<net::Transport> transport, http::Handler& handler, std::string_view scheme,
                 const ServerOptions& options, std::set<http::Drainable*>& open);

}  // namespace cmux::http1
