// What the gateways' services and app/fleet.cpp share. For these files alone.
#pragma once

#include <memory>

#include "app/gateway.hpp"
#include "app/setting_values.hpp"
#include "base/error.hpp"
#include "net/address.hpp"
#include "redis/link.hpp"

namespace cmux::app {

// Endpoints as `--listen` gave them, else `defaults`.
Result<std::vector<net::Endpoint>> listen_of(const std::vector<std::string>& given, const std::vector<std::string>& defaults);

// The one line of a secret's file: 16 to 4096 characters of visible ASCII. The error names the flag and the file, and never
// quotes what is in it.
Result<std::shared_ptr<const std::string>> read_secret(std::string_view flag, const std::string& path);

// The whole of a file, `most` bytes at the most.
Result<std::string> read_file(std::string_view flag, const std::string& path, std::size_t most);

// Where the fleet's store is, with its password. Reads the file and the variable; errors name the flag, and quote no secret.
Result<redis::Url> store_url(const StoreFlags& flags);
upstream::DiallerOptions store_options(const StoreFlags& flags);
// A password in the arguments is there for every user of the machine to read: says so in the log.
void warn_of_arguments(const StoreFlags& flags);
StoreFacts store_facts(const redis::Link& link);

}  // namespace cmux::app
