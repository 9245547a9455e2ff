// How a tunnel's directions end, whatever it was opened by.
#pragma once

#include "support.hpp"

namespace e2e {

// The client says its last, and the server still has something to say.
inline void client_ends_first(Client& client, Peer& peer) {
  client.send("a question");
  client.half_close();
  CHECK(peer.read_until("question") == "a question");
  CHECK(peer.read_some().empty());
  peer.send("an answer");
  peer.close();
  CHECK(client.read_all_until_close() == "an answer");
  CHECK_FALSE(client.was_reset());
}

}  // namespace e2e
