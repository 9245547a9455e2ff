// Where programs of this machine look for the authorities that they trust, and how one is put there and taken out again: the
// system's folder, browsers' NSS databases, Java's key store. By the tools that own these places; nothing here writes to them
// itself. As root they are looked for in the system's own folders alone, whatever PATH says, which they get, too; and a Java that
// others could change is left alone.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "command.hpp"

namespace cmux::cli {

enum class Holds { nothing, ours, other };  // under the name that ours has there

struct TrustStore {
  std::string kind;  // "system", "nss", "java"
  std::string place;
  bool needs_root = false;
  std::string missing;  // the tool that it takes and that is not there, with where to get it; nothing can be done then
  std::function<Holds()> holds;
  std::vector<Command> install, uninstall;  // in this order
};

inline constexpr const char* kStoreKinds[] = {"system", "nss", "java"};

// Those that are there for a certificate: `path`, the file that holds it, and what is in it.
std::vector<TrustStore> trust_stores(const std::string& path, const std::string& pem);

}  // namespace cmux::cli
