// The server side of an HTTP/2 connection: requests, each given to the handler as a Stream of its own, all at the same time.
#pragma once

#include <set>

#include "http2/session.hpp"

namespace cmux::http2 {

// Serves the connection until it ends. While it runs it is in `open`, for drain(): GOAWAY, then the open streams' end.
Task<void> serve(std::unique_ptr<net::Transport> transport, http::Handler& handler, const Options& options,
                 std::set<http::Drainable*>& open);

}  // namespace cmux::http2
