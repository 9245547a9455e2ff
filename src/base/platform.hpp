// Which system this is. What only Linux has stands behind CMUX_LINUX, each thing in one room with a portable other side:
// base/readiness.cpp (epoll), base/process.cpp (pidfd), net/system.cpp (accept4, TCP_INFO). docs/platforms.md lists them.
#pragma once

// CMUX_PORTABLE builds what other systems get, on Linux too, so that it is tested.
#if defined(__linux__) && !defined(CMUX_PORTABLE)
#define CMUX_LINUX 1
#else
#define CMUX_LINUX 0
#endif
