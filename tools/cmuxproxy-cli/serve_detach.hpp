// serve --detach: the instance as a process of its own session, whose start the caller waits for.
#pragma once

#include <functional>
#include <string>

#include "cli.hpp"

namespace cmux::cli {

// Where the instance's log goes once it is ready: "<state folder>/log/<instance>.log", mode 0600, and ".1" with what was before
// it, of kMostLog each. Throws Exit where there is no state folder.
std::string log_path(const std::string& instance);
constexpr std::size_t kMostLog = 8 * 1024 * 1024;

// What happens to the log of an instance that is ready.
enum class Log { keep, discard };

// Gets the ready line, without its end.
using SayReady = std::function<void(const std::string& line)>;

// Forks, and calls `serve` in the child. Returns in the parent, when the ready line has come, which it prints, or when the child
// has failed: with its exit code, and what it said on standard error. The child has no descriptors but `kept`. Only while the
// process has one thread.
int detach(const std::string& instance, Log log, int kept, const std::function<int(const SayReady&)>& serve);

}  // namespace cmux::cli
