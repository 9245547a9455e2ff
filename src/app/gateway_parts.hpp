// What the gateways' services share. For the files of app/gateway_*.cpp.
#pragma once

#include "app/setting_values.hpp"
#include "base/error.hpp"
#include "net/address.hpp"

namespace cmux::app {

// Endpoints as `--listen` gave them, else `defaults`.
Result<std::vector<net::Endpoint>> listen_of(const std::vector<std::string>& given, const std::vector<std::string>& defaults);

// The one line of a secret's file: 16 to 4096 characters of visible ASCII. The error names the flag and the file, and never
// quotes what is in it.
Result<std::shared_ptr<const std::string>> read_secret(std::string_view flag, const std::string& path);

// The whole of a file, `most` bytes at the most.
Result<std::string> read_file(std::string_view flag, const std::string& path, std::size_t most);

}  // namespace cmux::app
