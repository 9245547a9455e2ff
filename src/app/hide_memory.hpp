// The process's memory holds the tokens of routes, passwords and the CA's key.
#pragma once

namespace cmux::app {

// No core files, and no other process of the same user may look into this one (ptrace, /proc/PID/mem). Where the system has no
// such thing nothing happens.
void hide_memory();

}  // namespace cmux::app
