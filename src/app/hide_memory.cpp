#include "app/hide_memory.hpp"

#ifdef __linux__
#include <sys/prctl.h>
#endif

namespace cmux::app {

void hide_memory() {
#ifdef __linux__
  prctl(PR_SET_DUMPABLE, 0);
#endif
}

}  // namespace cmux::app
