// The flags that describe a route, for `ctx create`, `ctx update` and `probe`.
#pragma once

#include "cli.hpp"

namespace cmux::cli {

struct RouteFlags {
  std::vector<std::pair<std::string, std::string>> values;  // JSON key, value
  std::vector<std::string> headers;                         // "N: V", or "N: env:VAR"
  std::vector<std::string> header_files, hosts;
  std::string from_url, preset, token;
  bool direct = false, host_header = false;

  bool any() const;
  // Sets what a request to make a context says of its route. Reads files and variables. Throws Exit with kUsage; never quotes a
  // value.
  void add_to(json::object& body) const;
};

// What an option must not be given as: an empty value is not a missing one.
CLI::Validator not_empty();

// What stands where a context has no route.
inline constexpr std::string_view kNoRoute = "no route: localhost is this machine";

// A route of the API, short.
std::string route_summary(const json::value& route);

void add_route_flags(CLI::App& command, RouteFlags& flags);

// What the instance says of a context that was made or changed, on stderr.
void print_warnings(const json::object& context);

// "N: V" in its parts; throws Exit with kUsage, naming the flag and not the value, which may be a secret.
std::pair<std::string, std::string> split_header(std::string_view header, std::string_view flag);

}  // namespace cmux::cli
