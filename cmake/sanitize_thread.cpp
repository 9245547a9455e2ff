// Linked into the thread sanitizer's build of the program alone.
//
// GCC 12's runtime makes a thread's record of signals when that thread first waits in the system, and stores the new record
// without looking whether a signal that came meanwhile has made one: that signal is lost (strace shows it delivered, and no
// handler run). The main thread's first wait is right behind the ready line, where those that start the program send signals. So
// it waits once, for no time, before anybody can send one.
#include <poll.h>

[[gnu::constructor]] static void make_record_of_signals() { poll(nullptr, 0, 0); }
