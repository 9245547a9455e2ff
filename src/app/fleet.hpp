// What the commands ask of a fleet's store, once: `gateway revoke` and `gateway fleet`. Each connects, asks and ends; errors say
// which store, and hold no secret.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/gateway.hpp"
#include "gateway/revoked.hpp"

namespace cmux::app {

// By ids, each with when it may be forgotten. Errc::config where the flags are wrong.
Result<void> revoke_in_store(const StoreFlags& flags, gateway::Revoked tokens);

struct FleetListing {
  struct Machine {
    std::string url;
    std::optional<milliseconds> left;  // of its lease; nothing: it does not end
    std::string problem;               // in the place of a URL
  };
  std::map<std::string, Machine> machines;  // by id
  gateway::Revoked revoked;
};
Result<FleetListing> list_store(const StoreFlags& flags);

}  // namespace cmux::app
