// The gateways as services of an instance (server.hpp): what `gateway machine` and `gateway names` are told, checked, and turned
// into planners (src/gateway). On the main thread; what changes while they run is read there, and posted to the workers.
#pragma once

#include <memory>

#include "app/server.hpp"

namespace cmux::app {

// As the command line gave it. Errors (Errc::config) name the flag.
struct StoreFlags {
  std::string url;       // or "env:VAR"; empty: none
  std::string password;  // the file that holds it; empty: none
  std::string ca;        // a file of certificates that are trusted besides the system's
};
struct MachineFlags {
  std::vector<std::string> listen;  // default 0.0.0.0:39379 and [::]:39379
  std::string token;                // the file that holds it; empty: none is asked for
  std::vector<std::string> allow_hosts;
  StoreFlags store;
  std::string register_as, advertise, lease;
};
Result<std::unique_ptr<Service>> machine_service(const MachineFlags& flags);

struct NamesFlags {
  std::vector<std::string> listen;  // default 0.0.0.0:39380 and [::]:39380
  std::vector<std::string> domains, trusted_proxies;
  std::string machine_template, port_template;
  std::string machines, machine_token, keys, tls_cert, tls_key;  // files; empty: none
  std::string wake_command, wake_url, wake_token, wake_timeout;  // wake_token: a file
  std::string revoked;                                           // a file
  StoreFlags store;
};
Result<std::unique_ptr<Service>> names_service(const NamesFlags& flags);

}  // namespace cmux::app
