// Two transports that are each other's peer, and coroutines to talk through them.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>

#include <stdexcept>
#include <string>

#include "base/run.hpp"
#include "net/socket.hpp"

namespace cmux::net {

struct Pair {
  Pair() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) throw std::runtime_error("socketpair");
    for (const int end : ends) fcntl(end, F_SETFL, fcntl(end, F_GETFL) | O_NONBLOCK);
    near = std::make_unique<SocketTransport>(Socket(ends[0]));
    far = std::make_unique<SocketTransport>(Socket(ends[1]));
  }
  std::unique_ptr<SocketTransport> near, far;
};

// A connection to a listener of this process; null: none.
inline std::unique_ptr<SocketTransport> connected_to(const Endpoint& endpoint) {
  const int descriptor = socket(endpoint.storage.ss_family, SOCK_STREAM, 0);
  Socket connecting(descriptor);
  if (connect(descriptor, reinterpret_cast<const sockaddr*>(&endpoint.storage), endpoint.size) != 0) return nullptr;
  fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK);
  return std::make_unique<SocketTransport>(std::move(connecting));
}

// Reads until `text` ends in `mark`, or the peer's end.
inline Task<void> read_until(Transport& transport, std::string mark, std::string& text) {
  Buffer in;
  while (mark.empty() || !text.ends_with(mark)) {
    auto read = co_await read_some(transport, in, 4096);
    if (!read) text += "<" + read.error().detail + ">";
    if (!read || *read == 0) co_return;
    text += in.view();
    in.clear();
  }
}
inline Task<void> read_to_end(Transport& transport, std::string& text) { return read_until(transport, {}, text); }

inline Task<void> send(Transport& transport, std::string text) { co_await write_all(transport, text); }

// Reads exactly that many bytes.
inline Task<void> read_count(Transport& transport, std::size_t count, std::string& text) {
  const std::size_t whole = text.size() + count;
  while (text.size() < whole) {
    char bytes[4096];
    const Io io = transport.read({bytes, std::min(sizeof bytes, whole - text.size())});
    if (io.state == Io::State::moved) text.append(bytes, io.count);
    else if (io.state == Io::State::blocked) co_await transport.readable();
    else co_return;
  }
}

}  // namespace cmux::net
