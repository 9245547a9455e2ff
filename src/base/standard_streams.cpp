#include "base/standard_streams.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace cmux {

bool open_standard_streams() {
  // The lowest free number is given out, so each gets its own; and they are inherited, as these are.
  for (int number = STDIN_FILENO; number <= STDERR_FILENO; ++number)
    if (::fcntl(number, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) != number) return false;
  return true;
}

}  // namespace cmux
