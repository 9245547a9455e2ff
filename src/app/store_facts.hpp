// What an instance tells of its fleet's store: in its metrics, and in its status.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace cmux::app {

struct StoreFacts {
  std::string url;  // without user and password
  bool up = false;
  std::string problem;         // empty: none
  std::uint64_t failures = 0;  // connections that ended, or could not be made
  struct Fleet {
    std::size_t machines = 0, revoked = 0, refused = 0;
    std::optional<std::chrono::system_clock::time_point> read;  // all of the store, last
  };
  std::optional<Fleet> fleet;  // of who reads it; nothing: a machine that only registers itself
};

}  // namespace cmux::app
