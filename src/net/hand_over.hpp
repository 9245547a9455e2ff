// Handing sockets to another process of the same user, over a connected Unix socket (SCM_RIGHTS, unix(7)). One message: whoever
// receives takes all of it or nothing.
#pragma once

#include <vector>

#include "net/socket.hpp"

namespace cmux::net {

inline constexpr std::size_t kMostHandedOver = 4;

// Blocking, for the command line. They stay the caller's, too. Errc::limit for none, or more than kMostHandedOver.
Result<void> hand_over(int to, const std::vector<int>& sockets);

// What has come; nothing where nothing has yet. Errors: the other side has gone, or has sent more, or something else. Never
// waits.
Result<std::vector<Socket>> receive_handed_over(int from);

}  // namespace cmux::net
