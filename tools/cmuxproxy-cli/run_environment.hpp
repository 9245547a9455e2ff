// What `run` changes in the environment of its command, so that as many programs as can be go through the context's port.
#pragma once

#include "cli.hpp"

namespace cmux::cli {

// A list of hosts that go without the proxy, without those that stand for loopback: localhost and what is below it, addresses and
// networks of loopback, and "*", which would have everything go without.
std::string without_loopback(std::string_view no_proxy);

// The same list as Java's http.nonProxyHosts; entries that it cannot have (networks, ports) are left out.
std::string java_non_proxy_hosts(std::string_view no_proxy);

// Sets the variables in this process, which is about to become the command. `ca_file` is empty where the instance has no CA.
void set_environment(const json::object& context, const std::string& ca_file);

}  // namespace cmux::cli
