// Which ports listen in a context's workspace, as the far end of its route tells where that is a gateway: GET /_cmux/ports. Asked
// for by whoever looks after the context, never for a client's request, over the connections that its requests use.
#pragma once

#include <functional>

#include "proxy/worker.hpp"

namespace cmux::proxy {

struct PortQuery {
  static constexpr milliseconds kTime{3'000};             // for an answer
  static constexpr std::size_t kMostAnswer = 512 * 1024;  // bytes: a list of all ports fits in
};

// On the worker's thread, where `told` is called once, with the answer's body: at once, or later. The context's release, another
// route and a stop give it up.
void ask_ports(Worker& worker, const std::string& username, std::function<void(Result<std::string>)> told);

}  // namespace cmux::proxy
