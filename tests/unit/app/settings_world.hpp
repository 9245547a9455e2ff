// What the tests of the settings share.
#pragma once

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "app/settings.hpp"

namespace cmux::app {

// A certificate, whatever it is worth.
inline constexpr std::string_view kCertificate = R"(-----BEGIN CERTIFICATE-----
MIIBcDCCARWgAwIBAgIUN2RBsc31c16N9DIQ9MEiQxNIYTEwCgYIKoZIzj0EAwIw
DDEKMAgGA1UEAwwBeDAgFw0yNjExMzAyMDE3MjhaGA8yMTI2MTEwNjIwMTcyOFow
DDEKMAgGA1UEAwwBeDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABJFTqzcw4/AH
tdkx+x3Za2VlIbOFSJHA3Pfng7LtXbxbGyli8P1rpvz03h3gVmCvXVc4y8eBcXwZ
kqXF2+chDpyjUzBRMB0GA1UdDgQWBBTLKHOVp8NSG5XXQC97B8L3H7rjKDAfBgNV
HSMEGDAWgBTLKHOVp8NSG5XXQC97B8L3H7rjKDAPBgNVHRMBAf8EBTADAQH/MAoG
CCqGSM49BAMCA0kAMEYCIQDZ5LdS+Ci92X5WrZ+u1Q0Xa9tg2vhmdxXsihWLVznH
TAIhAMaxti3d3Ar4ByMbyJqlD152a7u51o3n8GkuTCcMfCeN
-----END CERTIFICATE-----
)";

// A folder of its own for files, and variables of its own in place of the environment.
class World {
 public:
  World() {
    std::string name = (std::filesystem::temp_directory_path() / "cmux-settings-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    folder_ = name;
  }
  ~World() { std::filesystem::remove_all(folder_); }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string write(const std::string& name, std::string_view text) const {
    std::filesystem::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
    return path(name);
  }
  Environment environment() const {
    return [this](const char* name) -> const char* {
      const auto found = variables.find(name);
      return found == variables.end() ? nullptr : found->second.c_str();
    };
  }
  Result<Settings> load(const FlagValues& flags = {}, const std::optional<std::string>& config = std::nullopt) const {
    std::vector<std::string> names;
    for (const auto& [name, value] : variables) names.push_back(name);
    return load_settings(flags, environment(), names, config);
  }
  // The error, or what says that there was none.
  std::string refusal(const FlagValues& flags = {}, const std::optional<std::string>& config = std::nullopt) const {
    const auto loaded = load(flags, config);
    if (loaded) return "(accepted)";
    CHECK(loaded.error().code == Errc::config);
    return loaded.error().detail;
  }
  std::string file_refusal(const std::string& text) const { return refusal({}, write("config.toml", text)); }

  std::map<std::string, std::string> variables;

 private:
  std::filesystem::path folder_;
};

}  // namespace cmux::app
