// How both sides of SOCKS5 read a message.
#pragma once

#include "net/transport.hpp"
#include "socks/messages.hpp"

namespace cmux::socks {

// Reads until `parse` has a whole message, and takes it off the front; what has come behind it stays in `in`. A peer that has
// gone is Errc::closed, or the transport's error, of the local side.
template <class Message>
Task<Result<void>> receive(net::Transport& transport, Buffer& in, Result<std::size_t> (*parse)(std::string_view, Message&),
                           Message& out) {
  while (true) {
    const auto size = parse(in.view(), out);
    if (!size) co_return size.error();
    if (*size > 0) {
      in.consume(*size);
      co_return Result<void>{};
    }
    const auto read = co_await net::read_some(transport, in, kLongest);
    if (!read) co_return read.error();
    if (*read == 0) co_return make_error(Errc::closed, "it closed the connection before it had answered");
  }
}

}  // namespace cmux::socks
