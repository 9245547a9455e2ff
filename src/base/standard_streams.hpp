// Descriptors 0 to 2 as programs expect them.
#pragma once

namespace cmux {

// Opens those on /dev/null that the program was started without: else a socket gets their number, and what is printed goes to a
// client. Before anything else is opened. False: that is not possible here.
bool open_standard_streams();

}  // namespace cmux
