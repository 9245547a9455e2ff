// Replay: a request that was kept, or what somebody has made of it, sent again as its context's: an Exchange like any other,
// whose downstream side is memory and takes any answer. It is recorded, whatever else is.
#pragma once

#include "inspect/replay.hpp"
#include "proxy/worker.hpp"

namespace cmux::proxy {

constexpr milliseconds kReplayTime{120'000};  // for an answer, to its end

// On the worker's thread. The number of the new exchange, which has begun; or why it will not be, with a status: the context has
// gone (404), or what plan() says (400, 508).
Result<std::uint64_t> begin_replay(Worker& worker, const std::string& username, inspect::Replay replay,
                                   milliseconds time = kReplayTime);

}  // namespace cmux::proxy
