// The values of settings as text, in both directions. Pure, but for parse_readable_file() and parse_folder().
// Every error is Errc::config with a detail that says what was expected and what was there instead.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/loop.hpp"
#include "net/address.hpp"
#include "net/resolver.hpp"

namespace cmux::app {

// "expected <what>, not '<text>'".
Error expected(std::string_view what, std::string_view text);

Result<bool> parse_switch(std::string_view text);  // true, false, and as variables say it: 1, 0, yes, no, on, off
Result<std::uint64_t> parse_number(std::string_view text, std::uint64_t least, std::uint64_t most);
Result<std::uint64_t> parse_size(std::string_view text, std::uint64_t least, std::uint64_t most);  // "65536", "64k", "1m", "1g"
Result<std::string> parse_readable_file(std::string_view text);                                    // as an absolute path
Result<std::string> parse_folder(std::string_view text);                                           // the same
Result<std::string> parse_host_pattern(std::string_view text);  // a glob over hosts, in lower case
Result<std::string> parse_domain(std::string_view text);        // in lower case
// "127.0.0.1:39385", "[::1]:0", "localhost:80" (which is 127.0.0.1).
Result<net::Endpoint> parse_tcp_endpoint(std::string_view text);
// One of these, or "unix:PATH".
Result<net::Endpoint> parse_any_endpoint(std::string_view text);

std::string print_duration(milliseconds time);  // in the largest unit that divides it
std::string print_size(std::uint64_t bytes);    // the same
std::string print_override(const net::Override& entry);
std::string toml_string(std::string_view text);  // quoted and escaped

// The one of `words` that `word` is most likely a slip for; empty where none is close.
std::string closest(std::string_view word, const std::vector<std::string>& words);

}  // namespace cmux::app
