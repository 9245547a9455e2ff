// `run --transparent`: this process moves to a user and a network namespace of its own, in which every TCP connection, whatever
// its address, comes to listeners that the instance has. Linux alone; elsewhere it says so.
//
// Order matters: the instance is asked for the context from outside, and connects to the Hand; then the namespace is made, and
// the listeners in it go to the instance over that connection.
#pragma once

#include <cstdint>
#include <string>

namespace cmux::cli {

// Throws Exit where this system has no such thing at all.
void check_transparent();

// The Unix socket on which the instance takes the listeners. Its file, in the runtime folder, is there until the instance has
// connected, and goes with this object at the latest.
class Hand {
 public:
  Hand();
  ~Hand();
  Hand(const Hand&) = delete;
  const std::string& path() const { return path_; }
  // Moves this process to its namespace, and hands over the listeners. Returns their port, which is also a proxy port. Throws
  // Exit, and says what would help.
  std::uint16_t enter_namespace();

 private:
  std::string path_;
  int listener_ = -1;
};

}  // namespace cmux::cli
